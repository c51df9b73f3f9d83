"""A holder can be proven alive, stopped or dead, and only then."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from engine.identity import Standing, boot_id, own_identity, short_name, standing, start_time


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def identity(pid: int, *, host: str | None = None, boot: str | None = None, start: object = None, own: str = "") -> str:
    own_host, own_boot, _, _, own_names = own_identity().split("/")
    started = start if start is not None else start_time(pid)
    return f"{host or own_host}/{boot or own_boot}/{pid}/{started}/{own or own_names}"


def test_this_process_is_alive_under_each_of_its_names() -> None:
    first, second = own_identity(), own_identity()
    assert first != second
    assert standing(first) == standing(second) == Standing.ALIVE


def test_a_running_process_is_alive_and_one_that_ended_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    name = identity(sleeper.pid)
    assert standing(name) is Standing.ALIVE
    sleeper.kill()
    sleeper.wait()
    assert standing(name) is Standing.DEAD


def test_a_process_that_was_stopped_does_nothing_until_it_goes_on(sleeper: subprocess.Popen[bytes]) -> None:
    name = identity(sleeper.pid)
    sleeper.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)
    assert standing(name) is Standing.STOPPED
    sleeper.send_signal(signal.SIGCONT)
    os.waitid(os.P_PID, sleeper.pid, os.WCONTINUED)
    assert standing(name) is Standing.ALIVE


def test_a_process_that_ended_and_was_not_waited_for_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    name = identity(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its status is kept
    assert standing(name) is Standing.DEAD


def test_another_process_with_the_same_number_is_not_the_holder(sleeper: subprocess.Popen[bytes]) -> None:
    assert standing(identity(sleeper.pid, start=1)) is Standing.DEAD


def test_a_name_from_before_there_were_several_engines_in_a_process_is_understood() -> None:
    assert standing(identity(os.getpid()).rpartition("/")[0]) is Standing.ALIVE


def test_the_name_of_the_host_proves_nothing() -> None:
    assert standing(identity(os.getpid(), host="renamed-since")) is Standing.ALIVE


def test_of_another_boot_or_another_count_of_processes_nothing_is_known() -> None:
    assert standing(identity(os.getpid(), boot="00000000-0000-0000-0000-000000000000")) is Standing.UNKNOWN
    assert standing(identity(os.getpid(), own="1.abcd")) is Standing.UNKNOWN


@pytest.mark.parametrize("text", ["", "x", "a/b/c/d", "a/b//", "h/{boot}/²/1", "h/{boot}/" + "9" * 5000 + "/1"])
def test_of_what_names_no_process_nothing_is_known(text: str) -> None:
    assert standing(text.format(boot=boot_id())) is Standing.UNKNOWN


def test_a_name_for_a_person_says_where_the_process_is_if_it_is_elsewhere() -> None:
    assert short_name(identity(7)) == "process 7"
    assert short_name(identity(7, host="elsewhere")) == "process 7 on elsewhere"
    assert short_name("test") == "test"


def test_the_boot_has_a_name() -> None:
    assert boot_id() == boot_id() != ""
