"""The process that starts and reaps an engine's tasks, and outlives it. Only the standard library, and little of it."""
