"""A task in arms of several branches: the arms of one do not make up for those of another."""

from __future__ import annotations

from tests.specs.rules.checking import found

FLOW = """
params: {{flag: {{type: bool, default: true}}}}
tasks:
  first:
    branch:
      - {{if: params.flag, then: [second]}}
      - else: [{first}]
  second:
    branch:
      - {{if: not params.flag, then: [third]}}
  third: {{run: echo, outputs: {{n: {{type: int}}}}}}
  other: {{run: echo}}
outputs: {{n: "${{{{ tasks.third.output.n }}}}"}}
"""


def test_an_arm_of_each_of_two_branches_is_not_every_arm_of_one() -> None:
    assert len(found(FLOW.format(first="third"), "FLOW331")) == 1


def test_every_arm_of_one_branch_is_enough() -> None:
    whole = FLOW.format(first="third").replace("then: [second]", "then: [second, third]")
    assert found(whole, "FLOW331") == []


FALLBACKS = """
tasks:
  first: {{run: echo, outputs: {{n: {{type: int}}}}}}
  second: {{after_failure: [first], recovers: true, run: echo}}
  third: {{after_failure: [second], recovers: true, run: echo}}
  join: {{after: [{edges}], set: {{n: 1}}}}
outputs: {{n: "${{{{ tasks.join.output.n }}}}"}}
"""


def test_a_join_of_a_task_and_all_its_fallbacks_is_there_when_the_run_has_succeeded() -> None:
    assert found(FALLBACKS.format(edges="first, second, third"), "FLOW331") == []


def test_a_join_that_leaves_a_fallback_out_goes_when_that_one_made_the_failure_good() -> None:
    assert len(found(FALLBACKS.format(edges="first, second"), "FLOW331")) == 1
    assert len(found(FALLBACKS.format(edges="first, third"), "FLOW331")) == 1
    assert len(found(FALLBACKS.format(edges="first"), "FLOW331")) == 1
