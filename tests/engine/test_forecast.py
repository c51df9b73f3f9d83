"""What a plan foretells: what runs, what certainly does not, under which rules, how long and when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.drawing.labels import columns
from engine.forecast import Forecast, Need, Setting, TaskForecast, forecast, json_parts, to_text
from engine.forecast.certainty import certainty
from engine.forecast.settings import retry_text
from engine.outcomes import Json
from engine.plan import CallAction, Edge, EdgeKind, Parameter, Plan, RetryPolicy, RunAction, UseAction, WaitAction
from specs.model.triggers import TriggerSpec
from tests.engine.drawing.pictures import CANARIES, everything, hostile, large
from tests.engine.plans import make_plan, make_value

NOW = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)


def foresee(
    plan: Plan,
    params: Mapping[str, Json] | None = None,
    *,
    durations: Mapping[str, float] | None = None,
    triggers: Mapping[str, TriggerSpec] | None = None,
) -> Forecast:
    """The forecast of a plan at a fixed time."""
    return forecast(plan, plan.name, params or {}, triggers=triggers or {}, now=NOW, durations=durations)


def trigger(**fields: object) -> TriggerSpec:
    """A trigger with these keys."""
    return TriggerSpec.model_validate(fields)


def one(found: Forecast, id_: str) -> TaskForecast:
    """The forecast of one task."""
    (task,) = [task for task in found.tasks if task.id == id_]
    return task


def never(tasks: Mapping[str, Any], params: Mapping[str, Json] | None = None) -> dict[str, str]:
    """What certainly does not run, with the reasons."""
    return dict(certainty(make_plan(tasks), params or {}).never)


# --- what does not run ------------------------------------------------------------------------------------------------


def test_a_condition_that_parameters_make_false_rules_its_task_out() -> None:
    tasks = {"a": {}, "lint": {"after": ["a"], "if": "params.lint"}, "b": {"after": ["a", "lint"]}}
    assert never(tasks, {"lint": False}) == {"lint": "`if: params.lint` is false"}
    assert never(tasks, {"lint": True}) == {}


def test_a_condition_is_left_open_when_a_name_in_it_is_not_known() -> None:
    for condition in ("params.lint", "tasks.a.output.x", "params.lint and env.X == 'y'"):
        assert never({"a": {}, "b": {"after": ["a"], "if": condition}}) == {}


def test_a_condition_that_cannot_be_evaluated_is_left_open() -> None:
    assert never({"a": {"if": "params.n > 3"}}, {"n": "text"}) == {}


def test_what_hangs_only_on_a_task_ruled_out_is_ruled_out_too() -> None:
    tasks = {
        "a": {"if": "params.x"},
        "b": {"after": ["a"]},
        "c": {"after_start": ["b"]},
        "cleanup": {"after_end": ["a"]},
        "handler": {"after_failure": ["a"]},
    }
    assert never(tasks, {"x": False}) == {
        "a": "`if: params.x` is false",
        "b": "`a` does not run",
        "c": "`b` does not run",
        "cleanup": "`a` does not run",
        "handler": "`a` does not run",
    }


def test_a_cleanup_may_run_after_a_task_that_may_be_blocked() -> None:
    tasks = {
        "create": {},
        "use": {"after": ["create"], "if": "params.x"},
        "cleanup": {"after_end": ["use"]},
    }
    assert set(never(tasks, {"x": False})) == {"use"}  # if `create` fails, `use` is blocked, and the cleanup runs


def test_a_strict_join_does_not_forgive_a_missing_task() -> None:
    tasks = {"a": {}, "b": {"if": "params.x"}, "c": {"after": ["a", "b"], "join": "strict"}}
    assert never(tasks, {"x": False})["c"] == "`b` does not run"


@pytest.mark.parametrize(("join", "ruled_out"), [("any", False), (2, False), (3, True)])
def test_a_join_of_so_many_needs_so_many_that_can_run(join: str | int, ruled_out: bool) -> None:
    tasks = {"a": {}, "b": {}, "c": {"if": "params.x"}, "d": {"after": ["a", "b", "c"], "join": join}}
    assert ("d" in never(tasks, {"x": False})) is ruled_out


ROUTE: dict[str, Any] = {
    "route": {"branch": [("params.n > 10", ["big"]), ("params.n > 5", ["middle"]), (None, ["small"])]},
    "big": {},
    "middle": {},
    "small": {},
    "join": {"after": ["big", "middle", "small"]},
}


@pytest.mark.parametrize(
    ("n", "taken"), [(20, {"big"}), (7, {"middle"}), (1, {"small"}), (None, {"big", "middle", "small"})]
)
def test_a_branch_that_parameters_decide_leaves_one_arm(n: int | None, taken: set[str]) -> None:
    out = never(ROUTE, {} if n is None else {"n": n})
    assert set(out) == {"big", "middle", "small"} - taken
    assert all(reason == "`route` takes another arm" for reason in out.values())


def test_arms_before_a_certain_one_stay_open_when_they_are_not_known() -> None:
    tasks = {
        "route": {"branch": [("tasks.a.output.x", ["first"]), ("params.n == 1", ["second"]), (None, ["third"])]},
        "first": {}, "second": {}, "third": {},
    }  # fmt: skip
    assert set(never(tasks, {"n": 1})) == {"third"}


@pytest.mark.parametrize(
    ("value", "taken"), [(1, "number"), ("1", "text"), (True, "boolean"), ("other", "rest"), (1.0, "number")]
)
def test_a_switch_compares_with_types(value: Json, taken: str) -> None:
    tasks = {
        "choose": {"switch": ("params.v", {"1": ["text"], 1: ["number"]}, ["rest"])},
        "text": {}, "number": {}, "boolean": {}, "rest": {},
    }  # fmt: skip
    if taken == "boolean":
        taken = "rest"
    assert set(never(tasks, {"v": value})) == {"text", "number", "rest"} - {taken}


def test_a_task_in_several_choices_is_ruled_out_by_all_of_them_only() -> None:
    tasks = {
        "one": {"branch": [("params.x", ["t"])]},
        "two": {"branch": [("tasks.one.output.arm == 1", ["t"])]},
        "t": {},
    }
    assert never(tasks, {"x": False}) == {}


def test_a_choice_that_does_not_run_takes_no_arm() -> None:
    tasks = {"route": {"if": "params.x", "branch": [(None, ["a"])]}, "a": {}}
    assert never(tasks, {"x": False})["a"] == "`route` does not run"


# --- a task -----------------------------------------------------------------------------------------------------------


def test_conditions_say_what_decides_a_task() -> None:
    found = foresee(everything(), {"lint": True})
    assert one(found, "lint").conditions == ("if `params.lint`, which is true",)
    assert one(found, "fallback").conditions == ("if `deploy` fails",)
    assert one(found, "media").conditions == ('if `size` takes `case "big"` or `case 3`',)


def test_needs_keep_kind_and_time_limit() -> None:
    assert one(foresee(everything()), "test").needs == (
        Need("after", "checkout"),
        Need("after_start", "database", 60.0, "skip"),
    )


@pytest.mark.parametrize(
    ("words", "summary"),
    [
        ({"run": "# first\n\nmake all\nmake check\n"}, "make all (+1 lines)"),
        ({"run": "true"}, "true"),
        (
            {"exec": ["etl", "--day", "${{ params.day }}", "two words", ""]},
            'etl --day ${{ params.day }} "two words" ""',
        ),
        ({"action": CallAction("pkg.mod:fn", make_value({"n": 1}))}, "pkg.mod:fn()"),
        (
            {"action": UseAction("http", "request", make_value({}), make_value({"url": "https://x/${{ params.id }}"}))},
            "http.request https://x/${{ params.id }}",
        ),
        ({"flow": "flows/one.yaml"}, "flows/one.yaml"),
        ({"branch": [("params.x", ["a"]), (None, ["a"])]}, "params.x -> a / else -> a"),
        ({"switch": ("params.x", {"big": ["a"]}, ["a"])}, "params.x: big -> a / default -> a"),
        ({"set": {"n": "${{ params.n }}"}}, "{n: ${{ params.n }}}"),
        ({"fail": "no ${{ params.n }}"}, "no ${{ params.n }}"),
        ({"action": WaitAction(make_value("5m"), None)}, "for 5m"),
        ({"action": WaitAction(None, make_value("${{ params.at }}"))}, "until ${{ params.at }}"),
    ],
)
def test_the_summary_is_one_line_of_what_will_run(words: dict[str, object], summary: str) -> None:
    assert one(foresee(make_plan({"t": words, "a": {}})), "t").summary == summary


def test_inputs_are_shown_as_written_and_never_resolved() -> None:
    env = make_value({"TOKEN": "${{ secrets.TOKEN }}", "N": 3})
    plan = make_plan({"t": {"env": env, "workdir": make_value("${{ run.dir }}/src")}}, env=make_value({"CI": "1"}))
    shown = [(given.place, given.name, given.value) for given in one(foresee(plan), "t").inputs]
    assert shown == [
        ("flow env", "CI", "1"),
        ("env", "TOKEN", "${{ secrets.TOKEN }}"),
        ("env", "N", "3"),
        ("workdir", "", "${{ run.dir }}/src"),
    ]


def test_every_default_is_told_with_its_source() -> None:
    plan = make_plan({"t": {"timeout": timedelta(hours=1)}, "u": {"after": ["t"], "timeout": timedelta(minutes=5)}})
    assert one(foresee(plan), "t").settings == (
        Setting("timeout", "1h", "default"),
        Setting("grace", "10s", "default"),
        Setting("retry", "attempts 1 (0 retries)", "default"),
        Setting("shell", "sh", "default"),
        Setting("priority", "normal", "default"),
    )
    assert Setting("timeout", "5m", "flow") in one(foresee(plan), "u").settings
    assert Setting("join", "all", "default") in one(foresee(plan), "u").settings


def test_a_class_handed_up_by_a_descendant_says_so() -> None:
    plan = make_plan({"a": {"priority": 0}, "b": {"after": ["a"], "priority": 0}})
    assert Setting("priority", "critical", "descendants") in one(foresee(plan), "a").settings
    assert Setting("priority", "critical", "flow") in one(foresee(plan), "b").settings


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (RetryPolicy(attempts=3), "attempts 3 (2 retries), delay 1s \N{MULTIPLICATION SIGN}2 up to 5m, jitter full"),
        (RetryPolicy(attempts=2, backoff=1, jitter=0.2), "attempts 2 (1 retry), delay 1s, jitter 20%"),
        (
            RetryPolicy(attempts=3, delays=(timedelta(0), timedelta(seconds=30)), errors=("lost",), never=("exit:2",)),
            "attempts 3 (2 retries), delays 0s, 30s, jitter full, on lost, never on exit:2",
        ),
        (RetryPolicy(attempts=2, backoff=1, budget=timedelta(hours=1)),
            "attempts 2 (1 retry), delay 1s, jitter full, within 1h"),
    ],
)  # fmt: skip
def test_a_retry_is_told_in_attempts_and_in_retries(policy: RetryPolicy, text: str) -> None:
    assert retry_text(policy) == text


# --- how long and when ------------------------------------------------------------------------------------------------


def test_the_longest_way_is_measured_by_history() -> None:
    plan = make_plan({"a": {}, "b": {"after": ["a"]}, "c": {"after": ["a"]}, "d": {"after": ["b", "c"]}})
    path = foresee(plan, durations={"a": 1, "b": 2, "c": 20, "d": 4}).critical
    assert (path.tasks, path.duration_s, path.unknown) == (("a", "c", "d"), 25.0, ())


def test_without_history_the_way_with_most_tasks_counts() -> None:
    plan = make_plan({"a": {}, "b": {"after": ["a"]}, "c": {"after": ["b"]}, "d": {"after": ["a"]}})
    path = foresee(plan).critical
    assert (path.tasks, path.duration_s, path.unknown) == (("a", "b", "c"), None, ("a", "b", "c"))


def test_tasks_of_unknown_length_are_marked() -> None:
    path = foresee(make_plan({"a": {}, "b": {"after": ["a"]}}), durations={"a": 5}).critical
    assert (path.tasks, path.duration_s, path.unknown) == (("a", "b"), 5.0, ("b",))


def test_a_start_waited_for_costs_no_time_and_an_end_held_open_does() -> None:
    plan = make_plan({"a": {}, "b": {"after_start": ["a"], "before_complete": ["a"]}, "c": {"after": ["a"]}})
    path = foresee(plan, durations={"a": 10, "b": 30, "c": 1}).critical
    assert (path.tasks, path.duration_s) == (("a", "b", "a", "c"), 31.0)


def test_handlers_and_tasks_ruled_out_are_not_on_the_way() -> None:
    tasks: dict[str, Any] = {
        "a": {}, "fix": {"after_failure": ["a"], "recovers": True}, "b": {"after": ["a", "fix"]},
        "slow": {"after": ["a"], "if": "params.x"},
    }  # fmt: skip
    path = foresee(make_plan(tasks), {"x": False}, durations={"a": 1, "fix": 99, "b": 1, "slow": 99}).critical
    assert path.tasks == ("a", "b")


def test_a_wait_takes_as_long_as_it_says() -> None:
    plan = make_plan({"w": {"action": WaitAction(make_value("5m"), None)}})
    assert foresee(plan).critical.duration_s == 300.0


def test_triggers_tell_when_they_fire_next() -> None:
    triggers = {
        "nightly": trigger(cron="30 2 * * *", timezone="Europe/Berlin"),
        "off": trigger(cron="0 0 * * *", enabled=False),
        "push": TriggerSpec.model_validate({"webhook": {"path": "/hooks/ci"}}),
        "past": trigger(at="2020-01-01T00:00:00Z"),
        "odd": trigger(cron="never"),
    }
    nightly, off, push, past, odd = foresee(make_plan({"a": {}}), triggers=triggers).starts
    assert nightly.fires[:2] == (datetime(2026, 3, 28, 1, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, tzinfo=UTC))
    assert (off.fires, off.problem) == ((), "disabled")
    assert (push.kind, push.text, push.problem) == ("webhook", "POST /hooks/ci", None)
    assert past.problem == "does not fire any more"
    assert "five fields" in (odd.problem or "")


# --- parameters, JSON and text ----------------------------------------------------------------------------------------

PARAMS = {
    "day": Parameter(),
    "region": Parameter(required=False, default="eu"),
    "token": Parameter(required=False, default="hush-hush", sensitive=True),
}


def test_parameters_tell_where_their_values_come_from() -> None:
    found = foresee(make_plan({"a": {}}, params=PARAMS), {"region": "us"})
    assert [(p.name, p.source, p.value) for p in found.parameters] == [
        ("day", "missing", None),
        ("region", "given", "us"),
        ("token", "default", None),
    ]


def test_a_default_decides_a_condition_when_nothing_is_given() -> None:
    plan = make_plan({"a": {"if": "params.region == 'us'"}}, params=PARAMS)
    assert one(foresee(plan), "a").not_run == "`if: params.region == 'us'` is false"
    assert one(foresee(plan, {"region": "us"}), "a").not_run is None


def test_a_sensitive_value_is_shown_nowhere() -> None:
    tasks: dict[str, Any] = {
        "a": {"if": "params.token == 'x'", "switch": ("params.token", {"x": ["b"]}, ["c"])},
        "b": {},
        "c": {},
    }
    found = foresee(make_plan(tasks, params=PARAMS), {"token": "hush-hush-2"})
    assert "hush" not in to_text(found) + "".join(json_parts(found))


def test_json_has_every_field() -> None:
    triggers = {"n": trigger(cron="@daily")}
    found = foresee(everything(), {"lint": False}, durations={"test": 3}, triggers=triggers)
    made = json.loads("".join(json_parts(found)))
    assert made["schema_version"] == 1
    assert made["flow"] == "ci"
    assert made["at"] == "2026-03-27T12:00:00Z"
    assert made["starts"][0]["fires"][0] == "2026-03-28T00:00:00Z"
    by_id = {task["id"]: task for task in made["tasks"]}
    assert by_id["lint"]["not_run"] == "`if: params.lint` is false"
    assert by_id["test"]["size"] == "12"
    assert by_id["test"]["duration_s"] == 3
    assert made["waves"][0] == ["checkout"]


EXPECTED = """\
flow: 2 tasks in 2 waves, digest 000000000000

