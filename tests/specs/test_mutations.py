"""Every flow of the examples and of the corpus, broken in each way a rule knows: exactly that finding, at exactly that place.

A mutation is an edit at a place that the document knows, of the flow or of what is beside it. No other code may come up as an
error, for one mistake has one message, and what has a fix is mended by it. A flow in which the code is found as it is, as far
as that is no error, is left alone. Where there is time, a dozen of the ways in which one mutation can break one flow are tried;
otherwise one, chosen by the flow's name, in some of the flows.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Mapping, Sequence

import pytest

from specs.codes import CODES, OF_PROJECTS
from tests.specs.mutating import (
    arms,
    calls,
    expressions,
    fan_outs,
    graph,
    neighbours,
    outside,
    reads,
    scripts,
    structure,
    style,
    text,
    times,
    values,
    waiting,
)
from tests.specs.mutating.checking import PATH, Found, check, findings
from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject, subjects
from tests.specs.projects import applied

FAMILIES = (
    text, structure, graph, waiting, arms, calls, fan_outs, expressions, reads, values, outside, times, style, scripts,
    neighbours,
)  # fmt: skip
MUTATORS = tuple(each for family in FAMILIES for each in family.MUTATORS)

MOST_AT_FIRST = 36
"""Mutants of one mutator that are looked at where time is short."""

NO_MUTATOR = {
    "FLOW130": "version 1 of the language has no deprecated keys",
    "FLOW131": "there is no file to break",
    "FLOW190": "a table of what is not honoured yet, which `test_honoured` goes through until it is empty",
    "FLOW225": "only a server knows its workers",
    "FLOW901": "a defect of a check, which `test_check` makes on purpose",
}
"""Codes that no edit of a flow brings about, and why."""

NEEDS = {"FLOW702": "shellcheck", "FLOW704": "ruff"}
"""Codes that a program finds which may not be installed."""

MENDED_IN_PART = {
    "FLOW117": "an id that was changed in one place is renamed, and the other places still have the old one",
    "FLOW222": "another connector may be nearer than the one there was, and take other fields",
}
"""Codes whose fix cannot know what was there before."""

COMES_WITH: Mapping[str, set[str]] = {"FLOW902": {"FLOW110"}, "FLOW906": {"FLOW202"}}
"""Codes that are about an error, and the one that their mutators make."""


def chosen(subject: Subject, mutate: Mutator, most: int) -> list[Mutant]:
    """Some of what the mutation makes of a flow: always the same ones, others for other flows."""
    every = list(mutate(subject))
    first = zlib.crc32(subject.name.encode()) % (len(every) or 1)
    return [*every[first:], *every[:first]][:most]


def spread(mutants: Sequence[tuple[Subject, Mutant]], most: int, code: str) -> Sequence[tuple[Subject, Mutant]]:
    """No more than `most` of the mutants, from all over the flows, others for other codes."""
    step = -(-len(mutants) // most)
    return mutants[zlib.crc32(code.encode()) % step :: step]


def amiss(subject: Subject, mutant: Mutant, code: str) -> list[str]:
    """What is not as it should be: the finding is not there, stands elsewhere, does not come alone, or is not mended."""
    found = findings(mutant, subject.folder, code)
    hits = [one for one in found if one.code == code]
    others = {one.code for one in found if one.is_error and one.code != code} - COMES_WITH.get(code, set())
    line = mutant.text.count("\n", 0, mutant.start) + 1
    where = f"{mutant.name}:{line}: `{mutant.marked}`"
    problems = [f"{where} also gives {other}" for other in sorted(others)]
    if [(one.name, one.start, one.end) for one in hits] != [(mutant.name, mutant.start, mutant.end)]:
        shown = [mutant.texts[one.name][one.start : one.end] if one.name in mutant.texts else one.name for one in hits]
        problems.append(f"{where} is marked at {shown}")
    problems += [f"{where}: {left}" for one in hits[:1] for left in left_by_fix(subject, mutant, one)]
    return problems


def left_by_fix(subject: Subject, mutant: Mutant, found: Found) -> list[str]:
    """The code where its fix does not take the finding away, and the errors there are then."""
    if found.fix is None or found.name != mutant.main or found.code in OF_PROJECTS:
        return []
    texts = {**mutant.texts, mutant.main: applied(mutant.texts[mutant.main], found.fix)}
    after = check(mutant.main, texts, subject.folder).diagnostics
    is_known = found.code in MENDED_IN_PART
    left = sorted({one.code for one in after if one.code == found.code or (one.severity == "error" and not is_known)})
    return [f"{found.fix.title!r} leaves {code}" for code in left]


@pytest.mark.parametrize(("code", "mutate"), MUTATORS, ids=[f"{code}-{mutate.__name__}" for code, mutate in MUTATORS])
@pytest.mark.parametrize(
    ("most_of_a_flow", "most"), [(1, MOST_AT_FIRST), pytest.param(12, 10_000, marks=pytest.mark.slow)]
)
def test_a_broken_flow_has_one_finding_at_the_break(code: str, mutate: Mutator, most_of_a_flow: int, most: int) -> None:
    if code in NEEDS and shutil.which(NEEDS[code], path=PATH) is None:
        pytest.skip(f"{NEEDS[code]} is not installed")
    fitting = [subject for subject in subjects() if code not in subject.codes]
    mutants = [(subject, mutant) for subject in fitting for mutant in chosen(subject, mutate, most_of_a_flow)]
    assert mutants
    assert [
        problem for subject, mutant in spread(mutants, most, code) for problem in amiss(subject, mutant, code)
    ] == []


def test_every_code_has_a_mutator_or_a_reason_to_have_none() -> None:
    mutated = {code for code, _ in MUTATORS}
    assert mutated | set(NO_MUTATOR) == set(CODES)
    assert mutated & set(NO_MUTATOR) == set()
