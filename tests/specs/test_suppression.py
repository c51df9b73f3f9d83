"""Silences: what they answer, what they may not answer, and what is said of those that are wrong or needless."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.check import check_text
from specs.diagnostics import Diagnostic, Severity
from specs.policy import AS_WRITTEN, Policy
from tests.specs.projects import applied

TOKEN = '"ghp_0123456789abcdefghijABCDEFGHIJ012345"'


def check(text: str, policy: Policy = AS_WRITTEN) -> tuple[Diagnostic, ...]:
    return check_text(text.encode(), "flow.yaml", None, policy=policy).diagnostics


def codes(text: str, policy: Policy = AS_WRITTEN) -> list[str]:
    return [one.code for one in check(text, policy)]


def flow(line: str, *, above: str = "") -> str:
    """A flow whose line `env:` has FLOW123."""
    return f"version: 1\n{above}{line}\ntasks:\n  a: {{run: make}}\n"


def marked(found: Diagnostic) -> str:
    return found.place.source.text[found.place.start : found.place.end]


@pytest.mark.parametrize(
    "text",
    [
        flow("env:  # flow: ignore[FLOW123]"),
        flow("env: # flow: ignore[FLOW230,FLOW123 FLOW124]"),
        flow("env:", above="# flow: ignore[FLOW123]\n"),
        flow("env:", above="# flow: ignore[FLOW123]\n# why that is\n"),
        flow("env:", above="# it is meant  # flow: ignore[FLOW123] -- it is meant\n"),
        flow("env:\t#flow:ignore[FLOW123]"),
        flow("env:  # flow: ignore[FLOW122] # flow: ignore[FLOW123]"),
    ],
)
def test_a_silence_answers_the_line_it_is_on_or_above(text: str) -> None:
    assert "FLOW123" not in codes(text)


@pytest.mark.parametrize(
    "text",
    [
        flow("env:", above="# flow: ignore[FLOW123]\nname: x\n"),
        flow("env:", above="name: x  # flow: ignore[FLOW123]\n"),
        flow("env:  # flow: ignore[FLOW122]"),
        flow("env:  # flow: ignored[FLOW123]"),
        flow("env:  # flow: ignore[flow123]"),
    ],
)
def test_a_silence_of_another_line_or_code_answers_nothing(text: str) -> None:
    assert "FLOW123" in codes(text)


def test_an_error_is_no_matter_for_a_silence_even_with_a_reason() -> None:
    text = "version: 1\ntasks:\n  a: {run: make, timout: 5m}  # flow: ignore[FLOW110] -- later\n"
    found = check(text)
    assert [one.code for one in found if one.code in ("FLOW110", "FLOW906")] == ["FLOW110", "FLOW906"]
    (remark,) = (one for one in found if one.code == "FLOW906")
    assert (marked(remark), remark.message) == ("FLOW110", "FLOW110 is an error that no silence answers")


def test_a_judgement_is_silenced_with_a_reason_only() -> None:
    bare = flow(f"env: {{K: {TOKEN}}}  # flow: ignore[FLOW414]")
    assert {"FLOW414", "FLOW906"} <= set(codes(bare))
    (remark,) = (one for one in check(bare) if one.code == "FLOW906")
    assert remark.help == "write `# flow: ignore[FLOW414] -- REASON`"
    reasoned = bare.replace("[FLOW414]", "[FLOW414] -- a token of the handbook")
    assert codes(reasoned) == []
    assert {"FLOW414", "FLOW906"} <= set(codes(bare.replace("[FLOW414]", "[FLOW414] -- ")))


def test_a_warning_that_the_project_has_raised_needs_a_reason_as_well() -> None:
    strict = Policy({"FLOW123": Severity.ERROR})
    text = flow("env:  # flow: ignore[FLOW123]")
    assert set(codes(text, strict)) == {"FLOW123", "FLOW906"}
    assert codes(text.replace("]", "] -- filled in by the build"), strict) == []


def test_a_silence_that_silences_nothing_is_found_and_removed() -> None:
    text = flow("name: x  # flow: ignore[FLOW123]")
    (found,) = check(text)
    assert (found.code, marked(found), found.severity) == ("FLOW903", "FLOW123", Severity.WARNING)
    assert found.fix is not None
    assert applied(text, found.fix) == flow("name: x")


def test_a_needless_silence_on_a_line_of_its_own_goes_with_its_line() -> None:
    text = flow("name: x", above="# flow: ignore[FLOW123]\n")
    (found,) = check(text)
    assert found.fix is not None
    assert applied(text, found.fix) == flow("name: x")


def test_of_several_codes_the_needless_one_is_taken_out() -> None:
    text = flow("env:  # flow: ignore[FLOW122, FLOW123] -- as above")
    (found,) = check(text)
    assert (found.code, marked(found)) == ("FLOW903", "FLOW122")
    assert found.fix is not None
    assert applied(text, found.fix) == flow("env:  # flow: ignore[FLOW123] -- as above")


def test_a_remark_before_the_silence_stays() -> None:
    text = flow("name: x  # a name # flow: ignore[FLOW123]")
    (found,) = check(text)
    assert found.fix is not None
    assert applied(text, found.fix) == flow("name: x  # a name")


def test_an_unknown_code_is_told_with_the_nearest_one() -> None:
    text = flow("env:  # flow: ignore[FLOW0123]")
    (found,) = (one for one in check(text) if one.code == "FLOW904")
    assert (marked(found), found.help) == ("FLOW0123", "did you mean `FLOW123`?")
    assert found.fix is not None
    assert codes(applied(text, found.fix)) == []


@pytest.mark.parametrize(
    "comment", ["# flow: ignore", "# flow: ignore[]", "# flow: ignore FLOW123", "# flow: ignore[ , ]"]
)
def test_a_silence_without_a_code_is_told(comment: str) -> None:
    assert sorted(codes(flow(f"env:  {comment}"))) == ["FLOW123", "FLOW905"]


def test_remarks_on_silences_are_not_silenced_by_a_silence_and_are_by_the_project() -> None:
    text = flow("name: x", above="# flow: ignore[FLOW903]\n# flow: ignore[FLOW123]\n")
    assert "FLOW903" in codes(text)
    assert codes(text, Policy({"FLOW903": None})) == []


def test_silences_that_cannot_be_judged_here_are_left_alone() -> None:
    # of other files, of tools that may be missing, of the day, of what is not asked for
    text = flow("name: x  # flow: ignore[FLOW228, FLOW702, FLOW506, FLOW606]")
    assert codes(text) == []
    asked = Policy(enabled=frozenset({"FLOW606"}))
    assert codes(text.replace("name: x", "description: x"), asked) == ["FLOW903"]


def test_a_broken_file_says_nothing_of_needless_silences() -> None:
    text = "version: 1  # flow: ignore[FLOW123]\ntasks: {}\n"
    assert "FLOW903" not in codes(text)


def test_a_silence_in_a_script_counts_for_its_line() -> None:
    text = "version: 1\ntasks:\n  a:\n    run: |\n      # flow: ignore[FLOW702]\n      make\n"
    assert codes(text) == []


PIECES = st.sampled_from(["# flow: ignore", "[", "]", "FLOW123", ",", " ", "\n", "--", "x", "env:", "#", "\t", "é"])


@given(st.lists(PIECES, max_size=30).map("".join))
def test_no_comment_breaks_the_check(text: str) -> None:
    for found in check(f"version: 1\n{text}\ntasks:\n  a: {{run: make}}\n"):
        assert found.code != "FLOW901"
        assert 0 <= found.place.start <= found.place.end <= len(found.place.source.text)


@given(st.lists(st.sampled_from(["FLOW123", "FLOW122", "FLOW230"]), min_size=1, max_size=4), st.booleans())
def test_removing_needless_silences_one_by_one_ends(named: list[str], on_its_own_line: bool) -> None:
    comment = f"# flow: ignore[{', '.join(named)}]"
    text = flow("env:", above=f"{comment}\n") if on_its_own_line else flow(f"env:  {comment}")
    for _ in range(len(named) + 1):
        fixes = [one.fix for one in check(text) if one.fix is not None and one.code == "FLOW903"]
        if not fixes:
            break
        text = applied(text, fixes[0])
    assert codes(text) == ([] if "FLOW123" in named else ["FLOW123"])
