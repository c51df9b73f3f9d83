"""What is known about the terminal, and how to write to it safely."""
