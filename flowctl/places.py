"""Where files of the user live: the XDG folders, or everything under `FLOWCTL_HOME`.

Our own twenty lines and not `platformdirs`: that import costs 14 to 40 ms on every start, and it follows relative
values of the variables, which the XDG specification says to ignore.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from flowctl.problems import UsageProblem

APPLICATION = "flowctl"


class HomeUnknown(UsageProblem):
    """Neither the environment nor the user table names a home folder."""

    code = "home_unknown"


class Folders(Struct, frozen=True):
    """Folders of this program for one user; none of them needs to exist.

    Attributes:
        config: what the user writes.
        data: the store and what belongs to it.
        state: logs, crash reports.
        cache: what may be deleted at any time.
        runtime: sockets and process ids; `None` where the system gives no such folder.
    """

    config: Path
    data: Path
    state: Path
    cache: Path
    runtime: Path | None


def user_folders(environ: Mapping[str, str]) -> Folders:
    """The folders for the user whose environment this is.

    `FLOWCTL_HOME` puts all of them under one folder. A relative XDG value is ignored, as its specification asks.
    Raises `HomeUnknown` where nothing tells.
    """
    home = environ.get("FLOWCTL_HOME", "")
    if home:
        base = Path(home).expanduser().absolute()
        return Folders(base / "config", base / "data", base / "state", base / "cache", base / "run")
    user = _home(environ)
    runtime = _absolute(environ, "XDG_RUNTIME_DIR")
    return Folders(
        config=(_absolute(environ, "XDG_CONFIG_HOME") or user / ".config") / APPLICATION,
        data=(_absolute(environ, "XDG_DATA_HOME") or user / ".local" / "share") / APPLICATION,
        state=(_absolute(environ, "XDG_STATE_HOME") or user / ".local" / "state") / APPLICATION,
        cache=(_absolute(environ, "XDG_CACHE_HOME") or user / ".cache") / APPLICATION,
        runtime=runtime / APPLICATION if runtime else None,
    )


def _absolute(environ: Mapping[str, str], name: str) -> Path | None:
    path = Path(environ.get(name, ""))
    return path if path.is_absolute() else None


def _home(environ: Mapping[str, str]) -> Path:
    given = _absolute(environ, "HOME")
    if given is not None:
        return given
    try:
        return Path.home()
    except RuntimeError as error:  # no HOME and no entry in the user table: a bare container
        raise HomeUnknown("no home folder is known for this user", hint="set `FLOWCTL_HOME` to a folder") from error
