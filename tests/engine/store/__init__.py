"""Tests of the store: one conformance suite for every implementation, and what only one of them does."""
