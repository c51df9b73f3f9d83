"""Which patterns are accepted: those that leave a backtracking matcher no choice."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.patterns import pattern_problem

ACCEPTED = [
    "", "^$", "abc", "^[A-Za-z0-9._/-]{1,200}$", "^[0-9a-f]{40}$", "^OPS-[0-9]+$", "^[a-z0-9-]+$", "^[a-z0-9.-]+$",
    r"v\d+\.\d+(?:\.\d+)?", "[a-z]+(-[a-z]+)*", "(?:ab|cd)*", "[^@]+@[^@]+", ".*", "(a{3}){2}", r"\d{4}-\d{2}-\d{2}",
    "(?i)prod|staging", "a?b", "rate limit", r"\w+\s\w+", "x*?y", r"[^\d]+\d", "(?i:K)elvin", r"[^\s]+\s\S+", r"é+\d", r"\W+é",
]  # fmt: skip
REFUSED = [
    "(a+)+$", "(a*)*", "(a|a)*", "(a|ab)(c|bcd)", "a*a*", ".*.*", ".*x", "(x+x+)+y", "([a-z]{2,3})*", "(a?)*", "(|a)+",
    r"(.)\1", "(?=a)b", "(?!a)b", "(?<=a)b", "(?P<x>a)(?(x)b|c)", r"\w+[a-z]", r"\d*\w", r"[^a]*[^b]", "(?i)a*A",
    "(?>a+)b", "a*+b", r"[^é]+é", r"\w+é", "a{2,5}a",
]  # fmt: skip


@pytest.mark.parametrize("pattern", ACCEPTED)
def test_a_pattern_without_choices_is_accepted(pattern: str) -> None:
    assert pattern_problem(pattern) is None


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_pattern_with_choices_needs_backtracking(pattern: str) -> None:
    assert (pattern_problem(pattern) or "").startswith("needs backtracking")


@pytest.mark.parametrize(
    "pattern", ["(", "[", "a**", "(?P<1>a)", "\\", "a{99999999999}", "(?z)", "a(?i)b", "[z-a]", "(?a)x", "(?a:x)"]
)
def test_an_invalid_pattern_is_told_why(pattern: str) -> None:
    assert (pattern_problem(pattern) or "").startswith("is invalid: ")


@pytest.mark.parametrize("pattern", ["(" * 100_000, "(" * 900, "a" * 1001, "(" * 400 + ")" * 400])
def test_a_huge_pattern_is_refused_before_it_is_read(pattern: str) -> None:
    assert pattern_problem(pattern) is not None


@given(st.text("ab(|)*+?[]^-.\\d{2,}", max_size=20))
def test_any_pattern_has_an_answer_and_what_is_accepted_can_be_used(pattern: str) -> None:
    problem = pattern_problem(pattern)
    if problem is None:
        re.compile(pattern).fullmatch("ab" * 5000 + "!")  # would not end in a lifetime if it had to backtrack
    else:
        assert problem.startswith(("needs backtracking", "is invalid", "is nested deeper"))
