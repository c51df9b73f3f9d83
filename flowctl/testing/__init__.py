"""Tests of flows: `*.test.yaml` files, read, run on the simulation, compared with what they expect, and counted."""
