"""The keys settings have, and how a value of each is read from YAML and from text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from engine.store.address import SCHEMES, ServerAddress, StoreAddress
from flowctl.check_settings import read_acceptances, read_enabled, read_severities
from flowctl.setting_values import Wrong, kind_of, shown
from flowctl.terminal.colour import ColourChoice
from specs.suggest import did_you_mean


class SettingKey(Struct, frozen=True):
    """One key. `read` makes a setting of a value and the folder its relative paths start from; `parse` a value of text.

    `name` is the field it ends up in, `variable` its environment variable, empty where there is none. A value that may hold
    a secret can also be in a file, which the variable with `_FILE` at its end names.
    """

    name: str
    variable: str
    read: Callable[[Any, Path], Any]
    parse: Callable[[str], Any] = str
    is_secret: bool = False


def _store(value: Any, folder: Path) -> StoreAddress:
    text = _text(value)
    scheme, separator, rest = text.partition("://")
    if separator and scheme in SCHEMES:
        return _server(text)
    if separator and scheme != "sqlite":
        raise Wrong(
            f"there is no store for `{scheme}`",
            code="FLOW113",
            help="write the path of a file, or `postgresql://USER@HOST/DATABASE`",
        )
    path = rest.removeprefix("/") if separator else text
    if separator and not rest.startswith("/"):
        raise Wrong(f"`{shown(text)}` is not a store", help="three slashes before the file: `sqlite:///flowctl.db`")
    if path in ("", ":memory:"):
        raise Wrong("the store must be a file", help="write `sqlite:///FILE`, or the path of a file")
    return _path(path, folder)


def _server(url: str) -> ServerAddress:
    """The address that a URL names. The URL may hold a password, so no message quotes it."""
    try:
        readable = "\0" not in url and urlsplit(url).port != 0
    except ValueError:
        readable = False
    if not readable:
        raise Wrong(
            "the URL of the store cannot be read",
            help="write `postgresql://USER@HOST:PORT/DATABASE`, with special characters of a password as `%40` and the like",
        )
    return ServerAddress(url)


def _name(most: int) -> Callable[[Any, Path], str]:
    """A name in a database, of so many bytes; the server would cut a longer one short."""

    def read(value: Any, _folder: Path) -> str:
        text = _text(value)
        if not text or "\0" in text or len(text.encode(errors="replace")) > most:
            raise Wrong(f"expected a name of 1 to {most} bytes, without NUL")
        return text

    return read


def _duration(value: Any, _folder: Path) -> timedelta:
    from specs.quantities import parse_duration

    duration = parse_duration(_text(value))
    if duration is None:
        raise Wrong(f"`{shown(value)}` is not a duration", code="FLOW118", help="write for example `90s` or `10m`")
    return duration


def _path(value: Any, folder: Path) -> Path:
    text = _text(value)
    if "\0" in text or not text:
        raise Wrong("expected a path, found nothing" if not text else "a path holds no NUL")
    try:
        return Path(os.path.normpath(folder / Path(text).expanduser()))
    except RuntimeError as error:
        raise Wrong(f"there is no home folder for `{shown(text)}`") from error


def _paths(value: Any, folder: Path) -> tuple[Path, ...]:
    if not isinstance(value, list):
        raise Wrong(f"expected a list of paths, found {kind_of(value)}", help="write `[.env]`")
    found = []
    for index, item in enumerate(value):
        try:
            found.append(_path(item, folder))
        except Wrong as wrong:
            raise Wrong(str(wrong), help=wrong.help, path=(index,)) from wrong
    return tuple(found)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong(f"expected text, found {kind_of(value)}")
    return value


def _whole(least: int, most: int) -> Callable[[Any, Path], int]:
    def read(value: Any, _folder: Path) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong(f"expected a whole number, found {kind_of(value)}")
        if not least <= value <= most:
            raise Wrong(f"{value} is not between {least:,} and {most:,}", code="FLOW119")
        return int(value)

    return read


def _boolean(value: Any, _folder: Path) -> bool:
    if not isinstance(value, bool):
        raise Wrong(f"expected `true` or `false`, found {kind_of(value)}")
    return value


def _size(value: Any, folder: Path) -> int:
    from specs.quantities import parse_size

    size = parse_size(_text(value))
    if size is None:
        raise Wrong(f"`{shown(value)}` is not a size", code="FLOW118", help="write for example `10MB` or `1MiB`")
    return _whole(1, 64 << 20)(size, folder)


def _colour(value: Any, _folder: Path) -> ColourChoice:
    choices = [choice.value for choice in ColourChoice]
    if value not in choices:
        listed = ", ".join(f"`{choice}`" for choice in choices)
        help_ = did_you_mean(value, choices) if isinstance(value, str) else f"known here: {listed}"
        raise Wrong(f"`{shown(value)}` is none of {listed}", code="FLOW113", help=help_)
    return ColourChoice(value)


_CLASS = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_TYPE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def _connectors(value: Any, _folder: Path) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise Wrong(
            f"expected a map of connector types, found {kind_of(value)}", help="write `type: package.module:Class`"
        )
    for name, target in value.items():
        if not isinstance(name, str) or not _TYPE.fullmatch(name):
            raise Wrong(f"`{shown(name)}` is not a name", code="FLOW117", path=(name,))
        if not isinstance(target, str) or not _CLASS.fullmatch(target):
            found = f"`{shown(target)}`" if isinstance(target, str) else kind_of(target)
            raise Wrong(f"expected a class, found {found}", help="write `package.module:Class`", path=(name,))
    return dict(value)


def _number_in(text: str) -> Any:
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text.strip()) else text


def _boolean_in(text: str) -> Any:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower(), text)


def _paths_in(text: str) -> list[str]:
    return [part for part in text.split(os.pathsep) if part]


KEYS: Mapping[str, SettingKey] = {
    "store": SettingKey("store", "FLOWCTL_DB_URL", _store, is_secret=True),
    "slots": SettingKey("slots", "FLOWCTL_SLOTS", _whole(1, 10_000), _number_in),
    "cache": SettingKey("cache", "FLOWCTL_CACHE", _boolean, _boolean_in),
    "env_files": SettingKey("env_files", "FLOWCTL_ENV_FILES", _paths, _paths_in),
    "db.schema": SettingKey("schema", "FLOWCTL_DB_SCHEMA", _name(63)),
    "db.prefix": SettingKey("prefix", "FLOWCTL_DB_PREFIX", _name(40)),
    "db.patience": SettingKey("patience", "FLOWCTL_DB_PATIENCE", _duration),
    "recovery.beat": SettingKey("beat", "FLOWCTL_RECOVERY_BEAT", _duration),
    "recovery.lease": SettingKey("lease", "FLOWCTL_RECOVERY_LEASE", _duration),
    "recovery.take_over": SettingKey("take_over", "FLOWCTL_RECOVERY_TAKE_OVER", _boolean, _boolean_in),
    "connectors": SettingKey("connectors", "", _connectors),
    "color": SettingKey("color", "FLOWCTL_COLOR", _colour),
    "limits.file": SettingKey("file_bytes", "FLOWCTL_LIMITS_FILE", _size),
    "limits.nodes": SettingKey("nodes", "FLOWCTL_LIMITS_NODES", _whole(1, 10_000_000), _number_in),
    "limits.depth": SettingKey("depth", "FLOWCTL_LIMITS_DEPTH", _whole(1, 100), _number_in),
    "retention.runs": SettingKey("runs", "FLOWCTL_RETENTION_RUNS", _duration),
    "retention.keep": SettingKey("keep", "FLOWCTL_RETENTION_KEEP", _whole(0, 1_000_000), _number_in),
    "retention.logs": SettingKey("logs", "FLOWCTL_RETENTION_LOGS", _duration),
    "checks.severity": SettingKey("severities", "", read_severities),
    "checks.ignore": SettingKey("accepted", "", read_acceptances),
    "checks.enable": SettingKey("enabled", "", read_enabled),
}
