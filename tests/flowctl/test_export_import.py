"""`flowctl export` and `flowctl import`: one file that needs nothing else, and nothing is believed that it does not prove."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.operations import archive
from tests.docs.pages import DOCS
from tests.flowctl.commands import HELLO, MIXED, write
from tests.flowctl.operating import ask, change, files_of, here, ran, run_ids, store_of

__all__ = ["here"]

Here = Callable[..., Any]
Records = list[dict[str, Any]]

BADGE = "violet-badger-31415"

LEAKY = """\
version: 1
name: leaky
params:
  badge: {type: string, sensitive: true}
  pin: {type: int, sensitive: true}
tasks:
  tell:
    env: {BADGE: "${{ params.badge }}"}
    run: |
      echo "the badge is $BADGE"
      printf %s "$BADGE" | base64
      echo "again=$BADGE" >> "$FLOW_OUTPUT"
      echo "secret=hidden-$BADGE" >> "$FLOW_OUTPUT"
    outputs:
      again: {type: string}
      secret: {type: string, sensitive: true}
  pass_on:
    after: [tell]
    flow: child
    with: {name: "${{ params.badge }}", number: "${{ params.pin }}"}
  each:
    fan_out: {items: "[params.badge, 'plain']", key: item}
    run: exit 3
    allow_failure: true
outputs:
  badge: "${{ params.badge }}"
"""

CHILD = """\
version: 1
name: child
params:
  name: {type: string}
  number: {type: int}
tasks:
  say:
    env: {NAME: "${{ params.name }}"}
    run: echo "I am $NAME"
