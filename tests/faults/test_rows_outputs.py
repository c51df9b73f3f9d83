"""What tasks print, however much and whatever it is: kept byte by byte, or masked, without engine or spawner growing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.faults.looking import gated, growth_at, rig_in
from tests.faults.rig import PATIENCE_S, Rig

pytestmark = pytest.mark.slow

MOST_GROWTH_KIB = 64 * 1024
LINE_BYTES = 100_000_000
LINES = 600_000
"""As many as a task writes in a minute at 10,000 a second."""

LOUD = """
version: 1
name: loud
secrets: {TOKEN: {from: "env:TOKEN"}}
env: %(gate)s
tasks:
  before: {run: 'echo here > $SAID; read line < $GO'}
  line: {after: [before], run: "head -c %(bytes)s /dev/zero | tr '\\\\0' x"}
  masked_line: {after: [before], env: {T: "${{ secrets.TOKEN }}"}, run: "head -c %(bytes)s /dev/zero | tr '\\\\0' x; echo $T"}
  lines: {after: [before], run: "yes a line of a log that is neither long nor short | head -n %(lines)s"}
  masked_lines:
    after: [before]
    env: {T: "${{ secrets.TOKEN }}"}
    run: yes "a line of a log that has a secret in it, $T" | head -n %(lines)s
  kept:
    after: [before]
    allow_failure: true
    run: "head -c %(bytes)s /dev/zero | tr '\\\\0' x"
    outputs: {said: {type: string, from: stdout}}
  called: {after: [before], call: "loud:shout", with: {bytes: %(bytes)s}}
  exit_code: {after: [before], run: "head -c 1000000 /dev/urandom; exit 3", success_codes: [3]}
  last: {after: [line, masked_line, lines, masked_lines, kept, called, exit_code], run: 'echo here > $SAID; read line < $GO'}
"""

CALLED = """
def shout(bytes):
    for _ in range(bytes // 1_000_000):
        print("x" * 1_000_000, end="")
"""

READERS = ("logs latest", "logs latest --json", "logs latest lines --tail 100", "show latest", "events latest")
READER_BYTES = 96 << 20

BYTES = {
    "binary": bytes(range(256)) * 4,
    "invalid": b"fine \xff\xfe\xc3( \xed\xa0\x80\n",
    "zero": b"a\0b\0\n\0",
    "returns": b"10%\r50%\r100%\rdone\r",
    "no_end": b"no line break at the end",
    "separators": "a\u2028b\u2029c\u0085d\x1b]0;title\x07\x1b[2J\n".encode(),
}


def log_of(rig: Rig, task: str) -> Path:
    """The file a task's only attempt has written."""
    (run,) = rig.acknowledged()
    return rig.home / "data" / "flowctl.runs" / run / "attempts" / f"{task}.1.1.log"


def test_loud_tasks_make_neither_engine_nor_spawner_grow(tmp_path: Path) -> None:
    """G10: one line of 100 MB and 600,000 lines, as they are, masked, kept as an output, out of a callable, all at once."""
    (tmp_path / "loud.py").write_text(CALLED)
    (tmp_path / "flowctl.yaml").touch()
    with rig_in(tmp_path, TOKEN="correct-horse-battery") as rig, gated(tmp_path) as gate:
        flow = tmp_path / "loud.yaml"
        flow.write_text(LOUD % {"gate": gate.environ, "bytes": LINE_BYTES, "lines": LINES})
        engine = rig.start("run", str(flow), "--json")
        growth = growth_at(gate, engine)
        assert engine.wait(PATIENCE_S) == 0, rig.told()
        assert max(growth) < MOST_GROWTH_KIB
        assert log_of(rig, "line").stat().st_size == LINE_BYTES
        assert log_of(rig, "called").stat().st_size == LINE_BYTES
        assert log_of(rig, "kept").stat().st_size == LINE_BYTES
        assert rig.rows("SELECT state FROM tasks WHERE task = 'kept'") == [("failed",)]
        assert log_of(rig, "masked_line").stat().st_size == LINE_BYTES + len("***\n")
        plain = b"a line of a log that is neither long nor short\n" * LINES
        assert hashlib.sha256(log_of(rig, "lines").read_bytes()).digest() == hashlib.sha256(plain).digest()
        masked = b"a line of a log that has a secret in it, ***\n" * LINES
        assert hashlib.sha256(log_of(rig, "masked_lines").read_bytes()).digest() == hashlib.sha256(masked).digest()
        assert rig.rows("SELECT exit_code FROM attempts WHERE task = 'exit_code'") == [(3,)]
        for arguments in READERS:
            limit = ["prlimit", f"--data={READER_BYTES}"]
            assert rig.start(*arguments.split(), before=limit).wait(PATIENCE_S) == 0, (arguments, rig.told())


def test_bytes_of_any_kind_are_kept_and_json_stays_json(tmp_path: Path) -> None:
    """The last line of a task that fails is part of a message: that is where bytes could break what is printed."""
    with rig_in(tmp_path) as rig:
        lines = ["version: 1", "name: bytes", "tasks:"]
        for name, content in BYTES.items():
            (tmp_path / name).write_bytes(content)
            lines.append(f'  {name}: {{run: "cat {tmp_path / name}; exit 7"}}')
        flow = tmp_path / "bytes.yaml"
        flow.write_text("\n".join(lines) + "\n")
        engine = rig.start("run", str(flow), "--json")
        assert engine.wait(PATIENCE_S) == 1, rig.told()
        for name, content in BYTES.items():
            assert log_of(rig, name).read_bytes() == content
        for arguments in (["logs", "latest", "--json"], ["events", "latest", "--json"], ["show", "latest", "--json"]):
            assert rig.start(*arguments).wait(PATIENCE_S) == 0, rig.told()
        for said in sorted((tmp_path / "said").glob("*.out")):
            text = said.read_bytes()
            assert b"\x1b" not in text
            objects = [text] if said.name == "4.out" else text.removesuffix(b"\n").split(b"\n")
            assert all(isinstance(json.loads(one), dict) for one in objects), said
        rig.judge()
