"""Logs that nothing was written to: the next attempt gets one of them under its own name.

Most calls print nothing. Making a file costs many times what giving it another name does.
"""

# ruff: noqa: PTH104, PTH108 -- on the hot path paths are text

from __future__ import annotations

import contextlib
import os

_MOST_FOLDERS = 1000


class SpareLogs:
    """Empty logs by their folder; nobody may still have one of them open for writing."""

    def __init__(self) -> None:
        self._spare: dict[str, list[str]] = {}

    def take(self, log: str) -> None:
        """Let a spare one be the file `log`, unless there is such a file, or no spare one."""
        spare = self._spare.get(os.path.dirname(log))  # noqa: PTH120
        if spare and not os.path.lexists(log):
            with contextlib.suppress(OSError):  # somebody has removed it: `log` is made when it is opened
                os.rename(spare.pop(), log)

    def give(self, log: str) -> None:
        """The attempt of this log is over and has written nothing."""
        if len(self._spare) > _MOST_FOLDERS:
            self._spare.clear()
        self._spare.setdefault(os.path.dirname(log), []).append(log)  # noqa: PTH120

    def close(self) -> None:
        """Remove those that are left, so that no attempt that has written nothing has a log."""
        for log in [log for logs in self._spare.values() for log in logs]:
            with contextlib.suppress(OSError):
                os.unlink(log)
        self._spare.clear()
