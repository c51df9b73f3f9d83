"""Files that are no YAML, or YAML that says more than a flow can: tags, anchors, depths, libraries, silences (1xx, 90x)."""

from __future__ import annotations

from collections.abc import Iterator

from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject


def colon_in_plain_text(subject: Subject) -> Iterator[Mutant]:
    yield subject.replaced(("description",), "one«:» two")


def indented_by_a_tab(subject: Subject) -> Iterator[Mutant]:
    """The first task."""
    key = subject.document.place(("tasks", next(iter(subject.tasks))), key=True)
    start = subject.text.rfind("\n", 0, key.start) + 1
    if start < key.start:
        yield subject.edited(start, key.start, "«\t»")


def second_document(subject: Subject) -> Iterator[Mutant]:
    yield subject.edited(len(subject.text), len(subject.text), "«---»\nversion: 1\n")


def merge_key(subject: Subject) -> Iterator[Mutant]:
    for task in subject.tasks:
        yield from subject.with_entry(("tasks", task), "«<<»: {timeout: 5m}")


def tag(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "run" in written and "\n" not in written["run"]:
            yield subject.replaced(("tasks", task, "run"), "«!include» build.sh")
    yield subject.replaced(("version",), '«!!int» "1"')


def list_for_a_key(subject: Subject) -> Iterator[Mutant]:
    for task in subject.tasks:
        yield from subject.with_entry(("tasks", task, "env"), "«[A, B]»: x")


def unknown_alias(subject: Subject) -> Iterator[Mutant]:
    yield subject.replaced(("description",), "«*nowhere»")


def alias_of_itself(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_entry((), "x-loop: &loop {a: «*loop»}")


def too_deep(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_entry((), f"x-deep: {'[' * 39}«[»{']' * 40}")


def control_character(subject: Subject) -> Iterator[Mutant]:
    yield subject.edited(len(subject.text), len(subject.text), "# a bell: «\x07»\n")
    yield subject.replaced(("description",), '"«\x1b»[2J"')


def unused_anchor(subject: Subject) -> Iterator[Mutant]:
    for task in subject.tasks:
        place = subject.document.place(("tasks", task))
        if subject.text[place.start] == "{":
            yield subject.edited(place.start, place.start, "«&base» ")
    place = subject.document.place(("description",))
    yield subject.edited(place.start, place.start, "«&base» ")


# --- values -----------------------------------------------------------------------------------------------------------


def other_reading(subject: Subject) -> Iterator[Mutant]:
    for reading in ("yes", "0755", "12:30", "1_000"):
        for task, written in subject.tasks.items():
            if "MODE" not in written.get("env", {}):
                yield from subject.with_entry(("tasks", task, "env"), f"MODE: «{reading}»")


def empty_section(subject: Subject) -> Iterator[Mutant]:
    for key in ("env", "labels", "triggers", "secrets", "host_env", "hooks"):
        if key not in subject.document.data:
            yield from subject.with_entry((), f"«{key}»:")


def empty_value_of_a_task(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "queue_timeout" not in written:
            yield from subject.with_entry(("tasks", task), "«queue_timeout»: ")


def not_the_form(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_section("secrets", "EXTRA: {from: «nowhere»}")
    for task, written in subject.tasks.items():
        if isinstance(written.get("retry"), dict) and "jitter" not in written["retry"]:
            yield from subject.with_entry(("tasks", task, "retry"), "jitter: «lots»")
        if "call" in written:
            yield subject.replaced(("tasks", task, "call"), "«no_function»")


# --- libraries --------------------------------------------------------------------------------------------------------


def missing_library(subject: Subject) -> Iterator[Mutant]:
    if "include" not in subject.document.data:
        yield from subject.with_entry((), "include: [«nowhere.yaml»]")


def library_without_a_version(subject: Subject) -> Iterator[Mutant]:
    yield from _including(subject, "templates:\n  extra: {timeout: 5m}\n", "«{}»")


def library_that_includes_itself(subject: Subject) -> Iterator[Mutant]:
    yield from _including(subject, "version: 1\ninclude: [«library.yaml»]\ntemplates:\n  extra: {timeout: 5m}\n", "{}")


def library_with_an_unknown_key(subject: Subject) -> Iterator[Mutant]:
    yield from _including(subject, "version: 1\ntemplates:\n  extra: {«timout»: 5m}\n", "{}")


def _including(subject: Subject, library: str, name: str) -> Iterator[Mutant]:
    """With a library beside the flow, included as `name` says (`{}` is its file)."""
    if "include" not in subject.document.data:
        folder = subject.name.rpartition("/")[0]
        path = f"{folder}/library.yaml" if folder else "library.yaml"
        entry = subject.entries((), f"include: [{name.format('library.yaml')}]")
        yield from subject.changed(entry, beside={path: library})


# --- silences ---------------------------------------------------------------------------------------------------------


def needless_silence(subject: Subject) -> Iterator[Mutant]:
    yield from _remarked(subject, "# flow: ignore[«FLOW226»]")


def silence_of_no_code(subject: Subject) -> Iterator[Mutant]:
    yield from _remarked(subject, "# flow: ignore[«FLOW0226»]")


def silence_without_a_code(subject: Subject) -> Iterator[Mutant]:
    yield from _remarked(subject, "«# flow: ignore»")


def silence_of_an_error(subject: Subject) -> Iterator[Mutant]:
    yield from _remarked(subject, "# flow: ignore[«FLOW202»] -- it is meant", "extra: {after: [extra], run: make}")


def checks_that_are_left_out(subject: Subject) -> Iterator[Mutant]:
    """Told at the beginning of a file that the rules cannot look at."""
    start = subject.document.place((), key=True)
    yield from subject.with_entry((), "colour: red", type(start)(start.source, 0, 0))


def _remarked(subject: Subject, remark: str, line: str = "") -> Iterator[Mutant]:
    """A comment, and where it is given a line of its own, above each task that has lines of its own."""
    for task in subject.tasks:
        start = subject.document.place(("tasks", task), key=True).start
        indent = start - subject.text.rfind("\n", 0, start) - 1
        if not subject.text[start - indent : start].strip():
            lines = [remark, line] if line else [remark]
            yield subject.edited(start, start, "".join(f"{each}\n{' ' * indent}" for each in lines))


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW101", colon_in_plain_text),
    ("FLOW101", indented_by_a_tab),
    ("FLOW102", second_document),
    ("FLOW104", merge_key),
    ("FLOW105", tag),
    ("FLOW106", list_for_a_key),
    ("FLOW107", alias_of_itself),
    ("FLOW107", unknown_alias),
    ("FLOW108", too_deep),
    ("FLOW109", control_character),
    ("FLOW110", library_with_an_unknown_key),
    ("FLOW120", not_the_form),
    ("FLOW122", other_reading),
    ("FLOW123", empty_section),
    ("FLOW123", empty_value_of_a_task),
    ("FLOW125", library_that_includes_itself),
    ("FLOW125", library_without_a_version),
    ("FLOW125", missing_library),
    ("FLOW126", unused_anchor),
    ("FLOW902", checks_that_are_left_out),
    ("FLOW903", needless_silence),
    ("FLOW904", silence_of_no_code),
    ("FLOW905", silence_without_a_code),
    ("FLOW906", silence_of_an_error),
)