parameters
  lint  false

started by
  nightly  cron 0 3 * * * Europe/Berlin
      next: Sat 2026-03-28 03:00+0100; Sun 2026-03-29 03:00+0200; Mon 2026-03-30 03:00+0200;
            Tue 2026-03-31 03:00+0200; Wed 2026-04-01 03:00+0200

wave 1
  build  run: make (took 1m05s)
      env: CI=${{ params.ci }}
      set: attempts 2
      defaults: timeout 1h; grace 10s; shell sh; priority normal

wave 2
  lint  exec: lint --all
      will not run: `if: params.lint` is false
      after build (within 5m, else skip)
      if `params.lint`
      defaults: timeout 1h; grace 10s; attempts 1 (0 retries); join all; priority normal

will not run
  lint  `if: params.lint` is false

longest way: 1m05s
  build
"""


def test_the_text_reads_from_parameters_to_the_longest_way() -> None:
    hour = timedelta(hours=1)
    edge = Edge(EdgeKind.AFTER, "build", timedelta(minutes=5), "skip")
    plan = make_plan(
        {
            "build": {"run": "make", "timeout": hour, "env": make_value({"CI": "${{ params.ci }}"}),
                "retry": RetryPolicy(attempts=2)},
            "lint": {"exec": ["lint", "--all"], "timeout": hour, "after": [edge], "if": "params.lint"},
        },
        params={"lint": Parameter(type="bool")},
    )  # fmt: skip
    triggers = {"nightly": trigger(cron="0 3 * * *", timezone="Europe/Berlin")}
    made = to_text(foresee(plan, {"lint": False}, durations={"build": 65}, triggers=triggers))
    retry = "set: attempts 2 (1 retry), delay 1s \N{MULTIPLICATION SIGN}2 up to 5m, jitter full"
    assert made == EXPECTED.replace("set: attempts 2", retry)


def test_a_large_flow_is_summed_up() -> None:
    made = to_text(foresee(large(10_000, layer=50)))
    assert len(made.splitlines()) < 100
    assert "… 140 waves with 7,000 tasks" in made


@pytest.mark.parametrize("text", CANARIES)
@pytest.mark.parametrize(("width", "unicode"), [(100, True), (50, False), (-1, True)])
def test_no_text_reaches_the_terminal_uncleaned(text: str, width: int, unicode: bool) -> None:
    plan = hostile(text)
    script = replace(plan.tasks["b"], action=RunAction(text, (text,), frozenset({0})), description=text)
    made = to_text(foresee(replace(plan, tasks={**plan.tasks, "b": script})), width=width, unicode=unicode)
    for line in made.split("\n"):
        assert line.isprintable()
        assert columns(line) <= max(width, 40)
        assert unicode or line.isascii()


# --- against the rules of the language --------------------------------------------------------------------------------

KINDS = ("after", "after_start", "after_end", "after_failure")


@st.composite
def flows(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Small flows with every kind of edge and join; some tasks have a condition that is false."""
    count = draw(st.integers(2, 6))
    tasks: dict[str, dict[str, Any]] = {}
    for number in range(count):
        words: dict[str, Any] = {}
        for kind in KINDS:
            ups = draw(st.lists(st.sampled_from(range(number)), max_size=2, unique=True)) if number else []
            if ups:
                words[kind] = [f"t{up}" for up in ups]
        if draw(st.booleans()):
            words["if"] = "params.x"
        words["join"] = draw(st.sampled_from(["all", "strict", "any"])) if len(words) else "all"
        tasks[f"t{number}"] = words
    return tasks


