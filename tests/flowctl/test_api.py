"""The Python interface, and the pages about it, JSON and the commands."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import flowctl
from tests.docs.pages import DOCS, blocks_of
from tests.flowctl.commands import HELLO, MIXED, write


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in an empty folder, with a home of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FLOWCTL_HOME", str(tmp_path / "home"))


def flow(name: str, text: str) -> flowctl.Flow:
    return flowctl.load(write(Path.cwd(), name, text))


def test_the_examples_of_the_page_work() -> None:
    names: dict[str, Any] = {}
    for block in blocks_of((DOCS / "reference/python.md").read_text()):
        if block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, "python.md", "exec"), names)
    assert names


def test_every_public_name_is_there_and_explained() -> None:
    assert flowctl.__all__ == sorted(flowctl.__all__)
    for name in flowctl.__all__:
        value = getattr(flowctl, name)
        assert name == "__version__" or inspect.getdoc(value), name
    assert set(flowctl.__all__) <= set(dir(flowctl))
    with pytest.raises(AttributeError):
        _ = flowctl.nothing_of_that_name


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys, flowctl; flowctl.__version__; print(*(n for n in sys.modules if n.split('.')[0] in {names}))"
    names = {"engine", "specs", "flowctl", "pydantic", "typer", "jinja2", "ruamel"}
    done = subprocess.run(
        [sys.executable, "-c", code.format(names=names)], capture_output=True, text=True, check=True, cwd=DOCS.parent
    )
    assert set(done.stdout.split()) == {"flowctl", "flowctl.version"}


def test_a_file_that_is_not_there_is_a_finding_and_no_exception() -> None:
    [finding] = flowctl.check("missing.yaml")
    assert finding.code == "FLOW131"
    with pytest.raises(flowctl.InvalidFlow):
        flowctl.load("missing.yaml")


def test_a_fan_out_has_its_items_and_their_outputs() -> None:
    write(Path.cwd(), "hello", HELLO)
    result = flow("mixed", MIXED).run()
    work = result.tasks["work"]
    assert (result.state, work.state, work.attempts) == ("failed", "failed", 4)
    assert [(item.index, item.key, item.value, item.state) for item in work.items] == [
        (0, "a", "a", "succeeded"),
        (1, "b", "b", "failed"),
        (2, "c", "c", "succeeded"),
    ]
    assert isinstance(work.output, list)
    assert [isinstance(one, dict) and one["n"] for one in work.output] == ["a", False, "c"]
    assert work.items[1].error is not None
    assert work.items[1].error.exit_code == 3
    assert result.tasks["unwanted"].cause is not None
    assert result.tasks["child"].output == {"length": 11}


def test_a_listener_sees_nothing_sensitive_and_every_sub_flow() -> None:
    write(Path.cwd(), "hello", HELLO)
    seen: list[dict[str, Any]] = []
    result = flow("mixed", MIXED).run(on_event=seen.append)
    assert "blue-badger-7" not in str(seen)
    assert len({event["run"] for event in seen}) == 2
    with flowctl.open_store() as store:
        assert list(store.events(result.id)) == [event for event in seen if event["run"] == result.id]


def test_a_listener_that_fails_cancels_the_run_and_is_heard_at_its_end() -> None:
    def listen(event: dict[str, Any]) -> None:
        if event["type"] == "attempt_started":
            raise ZeroDivisionError

    long = flow("long", "version: 1\ntasks:\n  a: {run: sleep 1000}\n")
    with pytest.raises(ZeroDivisionError):
        long.run(on_event=listen)
    with flowctl.open_store() as store:
        assert store.run("latest")["run"]["state"] == "cancelled"


def test_an_interrupt_cancels_the_run_and_is_raised_at_its_end() -> None:
    def interrupt(event: dict[str, Any]) -> None:
        if event["type"] == "attempt_started":
            os.kill(os.getpid(), signal.SIGINT)

    long = flow("long", "version: 1\ntasks:\n  a: {run: sleep 1000}\n")
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        long.run(on_event=interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    with flowctl.open_store() as store:
        assert store.run("latest")["run"]["state"] == "cancelled"


def test_a_flow_runs_in_any_thread_and_leaves_signals_alone() -> None:
    hello = flow("hello", HELLO)
    found: list[Any] = []

    def run() -> None:
        handlers: set[Any] = set()
        result = hello.run(on_event=lambda event: handlers.add(signal.getsignal(signal.SIGTERM)))
        found.append((result.state, handlers))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [("succeeded", {signal.getsignal(signal.SIGTERM)})]


def test_a_loaded_flow_stays_what_it_was() -> None:
    hello = flow("hello", HELLO)
    write(Path.cwd(), "hello", "nonsense")
    assert hello.run().outputs == {"length": 13}
    assert hello.plan().digest == hello.digest


def test_without_a_store_there_is_nothing_to_open() -> None:
    with pytest.raises(flowctl.StoreUnavailable), flowctl.open_store():
        raise AssertionError("never reached")


def test_another_store_is_opened_by_its_path(tmp_path: Path) -> None:
    result = flow("hello", HELLO).run()
    with flowctl.open_store(tmp_path / "home/data/flowctl.db") as store:
        assert [run["id"] for run in store.runs()] == [result.id]


def test_a_secret_that_is_missing_is_told_before_anything_starts() -> None:
    task = "{env: {K: '${{ secrets.KEY }}'}, run: 'true'}"
    text = f"version: 1\nsecrets: {{KEY: {{from: 'env:NOT_SET_ANYWHERE'}}}}\ntasks:\n  a: {task}\n"
    with pytest.raises(flowctl.SecretUnavailable):
        flow("secret", text).run()
    with pytest.raises(flowctl.StoreUnavailable), flowctl.open_store():
        raise AssertionError("never reached")


def test_variables_that_are_none_are_refused() -> None:
    with pytest.raises(flowctl.UsageProblem):
        flow("hello", HELLO).run(env={"A-B": "x"})
