"""`file.*`: files of the run's directory, or elsewhere by absolute path."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from engine.connectors.protocol import CallContext, ConnectorError, bad_argument
from engine.connectors.signatures import FILE
from engine.outcomes import Json
from specs.context import ActionSpec

_LARGEST_BYTES = 10_000_000
_MOST_FILES = 100_000


class FileConnector:
    """Reads, writes, copies, moves, deletes and lists files.

    A relative path starts at the run's directory and cannot leave it, by `..` or by a link; an absolute path is taken
    as it is, because a flow runs with the rights of whoever started it.
    """

    actions: ClassVar[Mapping[str, ActionSpec]] = FILE

    def __init__(self, config: Mapping[str, Json]) -> None:
        if config:
            raise bad_argument("`file` takes no configuration")

    async def call(self, action: str, arguments: Mapping[str, Json], context: CallContext) -> Json:
        """Do one action in a thread; what the system refuses is an `error` named after its exception class."""
        work = _ACTIONS.get(action)
        if work is None:
            raise bad_argument(f"`file` has no action `{action}`")
        unknown = sorted(set(arguments) - set(FILE[action].fields))
        if unknown:
            raise bad_argument(f"`file.{action}` has no field `{unknown[0]}`")
        try:
            return await asyncio.to_thread(work, arguments, context.run_dir)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            text = f"`{arguments.get('path')}`: {reason}"
            raise ConnectorError("error", text, name=type(error).__name__) from error


def _read(arguments: Mapping[str, Json], base: Path) -> Json:
    path = _path(arguments, "path", base)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise bad_argument(f"`{path}` is not a regular file")
        data = stream.read(_LARGEST_BYTES + 1)
    if len(data) > _LARGEST_BYTES:
        raise bad_argument(f"`{path}` is longer than {_LARGEST_BYTES} bytes; read it in a script")
    try:
        return {"content": data.decode(), "size": len(data)}
    except UnicodeDecodeError:
        raise bad_argument(f"`{path}` is not UTF-8; read it in a script") from None


def _write(arguments: Mapping[str, Json], base: Path) -> Json:
    path = _path(arguments, "path", base)
    data = _text(arguments, "content").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    if _flag(arguments, "append"):
        with open(path, "ab") as stream:
            stream.write(data)
    else:
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            unfinished.write_bytes(data)
            os.replace(unfinished, path)  # noqa: PTH105 - nobody sees half a file
        finally:
            unfinished.unlink(missing_ok=True)
    return {"path": str(path), "size": path.stat().st_size}


def _copy(arguments: Mapping[str, Json], base: Path) -> Json:
    source, target = _path(arguments, "path", base), _path(arguments, "to", base)
    if source.is_dir():
        raise bad_argument(f"`{source}` is a folder; `file.copy` copies one file")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    return {"path": str(target / source.name if target.is_dir() else target)}


def _move(arguments: Mapping[str, Json], base: Path) -> Json:
    source, target = _path(arguments, "path", base), _path(arguments, "to", base)
    target.parent.mkdir(parents=True, exist_ok=True)
    return {"path": str(shutil.move(source, target))}


def _delete(arguments: Mapping[str, Json], base: Path) -> Json:
    path = _path(arguments, "path", base, follow=False)
    if path.is_dir() and not path.is_symlink():
        raise bad_argument(f"`{path}` is a folder; `file.delete` deletes one file")
    existed = os.path.lexists(path)
    path.unlink(missing_ok=_flag(arguments, "missing_ok"))
    return {"deleted": existed}


def _list(arguments: Mapping[str, Json], base: Path) -> Json:
    folder = _path(arguments, "path", base)
    pattern = _text(arguments, "pattern") if "pattern" in arguments else "*"
    if not folder.is_dir():
        raise FileNotFoundError(2, "no such folder")
    if not pattern or pattern.startswith("/") or ".." in pattern.split("/"):
        raise bad_argument(f"`{pattern}` is not a pattern below a folder")
    found: list[Json] = []
    for path in sorted(folder.glob(pattern)):
        if path.is_file():
            found.append(str(path))
        if len(found) > _MOST_FILES:
            raise bad_argument(f"more than {_MOST_FILES} files match `{pattern}`")
    return {"files": found}


def _exists(arguments: Mapping[str, Json], base: Path) -> Json:
    path = _path(arguments, "path", base)
    if not path.exists():
        return {"exists": False, "kind": "", "size": 0}
    kind = "folder" if path.is_dir() else "file" if path.is_file() else "other"
    return {"exists": True, "kind": kind, "size": path.stat().st_size if kind == "file" else 0}


_ACTIONS: Mapping[str, Callable[[Mapping[str, Json], Path], Json]] = {
    "read": _read,
    "write": _write,
    "copy": _copy,
    "move": _move,
    "delete": _delete,
    "list": _list,
    "exists": _exists,
}


def _path(arguments: Mapping[str, Json], name: str, base: Path, *, follow: bool = True) -> Path:
    text = _text(arguments, name)
    if not text or "\0" in text:
        raise bad_argument(f"`{name}` is not a path")
    if text.startswith("/"):
        return Path(os.path.normpath(text))
    path = Path(os.path.normpath(base / text))
    # The last part of what is to be deleted may be a link itself; the folders before it may not lead away.
    inside = path.resolve() if follow else path.parent.resolve() / path.name
    if not inside.is_relative_to(base.resolve()):
        raise bad_argument(f"`{text}` leads out of the run's directory")
    return path


def _text(arguments: Mapping[str, Json], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str):
        raise bad_argument(f"`{name}` must be text")
    return value


def _flag(arguments: Mapping[str, Json], name: str) -> bool:
    value = arguments.get(name, False)
    if not isinstance(value, bool):
        raise bad_argument(f"`{name}` must be `true` or `false`")
    return value
