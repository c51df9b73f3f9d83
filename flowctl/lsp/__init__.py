"""The language server: pure functions over a text and a place in it, and a thin server that speaks the protocol."""
