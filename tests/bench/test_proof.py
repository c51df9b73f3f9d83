"""A contender that does not do the work is found out before it is timed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.compare import Comparison, Options, Status, compare
from bench.contender import Case, Command, Contender, Kind
from bench.graphs import Graph, chain
from bench.proof import NotProven, prove
from bench.shapes import Shape, Work

SHAPE = Shape("chain", "a chain", Work.RUN, chain, 4, 4)
CHECK = Shape("check", "a check", Work.VALIDATE, chain, 4, 4)


def scripted(lines: Callable[[Case], list[str]], *, says: int | None = None, work: Work = Work.RUN) -> Contender:
    """A contender that is a shell script."""

    def prepare(case: Case) -> Command:
        return Command(("sh", "-eu", str(case.write("script.sh", "\n".join(lines(case)) + "\n"))))

    return Contender("scripted", Kind.PEER, lambda: "1", {work: prepare}, lambda _case, _output: says)


def tasks_of(case: Case, graph: Graph) -> list[str]:
    return [f"{case.program} {case.mark(task.name)}" for task in graph]


def test_one_that_does_everything_in_order_passes(tmp_path: Path) -> None:
    prove(scripted(lambda case: tasks_of(case, case.graph), says=4), SHAPE, tmp_path)


def test_one_that_leaves_a_task_out_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(NotProven, match="1 tasks were not done"):
        prove(scripted(lambda case: tasks_of(case, case.graph[:-1])), SHAPE, tmp_path)


def test_one_that_does_not_keep_the_order_is_found_out(tmp_path: Path) -> None:
    def backwards(case: Case) -> list[str]:
        stamp = [f"touch -d @{10 - number} {case.mark(task.name)}" for number, task in enumerate(case.graph)]
        return [*tasks_of(case, case.graph), *stamp]

    with pytest.raises(NotProven, match="before what it waits for"):
        prove(scripted(backwards), SHAPE, tmp_path)


def test_one_that_says_another_number_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(NotProven, match="did 3 tasks of 4"):
        prove(scripted(lambda case: tasks_of(case, case.graph), says=3), SHAPE, tmp_path)


def test_one_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(NotProven, match="ended with 7: no such luck"):
        prove(scripted(lambda _case: ["echo no such luck", "exit 7"]), SHAPE, tmp_path)


def test_one_that_cannot_be_started_is_found_out(tmp_path: Path) -> None:
    missing = Contender("missing", Kind.PEER, lambda: "1", {Work.RUN: lambda _case: Command(("/no/such/program",))})
    with pytest.raises(NotProven, match="ended with 127"):
        prove(missing, SHAPE, tmp_path)


def test_a_checker_that_finds_no_mistake_is_found_out(tmp_path: Path) -> None:
    prove(scripted(lambda case: [f"exit {int(case.broken)}"], work=Work.VALIDATE), CHECK, tmp_path)
    with pytest.raises(NotProven, match="not found"):
        prove(scripted(lambda _case: ["exit 0"], work=Work.VALIDATE), CHECK, tmp_path)


def compared(contender: Contender, folder: Path, limit_s: float) -> Comparison:
    options = Options(rounds=2, limit_s=limit_s)
    (comparison,) = compare([SHAPE], [contender], options, folder, tell=lambda _text: None)
    return comparison


def test_one_that_is_found_out_is_not_timed(tmp_path: Path) -> None:
    (result,) = compared(scripted(lambda _case: []), tmp_path, 60).results
    assert (result.status, result.samples) == (Status.FAILED, [])


def test_every_round_is_kept(tmp_path: Path) -> None:
    (result,) = compared(scripted(lambda case: tasks_of(case, case.graph)), tmp_path, 60).results
    assert result.status is Status.MEASURED
    assert [sample.exit_code for sample in result.samples] == [0, 0]


def test_one_over_the_limit_is_ended_with_all_it_has_started(tmp_path: Path) -> None:
    def slow(case: Case) -> list[str]:
        proving = case.program.endswith("touch")
        return tasks_of(case, case.graph) if proving else ["setsid sleep 1000 &", f"echo $! > {tmp_path}/pid", "wait"]

    (result,) = compared(scripted(slow), tmp_path, 0.3).results
    assert (result.status, result.samples) == (Status.OVER_LIMIT, [])
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/exe").exists()
