"""The parts of `engine.compile`: actions, retries, fan-outs, and what is derived from the graph."""
