"""Arms of branches and switches, joins, and tasks that are skipped with all they wait for."""

from __future__ import annotations

import pytest

from tests.specs.rules.checking import codes, fixed, found, marked, only

PARAMS = "params:\n  x: {type: bool}\n  n: {type: int}\n  r: {type: string, choices: [eu, us, ap]}\n"
TASKS = "  p: {run: x}\n  q: {run: x}\n"


def branch(arms: str, tasks: str = TASKS) -> str:
    return f"{PARAMS}tasks:\n  b:\n    branch: {arms}\n{tasks}"


def switch(value: str, cases: str, tasks: str = TASKS) -> str:
    return f"{PARAMS}tasks:\n  b:\n    switch: {{value: {value}, {cases}}}\n{tasks}"


def test_an_arm_that_names_an_unknown_task_gets_the_nearest_one() -> None:
    text = branch("[{if: params.x, then: [bild]}]", "  build: {run: x}\n")
    finding = only(text, "FLOW206")
    assert finding.message == "an arm of `b` names `bild`, which does not exist"
    assert finding.help == "did you mean `build`?"
    assert codes(fixed(finding)) == []


def test_an_arm_may_not_lead_back_to_what_the_branch_waits_for() -> None:
    text = PARAMS + "tasks:\n  a: {run: x}\n  m: {run: x, after: [a]}\n  b:\n    after: [m]\n"
    finding = only(text + "    branch: [{if: params.x, then: [a]}]\n", "FLOW207")
    assert finding.message == "an arm of `b` names `a`, which comes before the branch"
    assert found(text + "    branch: [{if: params.x, then: [a]}]\n", "FLOW210") == []


def test_an_arm_may_not_name_its_own_branch() -> None:
    assert codes(branch("[{if: params.x, then: [b]}]", "")) == ["FLOW207"]


def test_a_task_in_several_arms_is_told_of_once() -> None:
    text = branch("[{if: params.x, then: [p]}, {if: params.n > 1, then: [p, q]}, {else: [p]}]")
    assert only(text, "FLOW208").message == "`p` is in several arms of `b`"
    assert found(branch("[{if: params.x, then: [p]}, {else: [q]}]"), "FLOW208") == []


@pytest.mark.parametrize(
    "text",
    [
        branch("[{if: params.x, then: []}, {else: [p, q]}]"),
        branch("[{if: params.x, then: [p, q]}, {else: []}]"),
        branch("[]"),
        switch("params.n", "cases: {1: []}, default: [p, q]"),
        switch("params.n", "cases: {1: [p, q]}, default: []"),
    ],
)
def test_an_arm_leads_somewhere(text: str) -> None:
    assert "FLOW209" in codes(text)


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ("[{if: true, then: [p]}, {else: [q]}]", "this arm of `b` is never taken: an arm before it is always true"),
        (
            "[{if: true, then: [p]}, {if: params.x, then: [q]}, {else: [q]}]",
            "this arm of `b` and the one after it are never taken: an arm before it is always true",
        ),
        (
            "[{if: true, then: [p]}, {if: params.x, then: [q]}, {if: params.n > 1, then: [q]}, {else: [q]}]",
            "this arm of `b` and the 2 after it are never taken: an arm before it is always true",
        ),
        ("[{else: [p]}, {if: params.x, then: [q]}]", "`else` is not the last arm of `b`"),
        ("[{else: [p]}, {if: params.x, then: [q]}, {else: [q]}]", "`else` is not the last arm of `b`"),
        ("[{else: [p]}, {else: [q]}]", "`b` has two `else` arms"),
    ],
)
def test_an_arm_behind_one_that_is_always_taken_is_refused(arms: str, message: str) -> None:
    assert only(branch(arms), "FLOW231").message == message


def test_an_else_at_the_end_is_fine() -> None:
    assert codes(branch("[{if: params.x, then: [p]}, {if: params.n > 2, then: [q]}, {else: [p]}]")) == ["FLOW208"]


def test_a_case_of_the_wrong_type_never_occurs() -> None:
    finding = only(switch("params.n", 'cases: {"1": [p]}, default: [q]'), "FLOW232")
    assert finding.message == 'the case `"1"` cannot occur: `params.n` is a whole number'
    assert marked(finding) == '"1"'


def test_a_number_as_a_case_of_a_text_is_told_to_be_quoted() -> None:
    text = switch("params.v", "cases: {1: [p]}, default: [q]").replace("params:", "params:\n  v: {type: string}")
    assert only(text, "FLOW232").help == 'write `"1"`: text and numbers are never equal'


def test_a_case_outside_of_the_choices_never_occurs() -> None:
    finding = only(switch("params.r", "cases: {eu: [p], uk: [q]}, default: [p]"), "FLOW232")
    assert finding.help == 'it can be `"eu"`, `"us"`, `"ap"`'


def test_a_switch_without_default_covers_all_choices() -> None:
    finding = only(switch("params.r", "cases: {eu: [p]}", "  p: {run: x}\n"), "FLOW233")
    assert finding.message == "`b` covers 1 of the 3 values of `params.r` and has no default"
    assert finding.help == 'add `"us"`, `"ap"`, or `default`'
    both = switch("params.x", "cases: {true: [p], false: [q]}")
    assert codes(both) == codes(switch("params.r", "cases: {eu: [p]}, default: [q]")) == []


