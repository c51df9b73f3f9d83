"""Flows whose scripts are none, or read and write what is not declared (410, 7xx)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject


def expression_in_a_script(subject: Subject) -> Iterator[Mutant]:
    yield from _script_line(subject, "echo «${{ run.id }}»")


def broken_shell(subject: Subject) -> Iterator[Mutant]:
    yield from _script_line(subject, "«fi»")


def word_that_is_split(subject: Subject) -> Iterator[Mutant]:
    yield from _script_line(subject, "rm -- «$FLOW_RUN_DIR»")


def broken_python(subject: Subject) -> Iterator[Mutant]:
    yield from _python(subject, "«e»lse: pass")
    yield from subject.with_tasks('extra: {shell: python, run: "x = «(»1"}')


def unused_import(subject: Subject) -> Iterator[Mutant]:
    yield from _python(subject, "import «zlib»")
    yield from subject.with_tasks('extra: {shell: python, run: "import «zlib»"}')


def variable_never_set(subject: Subject) -> Iterator[Mutant]:
    yield from _script_line(subject, 'echo "«$NOWHERE_SET»"')


def output_not_declared(subject: Subject) -> Iterator[Mutant]:
    yield from _script_line(subject, 'echo "«nonsense»=1" >> "$FLOW_OUTPUT"')


def output_never_written(subject: Subject) -> Iterator[Mutant]:
    if "outputs" not in subject.document.data.get("defaults", {}):
        yield from subject.with_tasks("extra: {run: wc -l data.csv, outputs: {«rows»: {type: int}}}")
        for task, written in subject.tasks.items():
            if "outputs" not in written and "extends" not in written and _writes_nothing(written):
                yield from subject.with_entry(("tasks", task), "outputs: {«rows»: {type: int}}")


def _writes_nothing(written: dict[str, Any]) -> bool:
    """Whether the script of a task is one plain command that is known to leave the file of outputs alone."""
    script = str(written.get("run", ""))
    is_plain = "shell" not in written and not set(script) & set("|&;`(\n")
    return is_plain and script.partition(" ")[0] in ("echo", "mkdir", "rm", "cp", "find")


def _script_line(subject: Subject, line: str) -> Iterator[Mutant]:
    """A further first line of each shell script that has lines."""
    yield from _first_line(subject, line, ("sh", "bash"))


def _python(subject: Subject, line: str) -> Iterator[Mutant]:
    yield from _first_line(subject, line, ("python",))


def _first_line(subject: Subject, line: str, shells: tuple[str, ...]) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        start = subject.document.scalar_offset(("tasks", task, "run"), 0) if "run" in written else None
        if start is not None and "\n" in written["run"] and written.get("shell", "sh") in shells:
            indent = start - subject.text.rfind("\n", 0, start) - 1
            yield subject.edited(start, start, line + "\n" + " " * indent)


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW410", expression_in_a_script),
    ("FLOW701", broken_shell),
    ("FLOW702", word_that_is_split),
    ("FLOW703", broken_python),
    ("FLOW704", unused_import),
    ("FLOW705", variable_never_set),
    ("FLOW706", output_never_written),
    ("FLOW707", output_not_declared),
)
