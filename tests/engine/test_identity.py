"""A holder can be proven dead, and only then."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from engine.identity import boot_id, is_proven_dead, own_identity, start_time


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def identity(pid: int, *, host: str | None = None, boot: str | None = None, start: object = None) -> str:
    own_host, own_boot, _, _ = own_identity().split("/")
    return f"{host or own_host}/{boot or own_boot}/{pid}/{start if start is not None else start_time(pid)}"


def test_this_process_is_alive() -> None:
    assert not is_proven_dead(own_identity())
    assert own_identity() == identity(os.getpid())


def test_a_running_process_is_alive_and_one_that_ended_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    name = identity(sleeper.pid)
    assert not is_proven_dead(name)
    sleeper.kill()
    sleeper.wait()
    assert is_proven_dead(name)


def test_a_process_that_ended_and_was_not_waited_for_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    name = identity(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its status is kept
    assert is_proven_dead(name)


def test_another_process_with_the_same_number_is_not_the_holder(sleeper: subprocess.Popen[bytes]) -> None:
    assert is_proven_dead(identity(sleeper.pid, start=1))


def test_a_holder_of_an_earlier_boot_is_dead() -> None:
    assert is_proven_dead(identity(os.getpid(), boot="00000000-0000-0000-0000-000000000000"))


def test_nothing_is_proven_of_another_machine() -> None:
    assert not is_proven_dead(identity(1, host="elsewhere", start=1))


@pytest.mark.parametrize("text", ["", "x", "a/b/c/d", "a/b//", "{host}/b/²/1", "{host}/b/" + "9" * 5000 + "/1"])
def test_of_what_names_no_process_nothing_is_proven(text: str) -> None:
    assert not is_proven_dead(text.format(host=own_identity().partition("/")[0]))


def test_the_boot_has_a_name() -> None:
    assert boot_id() == boot_id() != ""
