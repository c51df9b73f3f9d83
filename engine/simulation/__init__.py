"""Runs without effects: the real engine, a clock that jumps, attempts that end as stubs say, a store in memory."""

from engine.simulation.play import BEGINNING, Played, Setup, SimulationTooLong, play
from engine.simulation.stubs import DEFAULT_DURATION, Stub, StubSet
from engine.simulation.trace import Entry, Trace, TracedRun

__all__ = [
    "BEGINNING",
    "DEFAULT_DURATION",
    "Entry",
    "Played",
    "Setup",
    "SimulationTooLong",
    "Stub",
    "StubSet",
    "Trace",
    "TracedRun",
    "play",
]
