"""A warm worker: makes one Python call after the other, each asked for by a message.

Run by path as `python -P call_worker.py DESCRIPTOR ROOT`. It needs nothing but the standard library and imports nothing
of the engine, so that in it a user's own modules called `engine` or `specs` are found like any others. A message is
its length (four bytes, most significant first) and JSON; with a request come the descriptors for stdout and stderr.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
import traceback
import types
import typing

_LENGTH = struct.Struct(">I")
_PID = os.getpid()
_STOPPED = False
_UNKNOWN = -1
"""In place of when a module was changed: no file has this time."""


_SIGNATURES: dict[str, tuple[object, inspect.Signature, dict[str, typing.Any]]] = {}
"""By target, its function, which is another one when somebody has replaced it, with its signature and its hints."""

_PATH = list(sys.path)
_waitid = os.waitid  # before anybody can put another in its place


_Received: typing.TypeAlias = tuple[dict[str, typing.Any], list[int]]


class _BadCall(Exception):
    """The call cannot be made as it was asked for; the first argument is the class name reported."""


def main() -> None:
    """Serve calls until the engine closes the socket."""
    end = socket.socket(fileno=int(sys.argv[1]))
    end.set_inheritable(False)
    root = sys.argv[2]
    received = _taken_over([int(number) for number in sys.argv[3:]]) or _receive(end)
    first_environment = dict(os.environ)
    seen: dict[str, int] = {}
    known: list[str] = []
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    sys.path.insert(0, root)
    sys.argv = [""]
    while received is not None:
        if _has_changed(seen):
            _restart(end, root, received, first_environment)
        began = time.time_ns()
        _send(end, _serve(*received))
        if _STOPPED:
            os.kill(os.getpid(), signal.SIGTERM)
        if list(sys.modules) != known:
            _remember(seen, root, began)
            known = list(sys.modules)
        received = _receive(end)


# --- modules that were edited since they were imported ------------------------------------------------------------------


def _remember(seen: dict[str, int], root: str, began: int) -> None:
    """Note when each module of the project that was imported in this call had been changed. One that has changed since
    the call began may have been imported before that: it counts as edited."""
    inside = os.path.join(root, "")  # noqa: PTH118 - with its last slash
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.startswith(inside) and path not in seen:
            changed = _changed_at(path)
            seen[path] = changed if changed < began else _UNKNOWN


def _has_changed(seen: dict[str, int]) -> bool:
    return any(_changed_at(path) != at for path, at in seen.items())


def _changed_at(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - before every call, for every module
    except OSError:
        return 0


def _restart(end: socket.socket, root: str, received: _Received, environment: dict[str, str]) -> None:
    """Become a new interpreter, as the same process, that begins with the request in hand."""
    request, descriptors = received
    os.chdir("/")
    kept = os.memfd_create("request")
    with open(kept, "wb", closefd=False) as stream:
        stream.write(json.dumps(request).encode())
    passed = [kept, *descriptors]
    for descriptor in (end.fileno(), *passed):
        os.set_inheritable(descriptor, True)
    argv = [sys.executable, "-P", __file__, str(end.fileno()), root, *map(str, passed)]
    os.execve(sys.executable, argv, environment)  # noqa: S606 - ourselves


def _taken_over(passed: list[int]) -> _Received | None:
    if not passed:
        return None
    for descriptor in passed:
        os.set_inheritable(descriptor, False)
    os.lseek(passed[0], 0, os.SEEK_SET)
    with open(passed[0], "rb") as stream:
        return json.load(stream), passed[1:]


# --- one call -----------------------------------------------------------------------------------------------------------


def _serve(request: dict[str, typing.Any], descriptors: list[int]) -> bytes:
    _redirect(descriptors)
    streams = sys.stdout, sys.stderr = _open_stream(1), _open_stream(2)
    signal.signal(signal.SIGTERM, _be_stopped)
    try:
        answer = _answer(request)
    except BaseException as error:  # noqa: BLE001 - SIGTERM may come between any two lines
        answer = {"error": _describe(error, request["target"])}
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for stream in {*streams, sys.stdout, sys.stderr}:
        with contextlib.suppress(Exception):
            stream.flush()
    if os.getpid() != _PID:
        os._exit(1 if "error" in answer else 0)  # a process that the callable forked and that came back to us
    null = os.open(os.devnull, os.O_RDWR)
    _redirect([null, os.dup(null)])
    # A thread of this call would run on in the next; one that was told to end does so after its answer.
    answer["tainted"] = threading.active_count() > 1 or _STOPPED
    answer["childless"] = _is_childless()
    return json.dumps(answer).encode()


def _answer(request: dict[str, typing.Any]) -> dict[str, typing.Any]:
    target = request["target"]
    try:
        _set_environment(request["env"])
        os.chdir(request["workdir"])
        function = _find(target)
        _check_arguments(function, target, request["arguments"])
        value = function(**request["arguments"])
        if inspect.iscoroutine(value):
            value = _awaited(value)
    except _BadCall as error:
        name, message = error.args
        return {"error": {"kind": "error", "name": name, "message": message}}
    except BaseException as error:  # noqa: BLE001 - it is the flow author's code
        if not isinstance(error, SystemExit):
            _print_traceback(error)
        return {"error": _describe(error, target)}
    return _encode(value, target, request["limit_bytes"])


def _awaited(value: types.CoroutineType[typing.Any, typing.Any, typing.Any]) -> object:
    if "asyncio" not in sys.modules:  # half of a worker's start, for what few callables need
        path, sys.path = sys.path, _PATH  # the module, and what it imports, not a file of the project by its name
        try:
            importlib.import_module("asyncio")
        finally:
            sys.path = path
    return sys.modules["asyncio"].run(value)


def _set_environment(env: dict[str, str]) -> None:
    for name in [name for name in os.environ if name not in env]:
        del os.environ[name]
    os.environ.update(env)  # all of it: `os.putenv` of a call before this one does not show here
    time.tzset()


def _is_childless() -> bool:
    """Whether this process has no child at all, not even a dead one: what it left running is not to be looked for."""
    try:
        _waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def _find(target: str) -> typing.Callable[..., typing.Any]:
    module_name, _, path = target.partition(":")
    found: typing.Any = importlib.import_module(module_name)
    for name in path.split("."):
        if not hasattr(found, name):
            raise _BadCall("AttributeError", f"`{module_name}` has no `{path}`")
        found = getattr(found, name)
    if not callable(found):
        raise _BadCall("TypeError", f"`{target}` is no function")
    return typing.cast("typing.Callable[..., typing.Any]", found)


def _encode(value: object, target: str, limit_bytes: int) -> dict[str, typing.Any]:
    try:
        size = len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        _require_text_keys(value)
    except (TypeError, ValueError, RecursionError) as error:
        return {"error": {"kind": "output", "message": f"what `{target}` returned is not JSON: {_text(error)}"}}
    if size > limit_bytes:
        text = f"what `{target}` returned has {size} bytes, more than {limit_bytes}, the limit of `limits.output_bytes`"
        return {"error": {"kind": "output", "message": text}}
    return {"value": value}


def _require_text_keys(value: object) -> None:
    """`json` writes `{1: 2}` as `{"1": 2}`; a value must come back as it went."""
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            for key in one:
                if not isinstance(key, str):
                    raise TypeError(f"a key is `{type(key).__name__}`; keys must be text")
            rest.extend(one.values())
        elif isinstance(one, list | tuple):
            rest.extend(one)


# --- arguments ----------------------------------------------------------------------------------------------------------


def _check_arguments(function: typing.Callable[..., typing.Any], target: str, arguments: dict[str, object]) -> None:
    """Hold the arguments against the signature; annotations that are not simple are left to the function."""
    known = _SIGNATURES.get(target)
    if known is None or known[0] is not function:
        try:
            known = function, inspect.signature(function), _hints_of(function)
        except (TypeError, ValueError):
            return  # some built-in functions have none
        _SIGNATURES[target] = known
    _, signature, hints = known
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise _BadCall("TypeError", f"`{target}` cannot be called like this: {error}") from None
    for name, value in arguments.items():
        if name in hints and not _fits(value, hints[name]):
            expected = getattr(hints[name], "__name__", None) if isinstance(hints[name], type) else None
            shown = expected or str(hints[name]).replace("typing.", "")
            raise _BadCall("TypeError", f"`{name}` of `{target}` takes `{shown}`, not `{type(value).__name__}`")


def _hints_of(function: typing.Callable[..., typing.Any]) -> dict[str, typing.Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # noqa: BLE001 - hints are the author's code, and may name what exists for checkers only
        return {}


def _fits(value: object, hint: object) -> bool:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _fits(value, typing.get_args(hint)[0])
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in typing.get_args(hint))
    if origin is typing.Literal:
        return any(type(value) is type(one) and value == one for one in typing.get_args(hint))
    if origin is list and isinstance(value, list):
        inner = typing.get_args(hint)
        return all(_fits(one, inner[0]) for one in value)
    if origin is dict and isinstance(value, dict):
        inner = typing.get_args(hint)
        return all(_fits(one, inner[1]) for one in value.values())
    plain = origin if origin in (list, dict) else hint
    if plain is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if plain is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if plain in (str, bool, list, dict, type(None)):
        return isinstance(value, typing.cast("type", plain))
    return True


# --- errors -------------------------------------------------------------------------------------------------------------


def _be_stopped(_number: int, _frame: object) -> None:
    global _STOPPED
    _STOPPED = True
    raise SystemExit(143)  # so that `finally` and `with` of the callable do their work


def _describe(error: BaseException, target: str) -> dict[str, typing.Any]:
    name = type(error).__name__
    text = _text(error)
    said = f"`{target}` raised `{name}`: {text}" if text else f"`{target}` raised `{name}`"
    return {"kind": "error", "name": name, "message": said}


def _text(error: BaseException) -> str:
    try:
        return str(error)[:2000]
    except Exception:  # noqa: BLE001 - it is the flow author's code
        return "its text cannot be had"


def _print_traceback(error: BaseException) -> None:
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    with contextlib.suppress(Exception):
        traceback.print_exception(type(error), error, frames, file=sys.stderr)


# --- messages -----------------------------------------------------------------------------------------------------------


def _open_stream(descriptor: int) -> typing.TextIO:
    # A new one for each call: an old one believes that its descriptor is still the kind of file it was.
    return open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _redirect(descriptors: list[int]) -> None:
    for number, descriptor in enumerate(descriptors, 1):
        os.dup2(descriptor, number)
        os.close(descriptor)


def _receive(end: socket.socket) -> _Received | None:
    head, descriptors, _, _ = socket.recv_fds(end, _LENGTH.size, 2)
    while head and len(head) < _LENGTH.size:
        more = end.recv(_LENGTH.size - len(head))
        if not more:
            return None
        head += more
    if not head:
        return None
    (size,) = _LENGTH.unpack(head)
    body = bytearray()
    while len(body) < size:
        more = end.recv(min(1 << 20, size - len(body)))
        if not more:
            return None
        body += more
    return json.loads(body), descriptors


def _send(end: socket.socket, body: bytes) -> None:
    with contextlib.suppress(OSError):  # the engine is gone: the next receive ends the worker
        end.sendall(_LENGTH.pack(len(body)) + body)


if __name__ == "__main__":
    main()
