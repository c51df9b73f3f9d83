"""Flows side by side: names, webhooks, starts, pools and locks that do not go together."""

from __future__ import annotations

import pytest

from specs.check import check_file
from specs.diagnostics import Diagnostic, Source
from specs.facts import facts_of
from specs.project import Project, check_project
from tests.specs.projects import MemoryFiles

RUN = "\ntasks:\n  a: {run: make}\n"


def project(*, is_whole: bool = True, **flows: str) -> list[Diagnostic]:
    """What is found between flows, given by the stem of their file without `version`."""
    files = MemoryFiles({f"{name}.yaml": f"version: 1\n{text}" for name, text in flows.items()})
    contexts = [check_file(name, files).context for name in files.contents]
    assert all(contexts), "a flow of the test is broken"
    facts = tuple(facts_of(context) for context in contexts if context is not None)
    return check_project(Project(facts, is_whole=is_whole))


def where(found: Diagnostic) -> tuple[str, str]:
    """The file of a finding and the text at which it stands."""
    place = found.place
    return place.source.name, place.source.text[place.start : place.end]


def codes(found: list[Diagnostic]) -> list[str]:
    return [one.code for one in found]


# --- names and paths ----------------------------------------------------------------------------------------------


def test_a_name_belongs_to_one_flow() -> None:
    (found,) = project(a=f"name: etl{RUN}", b=f"name: etl{RUN}", c=f"name: other{RUN}")
    assert (found.code, where(found)) == ("FLOW257", ("b.yaml", "etl"))
    assert found.message == "the name `etl` is also that of `a.yaml`"
    assert [where_label for where_label in found.labels if where_label.place.source.name == "a.yaml"]


def test_a_file_without_a_name_has_that_of_its_file() -> None:
    (found,) = project(a=f"name: b{RUN}", b=RUN)
    assert found.code == "FLOW257"
    assert (found.place.source.name, found.place.start) == ("b.yaml", 0)
    assert found.help == "give it a `name`; without one it is called like its file"


HOOK = "secrets: {{S: {{from: 'env:S'}}}}\ntriggers:\n  {name}: {{webhook: {{path: {path}}}}}"


@pytest.mark.parametrize("second", ["/hooks/x", "/hooks/x/"])
def test_a_webhook_path_belongs_to_one_trigger(second: str) -> None:
    a, b = HOOK.format(name="t", path="/hooks/x"), HOOK.format(name="t", path=second)
    (found,) = project(a=a + RUN, b=b + RUN)
    assert (found.code, where(found)) == ("FLOW509", ("b.yaml", second))
    assert found.message == f"the webhook path `{second}` is also used by `a`"


def test_two_triggers_of_one_flow_may_not_share_a_path_either() -> None:
    hooks = HOOK.format(name="t", path="/x") + "\n  u: {webhook: {path: /x}}"
    (found,) = project(a=hooks + RUN)
    assert found.message == "the webhook path `/x` is also used by another trigger of this flow"


def test_paths_that_differ_in_more_than_a_slash_are_different() -> None:
    a, b = HOOK.format(name="t", path="/x"), HOOK.format(name="t", path="/x/y")
    assert project(a=a + RUN, b=b + RUN) == []


# --- starts -------------------------------------------------------------------------------------------------------


def listening(*flows: str, more: str = "") -> str:
    return "triggers:\n" + "".join(f"  t{n}: {{flow: {{name: {name}}}{more}}}\n" for n, name in enumerate(flows)) + RUN


def test_a_flow_that_its_own_end_starts_never_stops() -> None:
    (found,) = project(a=listening("a"))
    assert (found.code, where(found)) == ("FLOW513", ("a.yaml", "a"))
    assert found.message == "the end of `a` starts `a` again, for ever"


def test_flows_that_start_each_other_are_told_with_the_whole_circle() -> None:
    (found,) = project(a=listening("c"), b=listening("a"), c=listening("b"))
    assert found.message == "flows start each other for ever: `c` → `a` → `b` → `c`"
    assert [label.place.source.name for label in found.labels] == ["b.yaml", "c.yaml"]


@pytest.mark.parametrize("more", [", if: trigger.outputs.n > 0", ", enabled: false"])
def test_a_condition_or_a_trigger_that_is_off_ends_the_circle(more: str) -> None:
    assert project(a=listening("b"), b=listening("a", more=more)) == []


@pytest.mark.parametrize(("status", "is_endless"), [("succeeded", True), ("ended", True), ("failed", False)])
def test_a_circle_that_goes_on_after_failures_only_ends_with_a_success(status: str, is_endless: bool) -> None:
    again = f"triggers:\n  t: {{flow: {{name: a, status: {status}}}}}\n{RUN}"
    assert codes(project(a=again)) == (["FLOW513"] if is_endless else [])


def test_a_chain_of_starts_is_fine() -> None:
    assert project(a=RUN, b=listening("a"), c=listening("a", "b")) == []


def test_a_trigger_on_a_flow_that_nobody_has_never_fires() -> None:
    (found,) = project(report=RUN, b=listening("raport"))
    assert (found.code, where(found)) == ("FLOW514", ("b.yaml", "raport"))
    assert found.help == "did you mean `report`?"


def test_what_may_be_in_files_that_were_not_looked_at_is_not_missed() -> None:
    assert project(b=listening("raport"), is_whole=False) == []


def test_a_long_circle_costs_no_more_than_its_length() -> None:
    size = 400
    flows = {f"f{n}": listening(f"f{(n + 1) % size}") for n in range(size)}
    (found,) = project(is_whole=True, **flows)
    assert found.message.count("→") == 11
    assert "…" in found.message