EDGES = {
    "succeeded": {"after": "met", "after_start": "met", "after_end": "met", "after_failure": "no"},
    "failed": {"after": "broken", "after_start": "met", "after_end": "met", "after_failure": "met"},
    "skipped": dict.fromkeys(KINDS, "off"),
    "blocked": {"after": "broken", "after_start": "broken", "after_end": "met", "after_failure": "no"},
}
"""The table of `LANGUAGE.md` 5 for tasks without recovery."""


def group_state(kind: str, edges: list[str], join: object) -> str:
    """What the edges of one kind come to."""
    if kind == "after_failure":
        return "met" if "met" in edges else "no"
    if "broken" in edges:
        return "broken"
    if set(edges) == {"off"}:
        return "off"
    return "no" if join == "strict" and "off" in edges else "met"


def decided(words: Mapping[str, Any], state: Mapping[str, str]) -> str:
    """The normative `decide` of `LANGUAGE.md` 5 when everything upstream has ended."""
    edges = {kind: [EDGES[state[up]][kind] for up in words[kind]] for kind in KINDS if kind in words}
    flat = [edge for group in edges.values() for edge in group]
    if not flat:
        return "run"
    if words["join"] == "any":
        return "run" if "met" in flat else "blocked" if "broken" in flat else "skipped"
    groups = [group_state(kind, group, words["join"]) for kind, group in edges.items()]
    if "broken" in groups:
        return "blocked"
    if "no" in groups or (words["join"] == "strict" and "off" in groups) or "met" not in groups:
        return "skipped"
    return "run"


def ended(tasks: Mapping[str, Any], outcomes: Mapping[str, bool]) -> dict[str, str]:
    """How each task ends when those that run succeed or fail as `outcomes` says and every `if` is false."""
    state: dict[str, str] = {}
    for id_, words in tasks.items():
        verdict = decided(words, state)
        if verdict == "run":
            verdict = "skipped" if "if" in words else "succeeded" if outcomes[id_] else "failed"
        state[id_] = verdict
    return state


@given(flows())
@settings(max_examples=150, deadline=None)
def test_what_is_ruled_out_runs_in_no_course_of_events(tasks: dict[str, dict[str, Any]]) -> None:
    out = set(never(tasks, {"x": False}))
    ids = list(tasks)
    for bits in range(2 ** len(ids)):
        states = ended(tasks, {id_: bool(bits >> index & 1) for index, id_ in enumerate(ids)})
        assert {id_ for id_ in out if states[id_] in ("succeeded", "failed")} == set()
