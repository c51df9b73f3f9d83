"""Secrets come from the environment, files and the keyring, and are never half had."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from engine.errors import SecretUnavailable
from engine.secrets import MOST_BYTES, Secrets

TEXT = "correct horse"


class MemoryKeyring(KeyringBackend):
    """A keyring that forgets."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library's
        self.entries: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("it is locked")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


@pytest.fixture
def ring() -> Iterator[MemoryKeyring]:
    before, made = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def refused(source: str, secrets: Secrets | None = None) -> str:
    with pytest.raises(SecretUnavailable) as caught:
        (secrets or Secrets({})).get("TOKEN", source)
    assert caught.value.name == "TOKEN"
    assert "`TOKEN`" in str(caught.value)
    return str(caught.value)


# --- environment --------------------------------------------------------------------------------------------------------


def test_a_variable_is_taken_as_it_is() -> None:
    assert Secrets({"X": f" {TEXT}\n"}).get("TOKEN", "env:X") == f" {TEXT}\n"


def test_a_variable_that_is_not_set_is_named() -> None:
    assert "the variable `X` is not set" in refused("env:X")


def test_bytes_that_are_no_text_are_refused() -> None:
    undecodable = os.fsdecode(b"\xff\xfe secret")
    message = refused("env:X", Secrets({"X": undecodable}))
    assert "not UTF-8" in message
    assert "secret" not in message.removeprefix("secret `TOKEN`")


@pytest.mark.parametrize("value", ["", "a", "abc"])
def test_a_secret_too_short_to_mask_is_refused_and_not_shown(value: str) -> None:
    message = refused("env:X", Secrets({"X": value}))
    assert "fewer than 4 characters" in message
    assert not value or f"`{value}`" not in message


# --- files --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"two\nlines\n\n", "two\nlines\n"),
    ],
)
def test_one_trailing_line_break_of_a_file_is_cut(tmp_path: Path, written: bytes, value: str) -> None:
    (tmp_path / "s").write_bytes(written)
    assert Secrets({}).get("TOKEN", f"file:{tmp_path}/s") == value


def test_files_that_hold_no_secret(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xfa\xfb")
    (tmp_path / "large").write_bytes(b"a" * (MOST_BYTES + 1))
    os.mkfifo(tmp_path / "pipe")
    assert "not UTF-8" in refused(f"file:{tmp_path}/binary")
    assert "larger than" in refused(f"file:{tmp_path}/large")
    assert "not a regular file" in refused(f"file:{tmp_path}/pipe")
    assert "no such file" in refused(f"file:{tmp_path}/none")
    assert "cannot read" in refused(f"file:{tmp_path}") or "not a regular" in refused(f"file:{tmp_path}")
    assert "not a path" in refused("file:/a\0b")


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"a" * MOST_BYTES)
    assert len(Secrets({}).get("TOKEN", f"file:{tmp_path}/s")) == MOST_BYTES


# --- keyring ------------------------------------------------------------------------------------------------------------


def test_an_entry_of_the_keyring(ring: MemoryKeyring) -> None:
    ring.set_password("db/main", "robot", TEXT)
    assert Secrets({}).get("TOKEN", "keyring:db/main/robot") == TEXT


def test_what_the_keyring_does_not_give(ring: MemoryKeyring) -> None:
    assert "no entry `robot` for `db`" in refused("keyring:db/robot")
    assert "`keyring:SERVICE/NAME`" in refused("keyring:robot")
    ring.locked = True
    assert "does not answer" in refused("keyring:db/robot")


# --- all ----------------------------------------------------------------------------------------------------------------


def test_an_unknown_provider_is_told_with_the_known_ones() -> None:
    with pytest.raises(SecretUnavailable) as caught:
        Secrets({}).get("TOKEN", "vault:x")
    assert caught.value.hint == "known here: `env`, `file`, `keyring`"


def test_a_secret_is_fetched_once_and_masked_by_all_who_name_it() -> None:
    asked: list[str] = []

    def provider(key: str) -> str:
        asked.append(key)
        return TEXT

    secrets = Secrets({}, {"mine": provider})
    assert secrets.resolved({"a": "mine:k"}) == ()
    assert secrets.get("a", "mine:k") == secrets.get("b", "mine:k") == TEXT
    assert asked == ["k"]
    assert secrets.resolved({"b": "mine:k", "c": "mine:other"}) == (TEXT,)
