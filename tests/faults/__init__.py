"""The harshest tests: real engines killed, starved and lied to, then judged by what is left."""
