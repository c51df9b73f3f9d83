"""The spawner as a process: how little it is, and what it does when something runs out."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.attempts import CommandWork, ScriptWork
from engine.outcomes import Ending
from engine.runners.trees import Family, Tree
from tests.engine.runners.bench import Bench, journal_lines, leaked, log_of, open_descriptors

ROOT = Path(__file__).parents[3]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()
    assert leaked() == []


def test_it_loads_next_to_nothing() -> None:
    probe = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import engine.spawner.main; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", probe], capture_output=True, text=True, check=True)
    found = {name for name in done.stdout.split() if not name.startswith(("engine", "_", "encodings"))}
    assert not found & {
        "typing",
        "signal",
        "socket",
        "selectors",
        "enum",
        "json",
        "re",
        "subprocess",
        "pathlib",
        "site",
    }
    assert len(found) < 25


def test_what_it_uses_seldom_needs_only_the_standard_library() -> None:
    modules = ("runners.streams", "runners.stopping", "runners.trees", "runners.masked_stream")
    imports = "; ".join(f"import engine.{name}" for name in modules)
    probe = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {imports}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", probe], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith("engine")}
    assert ours == {"engine", "engine.runners", "engine.spawner", "engine.spawner.subreaper"} | {
        f"engine.{name}" for name in modules
    }


def test_one_that_was_never_used_leaves_nothing(bench: Bench) -> None:
    bench.runner.warm_up()
    bench.close()
    assert not bench.journals.exists()


def test_a_journal_that_cannot_be_written_is_told_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "journals").write_text("in the way")
    bench = Bench(tmp_path)
    outcome = bench.command("true")
    assert outcome.ending is Ending.SUCCEEDED
    assert outcome.notes == ("the journal of attempts cannot be written: not a directory",)
    bench.close()


def test_running_out_of_descriptors_loses_attempts_and_says_so(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    bench = Bench(tmp_path)
    try:
        most = open_descriptors() + 60
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
        bench.runner.warm_up()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        script = ScriptWork("while [ ! -e go ]; do sleep 0.05; done")
        launches = [bench.start(script, secrets=("hunter2-hunter2",)) for _ in range(most)]
        others = [bench.start(ScriptWork("setsid sleep 300 & exit 0")) for _ in range(20)]
        lost = bench.end_of(launches[-1])
        assert lost.ending is Ending.LOST
        assert lost.failure is not None
        assert "too many open files" in lost.failure.message
        for other in others:  # what needs a descriptor for a moment has one
            assert bench.end_of(other).notes[0].startswith("left ")
        (bench.run_dir / "go").touch()
        outcomes = [bench.end_of(launch) for launch in launches]
        assert {outcome.ending for outcome in outcomes} == {Ending.LOST, Ending.SUCCEEDED}
        assert bench.command("true", secrets=("hunter2-hunter2",)).ending is Ending.SUCCEEDED
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        bench.close()


def test_its_own_end_by_mistake_is_written_down(bench: Bench) -> None:
    launch = bench.launch(CommandWork(("true",)))
    bench.runner._spawners.own()._send(b"\0\0\0\x0d\0\0\0\x09start\0bad")
    bench.runner.start(launch)
    outcome = bench.end_of(launch)
    assert outcome.ending in (Ending.LOST, Ending.SUCCEEDED)
    notes = [line["note"] for line in journal_lines(bench.journals) if "note" in line]
    assert len(notes) == 1
    assert "main.py:" in notes[0]


def test_hundreds_run_at_the_same_time(bench: Bench) -> None:
    script = ScriptWork('read line < "$GATE"')
    gate = bench.run_dir / "gate"
    os.mkfifo(gate)
    launches = [bench.start(script, env={"GATE": str(gate)}) for _ in range(300)]
    bench.turn_until(lambda: sum("started" in line for line in journal_lines(bench.journals)) == len(launches))
    with open(os.open(gate, os.O_RDWR), "w") as stream:
        stream.write("go\n" * len(launches))
        stream.flush()
        assert {bench.end_of(launch).ending for launch in launches} == {Ending.SUCCEEDED}


def test_trees_that_are_ended_together_share_looks_at_all_processes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    family, listed = bench.runner._kit.family, os.listdir

    def look(path: str) -> list[str]:
        looks.append(path)
        return listed(path)

    monkeypatch.setattr(os, "listdir", look)
    for number in range(200):
        family.members(Tree(-1, frozenset({b"%d" % number})))
    assert isinstance(family, Family)
    assert looks.count("/proc") < 100


def test_a_folder_of_the_run_that_was_removed_is_made_again(bench: Bench) -> None:
    launch = bench.launch(CommandWork(("echo", "here")))
    launch = replace(launch, files=replace(launch.files, base=f"{bench.folder}/gone/a"))
    bench.runner.start(launch)
    assert bench.end_of(launch).ending is Ending.SUCCEEDED
    assert log_of(launch) == "here\n"
