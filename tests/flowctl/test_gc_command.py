"""`flowctl gc`: what ended long ago goes with all it has, and nothing else does."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.ids import RandomIds, is_id
from tests.flowctl.commands import HELLO, environment, start, write
from tests.flowctl.operating import ask, change, files_of, here, make_older, ran, run_ids, store_of

__all__ = ["here"]

Here = Callable[..., Any]

CALLING = """\
version: 1
name: calling
tasks:
  many:
    fan_out: {items: [a, b], key: item}
    flow: hello
    with: {name: "${{ item }}"}
"""
OTHER = "version: 1\nname: other\ntasks:\n  a: {run: echo other}\n"
WAITING = "version: 1\nname: waiting\ntasks:\n  a: {run: 'echo ready; read line < \"$GATE\"'}\n"
TABLES = ("runs", "tasks", "attempts", "events")


@pytest.fixture(autouse=True)
def flows(tmp_path: Path) -> None:
    write(tmp_path, "hello", HELLO)
    write(tmp_path, "calling", CALLING)
    write(tmp_path, "other", OTHER)


def removed(here: Here, *arguments: str, code: int = 0) -> dict[str, Any]:
    """What `gc` says it has removed: the counts that are not zero."""
    done = here("gc", *arguments, "--json")
    assert done.returncode == code, done.stderr
    shape = json.loads(done.stdout)
    return {name: value for name, value in shape.items() if value and name not in ("schema_version", "dry_run")}


def counts(tmp_path: Path) -> list[int]:
    return [ask(store_of(tmp_path), f"SELECT count(*) FROM {table}")[0] for table in TABLES]


def folders(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in files_of(tmp_path).iterdir())


def test_old_runs_go_with_all_they_have(here: Here, tmp_path: Path) -> None:
    store = store_of(tmp_path)
    old, young = ran(here, "calling"), ran(here, "other")
    make_older(store, old, days=40)
    before = run_ids(store)
    assert len(before) == 4
    assert removed(here, "--older-than", "30d") == {"runs": 1, "children": 2, "specs": 2}
    assert run_ids(store) == folders(tmp_path) == [young]
    assert ask(store, "SELECT DISTINCT run_id FROM events UNION SELECT run_id FROM tasks") == [young]
    assert ask(store, "SELECT flow FROM specs") == ["other"]
    assert here("replay", "--all").returncode == here("db", "check").returncode == 0
    assert removed(here, "--older-than", "30d") == {}


def test_a_run_counts_from_its_end(here: Here, tmp_path: Path) -> None:
    store = store_of(tmp_path)
    run_id = ran(here, "other")
    change(store, "UPDATE runs SET created_at = created_at - 40 * 86400000000 WHERE id = ?", run_id)
    assert removed(here, "--older-than", "30d") == {}
    make_older(store, run_id, days=31)
    assert removed(here, "--older-than", "30d") == {"runs": 1, "specs": 1}


def test_a_dry_run_says_the_same_and_removes_nothing(here: Here, tmp_path: Path) -> None:
    for run_id in (ran(here, "calling"), ran(here, "other")):
        make_older(store_of(tmp_path), run_id, days=40)
    before = counts(tmp_path), folders(tmp_path)
    said = here("gc", "--older-than", "30d", "--dry-run")
    assert said.stdout == "would remove 2 runs, 2 runs of sub-flows\n"
    assert (counts(tmp_path), folders(tmp_path)) == before
    assert here("gc", "--older-than", "30d").stdout == "removed 2 runs, 2 runs of sub-flows, 3 unused flows\n"
    assert here("gc", "--older-than", "30d").stdout == "removed nothing\n"
    assert counts(tmp_path) == [0] * 4


def test_the_latest_of_each_flow_are_kept(here: Here, tmp_path: Path) -> None:
    hellos = [ran(here, "hello") for _ in range(3)]
    others = [ran(here, "other") for _ in range(2)]
    for number, run_id in enumerate([*hellos, *others]):
        make_older(store_of(tmp_path), run_id, days=100 - number)
    assert removed(here, "--older-than", "30d", "--keep", "2") == {"runs": 1}
    assert run_ids(store_of(tmp_path)) == sorted([*hellos[1:], *others])
    assert removed(here, "--keep", "1") == {"runs": 2}
    assert run_ids(store_of(tmp_path)) == sorted([hellos[2], others[1]])
    assert removed(here, "--older-than", "200d", "--keep", "1") == {}


def test_old_logs_go_and_the_history_stays(here: Here, tmp_path: Path) -> None:
    old, young = ran(here, "hello"), ran(here, "hello")
    make_older(store_of(tmp_path), old, days=10)
    kept = files_of(tmp_path) / old / "artifacts" / "report"
    kept.parent.mkdir()
    kept.write_text("precious")
    before = here("show", old, "--json").stdout
    assert removed(here, "--logs-older-than", "7d") == {"logs": 1}
    assert here("show", old, "--json").stdout == before
    assert here("logs", old).stdout == ""
    assert here("logs", young).stdout != ""
    assert [path.name for path in (files_of(tmp_path) / old).iterdir()] == ["artifacts"]
    assert kept.read_text() == "precious"
    assert removed(here, "--logs-older-than", "7d") == {}


def test_runs_that_go_on_stay_however_old(here: Here, tmp_path: Path) -> None:
    write(tmp_path, "waiting", WAITING)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    process = start(tmp_path, "run", "waiting", "--json", "--env", f"GATE={gate}")
    assert process.stdout is not None
    try:
        run_id = ""
        for line in process.stdout:
            event = json.loads(line)
            if event["type"] == "attempt_started":
                run_id = event["run"]
                break
        old = ran(here, "other")
        make_older(store_of(tmp_path), old, days=40)
        make_older(store_of(tmp_path), run_id, days=400)
        assert removed(here, "--older-than", "1ms", "--logs-older-than", "1ms")["runs"] == 1
        assert run_ids(store_of(tmp_path)) == [run_id]
        gate.write_text("go\n")
        assert process.wait(timeout=60) == 0
        process.communicate()
    finally:
        process.kill()
        process.wait()
    assert removed(here, "--older-than", "1ms")["runs"] == 1
    assert counts(tmp_path) == [0] * 4


def test_a_run_whose_sub_flow_goes_on_stays(here: Here, tmp_path: Path) -> None:
    run_id = ran(here, "calling")
    make_older(store_of(tmp_path), run_id, days=40)
    change(store_of(tmp_path), "UPDATE runs SET state = 'running' WHERE parent_run = ?", run_id)
    assert removed(here, "--older-than", "30d") == {}
    assert len(run_ids(store_of(tmp_path))) == 3


def id_of(days: float) -> str:
    """The id of a run made so many days ago."""
    from datetime import UTC, datetime, timedelta

    return RandomIds().new(datetime.now(UTC) - timedelta(days=days))


def test_folders_without_a_run_go_when_they_are_as_old(here: Here, tmp_path: Path) -> None:
    run_id = ran(here, "other")
    root = files_of(tmp_path)
    old, young = id_of(40), id_of(2)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    link = id_of(41)
    (root / link).symlink_to(elsewhere)
    for name in (old, young, "notes", f"{old}x", old.upper()):
        (root / name / "work").mkdir(parents=True)
    (root / old / "work" / "locked").mkdir(mode=0o000)
    assert removed(here, "--older-than", "30d") == {"orphans": 2}
    assert folders(tmp_path) == sorted([run_id, young, "notes", f"{old}x", old.upper()])
    assert (elsewhere / "precious").read_text() == "x"
    assert removed(here, "--older-than", "1d") == {"orphans": 1}


def test_a_collection_that_was_killed_is_finished_by_the_next(here: Here, tmp_path: Path) -> None:
    """The rows are gone and the files are not: only what was noted goes, and only if its run is gone."""
    gone, there = ran(here, "hello"), ran(here, "hello")
    name = subprocess.run(
        [sys.executable, "-c", KILLED_BETWEEN, str(store_of(tmp_path)), gone],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert name.returncode == -9
    assert gone not in run_ids(store_of(tmp_path))
    note = next(files_of(tmp_path).glob(".removing-*"))
    note.write_text(f"{gone}\n{there}\n../../../../etc\n")
    assert gone in folders(tmp_path)
    assert removed(here, "--older-than", "30d") == {}
    assert sorted(name for name in folders(tmp_path) if is_id(name)) == [there]


KILLED_BETWEEN = """
import os, signal, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from engine.operations.collecting import Collector
from engine.operations.retention import Retention
from engine.run_files import RunFiles
from engine.store.sqlite import SqliteStore