"""


@pytest.fixture
def mixed(here: Here, tmp_path: Path) -> str:
    """The id of a run with a fan-out, retries, a sub-flow, hooks, and a sensitive parameter."""
    write(tmp_path, "hello", HELLO)
    write(tmp_path, "mixed", MIXED)
    return ran(here, "mixed")


@pytest.fixture
def exported(here: Here, mixed: str, tmp_path: Path) -> Path:
    """That run in a file, logs included."""
    path = tmp_path / "run.jsonl"
    done = here("export", mixed, "-O", str(path), "--logs")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"run {mixed} of mixed and 1 of sub-flows exported" in done.stderr
    return path


def there(tmp_path: Path) -> dict[str, str]:
    """Another home."""
    return {"FLOWCTL_HOME": str(tmp_path / "other")}


def records_of(path: Path) -> Records:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_records(path: Path, records: Records, *, end: bool = True) -> None:
    """An archive of these records, with an end that fits unless there is to be none."""
    lines = b"".join(json.dumps(record).encode() + b"\n" for record in records if record["record"] != "end")
    count = lines.count(b"\n")
    last = {"record": "end", "records": count, "sha256": hashlib.sha256(lines).hexdigest()}
    path.write_bytes(lines + (json.dumps(last).encode() + b"\n" if end else b""))


def refused(here: Here, tmp_path: Path, path: Path, *, code: int, said: str) -> None:
    """The file is refused in one line that names it, and nothing is in the store."""
    done = here("import", str(path), env=there(tmp_path))
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    store = tmp_path / "other/data/flowctl.db"
    assert not store.exists() or run_ids(store) == []


# --- there and back -----------------------------------------------------------------------------------------------------


def test_an_imported_run_is_the_run(here: Here, mixed: str, exported: Path, tmp_path: Path) -> None:
    done = here("import", str(exported), "--json", env=there(tmp_path))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "schema_version": 1,
        "run": mixed,
        "flow": "mixed",
        "runs": 2,
        "was_there": False,
        "unproven": [],
    }
    commands = [
        ["show", mixed, "--json"],
        ["logs", mixed],
        ["runs", "--all", "--json"],
        ["show", mixed, "--task", "work"],
    ]
    for command in commands:
        assert here(*command, env=there(tmp_path)).stdout == here(*command).stdout.replace(
            str(files_of(tmp_path)), str(tmp_path / "other/data/flowctl.runs")
        ), command
    assert here("replay", "--all", env=there(tmp_path)).returncode == 0
    assert here("db", "check", env=there(tmp_path)).returncode == 0
    assert here("graph", "--run", mixed, env=there(tmp_path)).stdout == here("graph", "--run", mixed).stdout


def test_importing_again_changes_nothing(here: Here, mixed: str, exported: Path, tmp_path: Path) -> None:
    here("import", str(exported), env=there(tmp_path))
    log = tmp_path / "other/data/flowctl.runs" / mixed / "attempts/first.1.1.log"
    assert log.read_text() == "one\n"
    log.unlink()  # as if the first import had been killed before it wrote the logs
    store = tmp_path / "other/data/flowctl.db"
    before = ask(store, "SELECT * FROM runs"), ask(store, "SELECT * FROM events")
    done = here("import", str(exported), "--json", env=there(tmp_path))
    assert (done.returncode, json.loads(done.stdout)["was_there"]) == (0, True)
    assert (ask(store, "SELECT * FROM runs"), ask(store, "SELECT * FROM events")) == before
    assert log.read_text() == "one\n"


def test_the_store_it_came_from_has_the_run_already(here: Here, exported: Path) -> None:
    done = here("import", str(exported), "--json")
    assert (done.returncode, json.loads(done.stdout)["was_there"]) == (0, True)


def test_another_run_of_the_same_id_is_left_alone(here: Here, mixed: str, exported: Path, tmp_path: Path) -> None:
    here("import", str(exported), env=there(tmp_path))
    store = tmp_path / "other/data/flowctl.db"
    change(store, "UPDATE tasks SET state = 'succeeded' WHERE task = 'work'")
    before = ask(store, "SELECT * FROM tasks")
    done = here("import", str(exported), "--json", env=there(tmp_path))
    assert (done.returncode, done.stdout) == (5, "")
    problem = json.loads(done.stderr)
    assert (problem["code"], mixed in problem["message"]) == ("different_run", True)
    assert ask(store, "SELECT * FROM tasks") == before


def test_without_logs_there_are_none(here: Here, mixed: str, tmp_path: Path) -> None:
    done = here("export", mixed)
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "plain.jsonl").write_text(done.stdout)
    assert {record["record"] for record in records_of(tmp_path / "plain.jsonl")} == {
        "header", "spec", "run", "event", "task", "attempt", "end"
    }  # fmt: skip
    assert here("import", "plain.jsonl", env=there(tmp_path)).returncode == 0
    assert not (tmp_path / "other/data/flowctl.runs").exists()
    assert here("logs", mixed, env=there(tmp_path)).stdout == ""


def test_long_and_binary_logs_come_back_byte_for_byte(here: Here, tmp_path: Path) -> None:
    write(tmp_path, "loud", "version: 1\nname: loud\ntasks:\n  a: {run: head -c 200000 /dev/urandom}\n")
    run_id = ran(here, "loud")
    here("export", run_id, "-O", "loud.jsonl", "--logs")
    here("import", "loud.jsonl", env=there(tmp_path))
    path = Path(run_id) / "attempts/a.1.1.log"
    copy = (tmp_path / "other/data/flowctl.runs" / path).read_bytes()
    assert len(copy) == 200_000
    assert copy == (files_of(tmp_path) / path).read_bytes()


def test_a_part_of_another_run_is_exported_with_that(here: Here, mixed: str, tmp_path: Path) -> None:
    (child,) = ask(store_of(tmp_path), "SELECT id FROM runs WHERE parent_run = ?", mixed)
    done = here("export", child)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"flowctl export {mixed}" in done.stderr


def test_a_file_that_exists_is_replaced_when_the_new_one_is_whole(here: Here, mixed: str, tmp_path: Path) -> None:
    target = tmp_path / "run.jsonl"
    target.write_text("before")
    change(store_of(tmp_path), "UPDATE specs SET files = '{\"mixed.yaml\":\"sensitive\"}' WHERE flow = 'mixed'")
    failed = here("export", mixed, "-O", str(target))
    assert failed.returncode == 1
    assert "is not a valid flow" in failed.stderr
    assert target.read_text() == "before"
    assert sorted(path.name for path in tmp_path.glob(".run*")) == []
    assert here("export", mixed, "-O", str(tmp_path / "nowhere" / "run.jsonl")).returncode == 2


# --- nothing that is hidden ---------------------------------------------------------------------------------------------


def test_sensitive_values_are_nowhere_in_the_file(here: Here, tmp_path: Path) -> None:
    write(tmp_path, "leaky", LEAKY)
    write(tmp_path, "child", CHILD)
    arguments = ["-p", f"badge={BADGE}", "-p", "pin=27182818", "--env", "TOKEN=open-sesame-99"]
    run_id = ran(here, "leaky", *arguments)
    done = here("export", run_id, "-O", "leaky.jsonl", "--logs")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "leaky.jsonl").read_text()
    logs = b"".join(
        base64.b64decode(record["data"]) for record in map(json.loads, text.splitlines()) if record["record"] == "log"
    )
    encoded = base64.b64encode(BADGE.encode()).decode().rstrip("=")
    for hidden in (BADGE, encoded, "27182818", "open-sesame-99"):
        assert hidden not in text, hidden
        assert hidden.encode() not in logs, hidden
    assert b"the badge is ***" in logs
    assert here("import", "leaky.jsonl", env=there(tmp_path)).returncode == 0
    assert here("replay", "--all", env=there(tmp_path)).returncode == 0
    again = here("import", "leaky.jsonl", "--json")
    assert json.loads(again.stdout)["was_there"]  # although this store has the values


# --- what is refused ----------------------------------------------------------------------------------------------------

Change = Callable[[Records], None]


def first(records: Records, kind: str) -> dict[str, Any]:
    return next(record for record in records if record["record"] == kind)


def setting(kind: str, **fields: Any) -> Change:
    return lambda records: first(records, kind).update(fields)


def dropping(kind: str) -> Change:
    return lambda records: records.remove(first(records, kind))


def doubling(kind: str) -> Change:
    return lambda records: records.insert(records.index(first(records, kind)), dict(first(records, kind)))


def to_the_front(kind: str) -> Change:
    def move(records: Records) -> None:
        found = first(records, kind)
        records.remove(found)
        records.insert(1, found)

    return move


def renaming(name: str) -> Change:
    """A task of another name everywhere."""

    def rename(records: Records) -> None:
        for record in records:
            if record.get("task") == "first":
                record["task"] = name

    return rename


CHANGED: dict[str, tuple[Change, str]] = {
    "later version": (setting("header", version=2), "has version 2, and this flowctl reads version 1"),
    "other format": (setting("header", format="tar"), "is no exported run"),
    "run in the header": (setting("header", run="../../etc/passwd"), "names no run"),
    "number of runs": (setting("header", runs=3), "holds 2 runs, and its header says 3"),
    "no runs": (setting("header", runs=0), "0 runs"),
    "time without a zone": (setting("header", exported_at="2026-01-01T00:00:00"), "cannot be read"),
    "id of the run": (setting("run", id="../../../../tmp/evil"), "the id of a run is none"),
    "state": (setting("run", state="perfect"), "in no state that there is"),
    "state that does not follow": (setting("run", state="succeeded"), "does not make its state"),
    "field": (setting("run", owner="me"), "unknown field"),
    "type of a field": (setting("run", priority="high"), "expected `int`"),
    "huge number": (setting("run", priority=1 << 70), "cannot be read"),
    "list for a map": (setting("run", params=[]), "expected `object`"),
    "number of events": (setting("run", seq=3), "events, and says 3"),
    "digest": (setting("spec", digest="0" * 64), "not those of its digest"),
    "files": (setting("spec", files={"mixed.yaml": "version: 1\n"}), "not those of its digest"),
    "path in files": (setting("spec", files={"../../evil": "x"}), "not those of its digest"),
    "gap": (dropping("event"), "event 2 follows event 0"),
    "event twice": (doubling("event"), "event 1 follows event 1"),
    "task twice": (doubling("task"), "is there twice"),
    "attempt twice": (doubling("attempt"), "is there twice"),
    "run twice": (doubling("run"), "there twice"),
    "no spec": (dropping("spec"), "comes before the files of its flow"),
    "no run": (dropping("run"), "belongs to no run before it"),
    "event first": (to_the_front("event"), "belongs to no run before it"),
    "second header": (doubling("header"), "the header must come first"),
    "task with a path": (renaming("../../evil"), "of no task, item or attempt"),
    "task with a line break": (renaming("first\n"), "of no task, item or attempt"),
    "empty task": (renaming(""), "of no task, item or attempt"),
    "item": (setting("task", item=-2), "of no task, item or attempt"),
    "round": (setting("attempt", round=0), "of no task, item or attempt"),
    "log of no attempt": (setting("log", attempt=99), "belongs to no attempt"),
    "log that is no text": (setting("log", data="%%%"), "cannot be read"),
    "event of another run": (setting("event", run_id="0" * 26), "belongs to no run before it"),
    "parent": (setting("run", parent_run="0" * 26), "must come first, and be part of no other"),
    "unknown record": (lambda records: records.insert(1, {"record": "virus"}), "cannot be read"),
    "event that does not follow": (setting("event", type="task_failed"), "does not make its state"),
    "row that does not follow": (setting("task", state="cancelled"), "does not make its state"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_file_that_contradicts_itself_is_refused(here: Here, exported: Path, tmp_path: Path, name: str) -> None:
    spoil, said = CHANGED[name]
    records = records_of(exported)
    spoil(records)
    write_records(exported, records)
    refused(here, tmp_path, exported, code=1, said=said)


def test_a_run_that_has_not_ended_is_refused(here: Here, exported: Path, tmp_path: Path) -> None:
    records = records_of(exported)
    run = first(records, "run")
    events = [record for record in records if record["record"] == "event" and record["run_id"] == run["id"]]
    records.remove(events[-1])
    run.update(state="running", seq=run["seq"] - 1, ended_at=None, error=None, warnings=0)
    write_records(exported, records)
    refused(here, tmp_path, exported, code=1, said="had not ended when it was exported")


def test_a_file_that_was_cut_is_refused_wherever(here: Here, exported: Path, tmp_path: Path) -> None:
    data = exported.read_bytes()
    for part in (0, 1, 7, 12):
        cut = tmp_path / "cut.jsonl"
        cut.write_bytes(data[: len(data) * part // 13])
        refused(here, tmp_path, cut, code=1, said="cut.jsonl")
    (tmp_path / "cut.jsonl").write_bytes(data[:-1] + b"x")
    refused(here, tmp_path, tmp_path / "cut.jsonl", code=1, said="cut.jsonl")


def test_a_changed_byte_is_noticed(here: Here, exported: Path, tmp_path: Path) -> None:
    exported.write_bytes(exported.read_bytes().replace(b'"note":', b'"nota":').replace(b"unwanted", b"unwonted"))
    refused(here, tmp_path, exported, code=1, said="run.jsonl")


HEADER = json.dumps(
    {
        "record": "header",
        "format": "flowctl-run",
        "version": 1,
        "flowctl": "0.1.0",
        "exported_at": "2026-01-01T00:00:00Z",
        "run": "0" * 26,
        "runs": 1,
    }
).encode()
EVENT = b'{"record":"event","run_id":"%b","seq":1,"at":"2026-01-01T00:00:00Z","type":"x","task":null,"item":null,"data":%%b}'
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "text": b"hello\n",
    "zeros": bytes(4096),
    "deep list": b"[" * 200_000,
    "deep map": b'{"a":' * 200_000,
    "deep value": HEADER + b"\n" + (EVENT % (b"0" * 26)) % (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "long number": HEADER.replace(b'"runs": 1', b'"runs": ' + b"9" * 10_000),
    "nan": HEADER.replace(b'"runs": 1', b'"runs": NaN'),
    "not utf-8": HEADER.replace(b"0.1.0", b"\xff\xfe"),
    "surrogate": HEADER.replace(b"0.1.0", b"\\ud800"),
    "gzip": b"\x1f\x8b\x08" + bytes(100),
    "tar": b"run/\0" + bytes(507) + b"ustar\0",
    "long line": HEADER + b"\n" + b"x" * (archive.LONGEST_LINE + 2),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(here: Here, tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.jsonl"
    path.write_bytes(HOSTILE[name])
    refused(here, tmp_path, path, code=1, said="evil.jsonl")


def test_what_is_no_file_is_wrong_usage(here: Here, tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "nowhere", ".", "/dev/zero"):
        refused(here, tmp_path, Path(name), code=2, said="cannot read")


def test_a_flow_that_cannot_be_compiled_here_is_imported_with_a_warning(
    here: Here, exported: Path, mixed: str, tmp_path: Path
) -> None:
    from engine.compiling.digest import digest_of

    records = records_of(exported)
    for record in records:
        if record["record"] == "spec" and record["flow"] == "hello":
            old, files = record["digest"], {"hello.yaml": "version: 99\n"}
            record.update(files=files, digest=digest_of(files))
    new = digest_of({"hello.yaml": "version: 99\n"})
    text = "\n".join(json.dumps(record) for record in records).replace(old, new)
    write_records(exported, [json.loads(line) for line in text.splitlines()])
    done = here("import", str(exported), "--json", env=there(tmp_path))
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["unproven"]) == 1
    assert "cannot be compiled here" in done.stderr
    assert here("show", mixed, env=there(tmp_path)).returncode == 0


# --- the page -----------------------------------------------------------------------------------------------------------


def test_the_page_names_the_fields_of_every_record(here: Here, exported: Path) -> None:
    page = (DOCS / "reference/archive.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (`.*?`) \|", page, flags=re.MULTILINE))
    documented = {name: re.findall(r"`(\w+)`", fields) for name, fields in rows.items()}
    printed = {record["record"]: [key for key in record if key != "record"] for record in records_of(exported)}
    assert documented == printed
