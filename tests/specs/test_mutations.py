"""Every flow of the examples and of the corpus, broken in each way a rule knows: exactly that finding, at exactly that place.

A mutation is an edit at a place that the document knows, of the flow or of what is beside it. No other code may come up as an
error, for one mistake has one message. Of the many ways in which one mutation can break one flow, two are tried, chosen by
the flow's name; a flow in which the code is found as it is, as far as that is no error, is left alone.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Mapping

import pytest

from specs.codes import CODES
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
from tests.specs.mutating.checking import PATH, findings
from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject, subjects

FAMILIES = (
    text, structure, graph, waiting, arms, calls, fan_outs, expressions, reads, values, outside, times, style, scripts,
    neighbours,
)  # fmt: skip
MUTATORS = tuple(each for family in FAMILIES for each in family.MUTATORS)
MOST_OF_A_FLOW = 2

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

COMES_WITH: Mapping[str, set[str]] = {"FLOW902": {"FLOW110"}, "FLOW906": {"FLOW202"}}
"""Codes that are about an error, and the one that their mutators make."""


def chosen(subject: Subject, mutate: Mutator) -> list[Mutant]:
    """Some of what the mutation makes of a flow: always the same ones, others for other flows."""
    every = list(mutate(subject))
    first = zlib.crc32(subject.name.encode()) % (len(every) or 1)
    return [*every[first:], *every[:first]][:MOST_OF_A_FLOW]


def amiss(subject: Subject, mutant: Mutant, code: str) -> list[str]:
    """What is not as it should be: the finding is not there, stands elsewhere, or does not come alone."""
    found = findings(mutant, subject.folder, code)
    hits = [(one.name, one.start, one.end) for one in found if one.code == code]
    others = {one.code for one in found if one.is_error and one.code != code} - COMES_WITH.get(code, set())
    line = mutant.text.count("\n", 0, mutant.start) + 1
    where = f"{mutant.name}:{line}: `{mutant.marked}`"
    problems = [f"{where} also gives {other}" for other in sorted(others)]
    if hits != [(mutant.name, mutant.start, mutant.end)]:
        shown = [mutant.texts[name][start:end] if name in mutant.texts else name for name, start, end in hits]
        problems.append(f"{where} is marked at {shown}")
    return problems


@pytest.mark.parametrize(("code", "mutate"), MUTATORS, ids=[f"{code}-{mutate.__name__}" for code, mutate in MUTATORS])
def test_a_broken_flow_has_one_finding_at_the_break(code: str, mutate: Mutator) -> None:
    if code in NEEDS and shutil.which(NEEDS[code], path=PATH) is None:
        pytest.skip(f"{NEEDS[code]} is not installed")
    fitting = [subject for subject in subjects() if code not in subject.codes]
    mutants = [(subject, mutant) for subject in fitting for mutant in chosen(subject, mutate)]
    assert mutants
    assert [problem for subject, mutant in mutants for problem in amiss(subject, mutant, code)] == []


def test_every_code_has_a_mutator_or_a_reason_to_have_none() -> None:
    mutated = {code for code, _ in MUTATORS}
    assert mutated | set(NO_MUTATOR) == set(CODES)
    assert mutated & set(NO_MUTATOR) == set()