class Killed(SqliteStore):
    def remove(self, runs):
        super().remove([run for run in runs if run.id == sys.argv[2]])
        os.kill(os.getpid(), signal.SIGKILL)

path = Path(sys.argv[1])
store = Killed.open(path)
files = RunFiles(path.with_suffix(".runs"))
collector = Collector(store, files, name=f"{path}  ", owns_files=True, now=datetime.now(UTC) + timedelta(days=1))
collector.collect(Retention(runs=timedelta(0)))
"""

KILLED_AFTER = """
import os, signal, sys
count = int(sys.argv[1])
def look(frame, event, argument):
    global count
    if event == "call" and "/engine/" in frame.f_code.co_filename:
        count -= 1
        if not count:
            os.kill(os.getpid(), signal.SIGKILL)
sys.setprofile(look)
from flowctl.cli.main import main
sys.argv[1:] = []
raise SystemExit(main(["gc", "--older-than", "1ms", "--keep", "1"]))
"""


@pytest.mark.slow
def test_a_collection_may_be_killed_anywhere(here: Here, tmp_path: Path) -> None:
    for _ in range(3):
        ran(here, "calling")
    kept = {ran(here, "calling"), ran(here, "hello")}
    code, calls = -9, 100
    while code == -9:
        command = [sys.executable, "-c", KILLED_AFTER, str(calls)]
        code = subprocess.run(command, env=environment(tmp_path), cwd=tmp_path, stdout=-3, check=False).returncode
        check = here("db", "check")
        assert check.returncode == 0, check.stdout
        left = run_ids(store_of(tmp_path))
        assert kept <= set(left)
        assert (len(left) - 1) % 3 == 0  # a run and those of its sub-flows go together
        calls += 211
    assert code == 0
    removed(here, "--older-than", "1ms", "--keep", "1")
    assert len(run_ids(store_of(tmp_path))) == 4
    assert {name for name in folders(tmp_path) if is_id(name)} <= set(run_ids(store_of(tmp_path)))


def test_collections_side_by_side_do_not_disturb_each_other(here: Here, tmp_path: Path) -> None:
    template = ran(here, "other")
    copy_runs(store_of(tmp_path), template, 300)
    processes = [start(tmp_path, "gc", "--older-than", "30d", "--json") for _ in range(3)]
    total = 0
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        total += json.loads(out)["runs"]
    assert total == 300
    assert run_ids(store_of(tmp_path)) == [template]


def copy_runs(store: Path, template: str, number: int) -> None:
    """So many runs like one, made and ended forty days earlier."""
    by = 40 * 86_400_000_000
    with closing(sqlite3.connect(store)) as connection, connection:
        for table, key in (("runs", "id"), ("tasks", "run_id"), ("attempts", "run_id"), ("events", "run_id")):
            found = connection.execute(f"SELECT * FROM {table} WHERE {key} = ?", (template,))
            names = [column[0] for column in found.description]
            rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
            for index in range(number):
                for row in rows:
                    new = {**row, key: f"{index:026}"}
                    if table == "runs":
                        new |= {"reversed_id": new["id"][::-1]}
                        new |= {name: new[name] - by for name in ("created_at", "started_at", "ended_at")}
                    marks = ", ".join("?" * len(new))
                    quoted = ", ".join(f'"{name}"' for name in new)
                    connection.execute(f"INSERT INTO {table} ({quoted}) VALUES ({marks})", tuple(new.values()))


def test_many_runs_go_in_several_transactions(here: Here, tmp_path: Path) -> None:
    template = ran(here, "other")
    copy_runs(store_of(tmp_path), template, 2_000)
    assert removed(here, "--older-than", "30d") == {"runs": 2_000}
    assert counts(tmp_path)[0] == 1


def test_the_settings_say_what_the_flags_do_not(here: Here, tmp_path: Path) -> None:
    runs = [ran(here, "hello") for _ in range(3)]
    for number, run_id in enumerate(runs):
        make_older(store_of(tmp_path), run_id, days=90 - number)
    (tmp_path / "flowctl.yaml").write_text("retention: {runs: 30d, keep: 2, logs: 7d}\n")
    assert removed(here) == {"runs": 1, "logs": 2}
    assert removed(here, "--keep", "1") == {"runs": 1}
    assert removed(here, "--older-than", "89d", "--keep", "0") == {}
    assert removed(here, "--keep", "0") == {"runs": 1, "specs": 1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing says how long runs stay"),
        (["--older-than", "soon"], "`--older-than`: `soon` is no duration"),
        (["--logs-older-than", "7"], "`--logs-older-than`: `7` is no duration"),
        (["--keep", "-1"], "greater than or equal to 0"),
        (["--keep", "0"], "nothing says how long runs stay"),
    ],
)
def test_what_is_no_age_is_wrong_usage(here: Here, arguments: list[str], said: str) -> None:
    done = here("gc", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_wrong_settings_are_told_with_their_place(here: Here, tmp_path: Path) -> None:
    (tmp_path / "flowctl.yaml").write_text("retention: {runs: soon, keep: many}\n")
    done = here("gc")
    assert done.returncode == 2
    assert "flowctl.yaml:1:19" in done.stderr
    assert "`soon` is not a duration" in done.stderr
    assert "expected a whole number, found text" in done.stderr


def test_without_a_store_there_is_nothing_to_remove(here: Here, tmp_path: Path) -> None:
    assert here("gc", "--older-than", "30d").stdout == "removed nothing\n"
    assert not store_of(tmp_path).exists()


def test_journals_of_processes_that_are_gone_go(here: Here, tmp_path: Path) -> None:
    done, going = ran(here, "other"), ran(here, "other")
    change(store_of(tmp_path), "UPDATE runs SET state = 'running' WHERE id = ?", going)
    folder = tmp_path / "home/data/flowctl.spawners"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    own_start = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    dead = {"spawner": 1 << 22, "at": 1, "boot": boot, "engine": "e", "socket": "s", "protocol": 1}
    alive = {**dead, "spawner": os.getpid(), "at": own_start}
    journals = {
        "ended": (dead, done, 2),
        "goes_on": (dead, going, 2),
        "young": (dead, done, 0.5),
        "alive": (alive, done, 2),
        "of_nobody": (dead, "0" * 26, 2),
    }
    import time

    for name, (head, run_id, days) in journals.items():
        started = {"started": f"{run_id}.a.-.1.1", "pid": 1, "at": 1}
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in (head, started)) + '{"half')
        then = time.time() - days * 86_400
        os.utime(path, (then, then))
    assert removed(here, "--older-than", "30d", "--dry-run") == {"journals": 2}
    assert removed(here, "--older-than", "30d") == {"journals": 2}
    assert sorted(path.stem for path in folder.iterdir()) == ["alive", "goes_on", "young"]
