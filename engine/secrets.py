"""Secrets: named in specs, resolved at the last moment, kept in memory only.

`env:NAME` is a variable of the engine's own environment, `file:/path` the content of a file (a trailing line break cut),
`keyring:SERVICE/NAME` an entry of the system's keyring.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from typing import TypeAlias

from engine.errors import SecretUnavailable

SHORTEST = 4
"""A shorter secret is refused: masking it would garble everything that is written."""

MOST_BYTES = 1 << 20

Provider: TypeAlias = Callable[[str], str]
"""Gets a secret by the text behind the colon; raises `LookupError` with a reason when it has none."""


class Secrets:
    """Resolves secrets and remembers what it has resolved, so that it can be masked."""

    def __init__(self, environment: Mapping[str, str], providers: Mapping[str, Provider] | None = None) -> None:
        self._providers: dict[str, Provider] = {
            "env": lambda name: _from_environment(environment, name),
            "file": _from_file,
            "keyring": _from_keyring,
            **(providers or {}),
        }
        self._found: dict[str, str] = {}

    def get(self, name: str, source: str) -> str:
        """The secret that a flow calls `name` and declares as `source`.

        Raises:
            SecretUnavailable: it cannot be had; the message never holds any of it.
        """
        if source not in self._found:
            self._found[source] = self._resolve(name, source)
        return self._found[source]

    def resolved(self, sources: Mapping[str, str]) -> tuple[str, ...]:
        """The values, among `sources`, that have been resolved so far."""
        return tuple(self._found[source] for source in sources.values() if source in self._found)

    def _resolve(self, name: str, source: str) -> str:
        kind, _, key = source.partition(":")
        provider = self._providers.get(kind)
        if provider is None:
            raise SecretUnavailable(
                name,
                f"secret `{name}`: there is no provider `{kind}`",
                hint=f"known here: {', '.join(f'`{known}`' for known in sorted(self._providers))}",
            )
        try:
            value = provider(key)
        except LookupError as problem:
            raise SecretUnavailable(name, f"secret `{name}`: {problem.args[0]}") from None
        if not _is_text(value):
            raise SecretUnavailable(
                name, f"secret `{name}` is not UTF-8 text", hint="keep it in base64, and decode it in the task"
            )
        if len(value) < SHORTEST:
            raise SecretUnavailable(
                name,
                f"secret `{name}` has fewer than {SHORTEST} characters and cannot be masked",
                hint="use a longer one",
            )
        return value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # bytes of the environment that are no text
        return False
    return True


def _from_environment(environment: Mapping[str, str], name: str) -> str:
    if name not in environment:
        raise LookupError(f"the variable `{name}` is not set")
    return environment[name]


def _from_file(path: str) -> str:
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise LookupError(f"`{path}` is not a regular file")
            data = file.read(MOST_BYTES + 1)
    except OSError as problem:
        raise LookupError(f"cannot read `{path}`: {(problem.strerror or 'unknown').lower()}") from None
    except ValueError:
        raise LookupError(f"`{path}` is not a path") from None
    if len(data) > MOST_BYTES:
        raise LookupError(f"`{path}` is larger than {MOST_BYTES} bytes")
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise LookupError(f"`{path}` is not UTF-8 text") from None


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; of a pipe, nobody waits for its other end."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _from_keyring(key: str) -> str:
    import keyring
    from keyring.errors import KeyringError

    service, slash, name = key.rpartition("/")
    if not slash:
        raise LookupError(f"`keyring:{key}` is not `keyring:SERVICE/NAME`")
    try:
        value = keyring.get_password(service, name)
    except KeyringError as problem:
        raise LookupError(f"the keyring does not answer: {problem}") from None
    if value is None:
        raise LookupError(f"the keyring has no entry `{name}` for `{service}`")
    return value