def test_a_switch_over_an_expression_is_not_judged() -> None:
    assert codes(switch("params.n + 1", "cases: {1: [p], 2: [q]}")) == []


# --- joins ------------------------------------------------------------------------------------------------------------


def test_a_join_of_more_edges_than_there_are_is_refused() -> None:
    text = "tasks:\n  a: {run: x}\n  c: {run: x}\n  d: {run: x, after: [a], after_end: [c], join: 3}\n"
    assert only(text, "FLOW212").message == "`join: 3`, and there are 2 edges"
    assert codes(text.replace("join: 3", "join: 2")) == []


def test_arms_and_before_complete_do_not_count_as_edges() -> None:
    text = PARAMS + "tasks:\n  b: {branch: [{if: params.x, then: [t]}]}\n  a: {run: x}\n  c: {run: x}\n"
    text += "  t: {run: x, after: [a], before_complete: [c], join: 2}\n"
    assert only(text, "FLOW212").message == "`join: 2`, and there is 1 edge"


def test_a_join_over_one_edge_says_nothing_unless_it_is_strict() -> None:
    text = "tasks:\n  a: {run: x}\n  b: {run: x, after: [a], join: any}\n"
    assert only(text, "FLOW214").message == "`join` has no effect with one edge"
    assert codes(text.replace("any", "strict")) == []


def test_a_strict_join_over_two_arms_never_runs() -> None:
    text = branch("[{if: params.x, then: [p]}, {else: [q]}]", TASKS + "  j: {run: x, after: [p, q], join: strict}\n")
    finding = only(text, "FLOW213")
    assert finding.message == "`j` can never run: it wants tasks of different arms of `b`"
    assert found(text.replace("strict", "all"), "FLOW213") == []


def test_a_strict_join_over_tasks_of_one_arm_may_run() -> None:
    text = branch("[{if: params.x, then: [p, q]}]", TASKS + "  j: {run: x, after: [p, q], join: strict}\n")
    assert codes(text) == []


# --- skipped together -------------------------------------------------------------------------------------------------


def after(upstream: str, more: str = "") -> str:
    return f"  j: {{run: x, after: [{upstream}]{more}}}\n"


LINT = PARAMS + "tasks:\n  lint: {run: x, if: params.x}\n  build: {run: x}\n"


def test_a_task_that_hangs_on_a_condition_alone_is_told_of() -> None:
    finding = only(LINT + after("lint"), "FLOW230")
    assert finding.message == "`j` waits only for tasks that may be skipped (`lint`) and is skipped with them"
    assert marked(finding) == "after"


def test_one_task_that_always_runs_is_enough() -> None:
    assert codes(LINT + after("lint, build")) == []


def test_a_strict_join_says_that_it_is_meant() -> None:
    assert codes(LINT + after("lint", ", join: strict")) == []


def test_of_a_chain_only_the_first_is_told_of() -> None:
    assert len(found(LINT + after("lint") + "  k: {run: x, after: [j]}\n", "FLOW230")) == 1


def test_behind_a_branch_that_is_left_out_nothing_is_told_again() -> None:
    """All arms but one that only fails: what hangs on the other has no reason of its own to be skipped."""
    rest = "  p: {run: x}\n  stop: {fail: no}\n" + after("p")
    gated = LINT + "  b: {after: [lint], branch: [{if: params.x, then: [p]}, {else: [stop]}]}\n" + rest
    assert [one.message[:3] for one in found(gated, "FLOW230")] == ["`b`"]


def test_a_join_of_all_arms_always_runs() -> None:
    whole = branch("[{if: params.x, then: [p]}, {else: [q]}]", TASKS + after("p, q"))
    longer = whole.replace("after: [p, q]", "after: [p2, q]") + "  p2: {run: x, after: [p]}\n"
    assert codes(whole) == []
    assert [one.message[:3] for one in found(longer, "FLOW230")] == ["`p2"]


def test_a_join_of_some_arms_may_be_skipped() -> None:
    no_else = branch("[{if: params.x, then: [p]}, {if: params.n > 1, then: [q]}]", TASKS + after("p, q"))
    assert [one.code for one in found(no_else, "FLOW230")] == ["FLOW230"]


def test_an_arm_that_only_fails_is_not_missed() -> None:
    text = branch("[{if: params.x, then: [p]}, {else: [stop]}]", "  p: {run: x}\n  stop: {fail: no}\n" + after("p"))
    assert codes(text) == []


def test_a_task_in_the_same_arm_is_skipped_anyway() -> None:
    text = branch("[{if: params.x, then: [p, j]}]", "  p: {run: x}\n" + after("p"))
    assert codes(text) == []


def test_a_handler_is_not_told_that_there_may_be_nothing_to_handle() -> None:
    assert codes(LINT + "  h: {run: x, after_failure: [lint]}\n") == []


def test_a_fallback_stands_in_for_what_it_recovers() -> None:
    text = "tasks:\n  a: {run: x}\n  f: {run: x, after_failure: [a], recovers: true}\n" + after("a, f")
    assert codes(text) == []
    assert len(found(text.replace("[a, f]", "[f]"), "FLOW230")) == 1
