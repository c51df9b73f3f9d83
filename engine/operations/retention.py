"""How long what has ended stays."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct


class Retention(Struct, frozen=True):
    """What is to stay of runs that have ended. With both `runs` and `keep` a run stays as long as one of them says so.

    Attributes:
        runs: how long a run stays after its end; `None` for as long as `keep` alone decides.
        keep: so many of the latest finished runs of each flow stay, however old they are.
        logs: how long what tasks have written stays after the end of a run; `None` for as long as the run.
    """

    runs: timedelta | None = None
    keep: int = 0
    logs: timedelta | None = None

    @property
    def removes_runs(self) -> bool:
        """Whether any run is to go at all."""
        return self.runs is not None or self.keep > 0
