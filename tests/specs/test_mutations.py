"""Every flow of the examples and of the corpus, broken in each way a rule knows: exactly that finding, at exactly that place.

A mutation is an edit at a place that the document knows. No other code may come up as an error, for one mistake has one
message. Of the many ways in which one mutation can break one flow, two are tried, chosen by the flow's name.
"""

from __future__ import annotations

import zlib

import pytest

from specs.diagnostics import Severity
from tests.specs.mutating import expressions, graph, structure, values
from tests.specs.mutating.subject import Mutant, Mutator, Subject, subjects

MUTATORS = (*structure.MUTATORS, *graph.MUTATORS, *expressions.MUTATORS, *values.MUTATORS)
MOST_OF_A_FLOW = 2


def chosen(subject: Subject, mutate: Mutator) -> list[Mutant]:
    """Some of what the mutation makes of a flow: always the same ones, others for other flows."""
    every = list(mutate(subject))
    first = zlib.crc32(subject.name.encode()) % (len(every) or 1)
    return [*every[first:], *every[:first]][:MOST_OF_A_FLOW]


def amiss(subject: Subject, mutant: Mutant, code: str) -> list[str]:
    """What is not as it should be: the finding is not there, stands elsewhere, or does not come alone."""
    found = subject.check(mutant.text).diagnostics
    hits = [(one.place.start, one.place.end) for one in found if one.code == code]
    others = sorted({one.code for one in found if one.severity is Severity.ERROR and one.code != code})
    line = mutant.text.count("\n", 0, mutant.start) + 1
    where = f"{subject.name}:{line}: `{mutant.marked}`"
    problems = [f"{where} also gives {other}" for other in others]
    if hits != [(mutant.start, mutant.end)]:
        shown = [mutant.text[start:end] for start, end in hits]
        problems.append(f"{where} is marked at {shown}")
    return problems


@pytest.mark.parametrize(("code", "mutate"), MUTATORS, ids=[f"{code}-{mutate.__name__}" for code, mutate in MUTATORS])
def test_a_broken_flow_has_one_finding_at_the_break(code: str, mutate: Mutator) -> None:
    mutants = [(subject, mutant) for subject in subjects() for mutant in chosen(subject, mutate)]
    assert mutants
    assert [problem for subject, mutant in mutants for problem in amiss(subject, mutant, code)] == []
