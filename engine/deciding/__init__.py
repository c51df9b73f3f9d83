"""The parts of `engine.decide`: each module answers one kind of question and only emits events."""
