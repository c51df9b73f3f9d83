"""Becoming the reaper of orphans."""

from __future__ import annotations

_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Orphans of our descendants become our children. Repeatable; inherited by nobody."""
    try:
        import _ctypes  # what `ctypes` is made of: loading all of it takes milliseconds

        prctl = _ctypes.dlsym(_ctypes.dlopen("", 0), "prctl")
        failed = _ctypes.call_function(prctl, (_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
    except AttributeError:
        import ctypes

        failed = ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if failed:
        raise OSError("this system has no reapers of orphans (`PR_SET_CHILD_SUBREAPER`)")