# --- pools and locks ----------------------------------------------------------------------------------------------


def test_a_pool_is_the_same_in_all_files() -> None:
    (found,) = project(a=f"pools: {{db: {{slots: 2}}}}{RUN}", b=f"pools: {{db: {{slots: 3, rate: 5/s}}}}{RUN}")
    assert (found.code, where(found)) == ("FLOW227", ("b.yaml", "db"))
    assert found.message == "the pool `db` has 3 slots and a rate of 5/s here and 2 slots in `a.yaml`"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{slots: 2}", "{slots: 2, rate: null}"),
        ("{slots: 1}", "{}"),
        ("{rate: 60/m}", "{rate: 1/s}"),
        ("{rate: 1/s}", "{rate: {limit: 1/s, when_exceeded: delay}}"),
        ("{max_wait: 60s}", "{max_wait: 1m}"),
    ],
)
def test_a_pool_may_be_written_in_several_ways(one: str, other: str) -> None:
    assert project(a=f"pools: {{db: {one}}}{RUN}", b=f"pools: {{db: {other}}}{RUN}") == []


@pytest.mark.parametrize(
    "other", ["{slots: 2}", "{rate: 2/s}", "{rate: {limit: 1/s, when_exceeded: skip}}", "{max_wait: 2m}"]
)
def test_every_term_of_a_pool_counts(other: str) -> None:
    assert codes(project(a=f"pools: {{db: {{}}}}{RUN}", b=f"pools: {{db: {other}}}{RUN}")) == ["FLOW227"]


def test_a_pool_of_a_library_is_declared_once() -> None:
    files = MemoryFiles(
        {
            "lib.yaml": "version: 1\npools: {db: {slots: 2}}\n",
            "a.yaml": f"version: 1\ninclude: [lib.yaml]{RUN}",
            "b.yaml": f"version: 1\ninclude: [lib.yaml]{RUN}",
            "c.yaml": f"version: 1\npools: {{db: {{slots: 1}}}}{RUN}",
        }
    )
    contexts = [check_file(f"{name}.yaml", files).context for name in "cab"]
    found = check_project(Project(tuple(facts_of(context) for context in contexts if context is not None)))
    assert [where(one) for one in found] == [("lib.yaml", "db")]  # told once, though two flows include it


def task(lock: str) -> str:
    return f"tasks:\n  a: {{run: make, lock: {lock}}}\n"


def test_a_lock_has_one_lease() -> None:
    (found,) = project(a=task("{name: x, lease: 60s}"), b=task("{name: x, lease: 2m}"))
    assert (found.code, where(found)) == ("FLOW227", ("b.yaml", "x"))
    assert found.message == "the lock `x` has a lease of 2m here and a lease of 1m in `a.yaml`"


def test_a_lock_that_names_no_lease_agrees_with_all() -> None:
    assert project(a=task("{name: x, lease: 60s}"), b=task("x"), c=task("[x, y]"), d=task("{name: x, wait: 1s}")) == []


def test_locks_with_expressions_are_not_compared() -> None:
    lock = '{{name: "${{{{ params.p }}}}", lease: {lease}}}'
    head = "params: {p: {default: x}}\n"
    assert project(a=head + task(lock.format(lease="1m")), b=head + task(lock.format(lease="2m"))) == []


def holding(held: str, wanted: str) -> str:
    return f"tasks:\n  s: {{run: serve, service: true, lock: {held}}}\n  t: {{run: make, after_start: [s], lock: {wanted}}}\n"


def test_locks_taken_in_different_orders_can_block_for_ever() -> None:
    (found,) = project(a=holding("x", "y"), b=holding("y", "x"))
    assert (found.code, where(found)) == ("FLOW228", ("a.yaml", "y"))
    assert "the locks `x`, `y` are taken in different orders" in found.message
    assert [label.text for label in found.labels] == [
        "while the service `s` holds `x`",
        "`t` wants `x` …",
        "while the service `s` holds `y`",
    ]


def test_one_order_in_all_flows_is_fine() -> None:
    assert project(a=holding("x", "y"), b=holding("x", "y"), c=holding("y", "z"), d=holding("x", "[y, z]")) == []


def test_a_circle_of_three_flows_is_seen() -> None:
    assert codes(project(a=holding("x", "y"), b=holding("y", "z"), c=holding("z", "x"))) == ["FLOW228"]


def test_waiting_for_the_lock_of_ones_own_service_never_ends() -> None:
    (found,) = project(a=holding("x", "[y, x]"))
    assert where(found) == ("a.yaml", "x")
    assert found.message == "`t` waits for the lock `x`, which the service `s` holds until `t` has ended"


def test_locks_of_tasks_that_hold_none_while_they_wait_are_in_no_order() -> None:
    one = "tasks:\n  a: {run: make, lock: x}\n  b: {run: make, after: [a], lock: y}\n"
    other = "tasks:\n  a: {run: make, lock: y}\n  b: {run: make, after: [a], lock: x}\n"
    assert project(a=one, b=other, c=task("[x, y]"), d=task("[y, x]")) == []


# --- libraries ----------------------------------------------------------------------------------------------------


def test_an_unused_library_is_told_at_its_first_character() -> None:
    source = Source("lib.yaml", "\n\nversion: 1\npools: {}\n")
    (found,) = check_project(Project((), is_whole=True, unused=(source,)))
    assert (found.code, where(found), found.place.start) == ("FLOW132", ("lib.yaml", "v"), 2)
