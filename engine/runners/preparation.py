"""What must be right before a process can be started: folder, program, script file, environment."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Mapping

from msgspec import Struct

from engine.attempts import AttemptFiles, AttemptKey, CommandWork, Launch, ScriptWork
from engine.outcomes import Failure
from engine.runners.endings import one_line
from engine.runners.trees import MARKER

SPILL_BYTES = 64 * 1024
"""A value longer than this is given as a file: the kernel refuses one of 128 KiB, and all together have a limit too."""

_SPILLED = "env-"
_SHELLS: Mapping[str, tuple[str, ...]] = {"sh": ("sh", "-eu"), "bash": ("bash", "-euo", "pipefail")}


class Command(Struct, frozen=True):
    """A process to start. `argv[0]` is looked up on the PATH of `env`; `fallback` takes its place when it is not there.

    `script_path` is where the text `script` is to be written first; empty when there is none.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    fallback: str = ""
    script_path: str = ""
    script: bytes = b""


class CannotStart(Exception):
    """The process cannot be started because of what the flow says; `failure` tells why."""

    def __init__(self, message: str, *, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.failure = Failure("exit", message, exit_code=exit_code)


def prepare_command(launch: Launch) -> Command:
    """The process of a script or a command, long values of its environment written to files.

    Raises `CannotStart`; `OSError` when the disk fails.
    """
    work = launch.work
    if isinstance(work, ScriptWork):
        argv, fallback = _interpreter(work.shell)
        path = launch.files.own("script")
        return Command((*argv, path), prepare_env(launch), fallback, path, encoded("script", work.script))
    if not isinstance(work, CommandWork):
        raise TypeError(f"{type(work).__name__} is no process of its own")
    if not work.argv or not work.argv[0]:
        raise CannotStart("there is no program to run: `exec` is empty", exit_code=127)
    return Command(work.argv, prepare_env(launch))


def require_folder(workdir: str) -> None:
    """Raise `CannotStart` unless `workdir` is a folder."""
    if not os.path.isdir(workdir):  # noqa: PTH112 - on the hot path, and false for a name with a zero byte
        raise CannotStart(f"the folder `{_shown(workdir)}` does not exist")


def no_folder(folder: str, error: OSError) -> CannotStart:
    """The refusal of an attempt whose folder for temporary files could not be made."""
    why = (error.strerror or "unknown").lower()
    return CannotStart(f"cannot be started: no folder `{_shown(folder)}` could be made: {why}")


def prepare_env(launch: Launch) -> dict[str, str]:
    """The environment of an attempt: what it was given, its marker, and files in place of long values."""
    env = dict(launch.env)
    env[MARKER] = marker_of(launch.key)
    for name, value in launch.env.items():
        if len(value) * 4 > SPILL_BYTES and len(value.encode("utf-8", "surrogatepass")) > SPILL_BYTES:
            del env[name]
            env[f"{name}_FILE"] = write_private(launch.files.own(f"{_SPILLED}{name}"), value)
    return env


def remove_spilled(files: AttemptFiles, env: Mapping[str, str]) -> None:
    """Remove the files that long values were given in: they may hold secrets."""
    for name, value in env.items():
        if len(value) * 4 > SPILL_BYTES:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(files.own(f"{_SPILLED}{name}"))  # noqa: PTH108 - the path is text


def marker_of(key: AttemptKey) -> str:
    """The text that marks every process of this attempt and of no other."""
    item = "-" if key.item is None else str(key.item)
    return f"{key.run_id}.{key.task}.{item}.{key.round}.{key.attempt}"


def find_program(name: str, path: str, workdir: str) -> str:
    """The file that `name` stands for on `path`, as a shell would find it. Raises `CannotStart` with 127 or 126."""
    found = None
    folders = [""] if "/" in name else path.split(":")
    for folder in folders:
        candidate = os.path.join(workdir, folder, name)  # noqa: PTH118 - on the hot path
        if os.path.isfile(candidate):  # noqa: PTH113
            if os.access(candidate, os.X_OK):
                return candidate
            found = candidate
    if found is not None:
        raise CannotStart(f"`{_shown(found)}` is not executable", exit_code=126)
    if "/" in name:
        raise CannotStart(f"there is no program `{_shown(name)}`", exit_code=127)
    raise CannotStart(f"there is no program `{_shown(name)}` on PATH `{one_line(path, 400)}`", exit_code=127)


def require_fit(env: Mapping[str, str], argv: tuple[str, ...] = ()) -> None:
    """Raise `CannotStart` for the first text or name that no process can be given."""
    if (
        _is_plain("".join((*argv, *env.values())))
        and "" not in env
        and _is_plain(names := "".join(env))
        and "=" not in names
    ):
        return  # as a rule: one look at all of it
    for number, text in enumerate(argv):
        if (problem := _unfit(text)) is not None:
            raise CannotStart(f"argument {number} {problem}")
    for name, value in env.items():
        if (problem := _unfit(value)) is not None:
            raise CannotStart(f"the value of `{_shown(name)}` {problem}")
    for name in env:
        if not name or "=" in name or _unfit(name) is not None:
            raise CannotStart(f"`{_shown(name)}` is not an environment name")


def explain_refusal(error: OSError, command: Command, workdir: str) -> CannotStart | None:
    """Why the system would not start `command`, when that is the flow's doing; `None` when it is the machine's."""
    try:
        require_folder(workdir)
        require_fit(command.env, command.argv)
        if not command.fallback:
            find_program(command.argv[0], command.env.get("PATH", os.defpath), workdir)
    except CannotStart as refusal:
        return refusal
    return _explain_errno(error, command, workdir)


def write_private(path: str, text: str) -> str:
    """Write a file only its owner can read; its absolute name."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise CannotStart(f"`{path.rpartition('/')[2]}` holds half of a character (a lone surrogate)") from None
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb", buffering=0) as stream:
        rest = memoryview(data)
        while rest:
            rest = rest[stream.write(rest) or 0 :]
    return os.path.abspath(path)  # noqa: PTH100 - pathlib would look at the disk


def encoded(name: str, text: str) -> bytes:
    """The bytes of a text that a process is given; raises `CannotStart`."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise CannotStart(f"`{name}` holds half of a character (a lone surrogate)") from None


def _interpreter(shell: str | tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The argv before the script file, and the program to take when a PATH of the flow's own does not lead to it."""
    if isinstance(shell, tuple):
        return shell, ""
    if shell == "python":
        return ("python3",), sys.executable
    argv = _SHELLS.get(shell)
    return ((shell,), "") if argv is None else (argv, f"/bin/{shell}")


def _explain_errno(error: OSError, command: Command, workdir: str) -> CannotStart | None:
    shown = _shown(command.argv[0])
    match error.errno:
        case errno.E2BIG:
            size = sum(len(os.fsencode(text)) + 1 for text in command.argv)
            size += sum(len(os.fsencode(f"{name}={value}")) + 1 for name, value in command.env.items())
            return CannotStart(f"arguments and environment together have {size} bytes, more than the system allows")
        case errno.ENOEXEC:
            return CannotStart(f"`{shown}` has no `#!` line and is no program for this machine", exit_code=126)
        case errno.ENOENT | errno.ENOTDIR if not os.path.isdir(workdir):  # noqa: PTH112
            return CannotStart(f"the folder `{_shown(workdir)}` does not exist")
        case errno.ENOENT | errno.ENOTDIR | errno.ELOOP:
            return CannotStart(f"`{shown}` cannot be started: its interpreter does not exist", exit_code=127)
        case errno.EACCES | errno.EPERM | errno.ENAMETOOLONG | errno.EISDIR | errno.ETXTBSY:
            return CannotStart(f"`{shown}` cannot be started: {os.strerror(error.errno).lower()}", exit_code=126)
    return None


def _is_plain(text: str) -> bool:
    return text.isascii() and "\0" not in text


def _unfit(text: str) -> str | None:
    if "\0" in text:
        return "holds a zero byte, which no process can be given"
    if text.isascii():
        return None
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return "holds half of a character (a lone surrogate)"
    return None


def _shown(text: str) -> str:
    return one_line(text)
