"""What the compiler fills in and derives: every default of the reference, and the graph turned into look-ups."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from engine.compile import compile_flow
from engine.compiling.digest import digest_of
from engine.errors import InvalidFlow
from engine.plan import EdgeKind, ExecAction, Plan, RunAction
from specs.check import check_text
from tests.engine.driving import plan_of


def tasks(text: str) -> Plan:
    """The plan of a map of tasks."""
    return plan_of("tasks:\n" + text)


# --- defaults (LANGUAGE.md 2, 4, 7, 8) ----------------------------------------------------------------------------------


def test_the_defaults_of_a_flow() -> None:
    plan = tasks("  a: {run: x}")
    assert (plan.timeout, plan.when_failed, plan.task_slots) == (None, "continue", 16)
    assert (plan.fan_out_items, plan.resets, plan.cleanup) == (10_000, 100, timedelta(minutes=10))
    assert (plan.output_bytes, plan.priority, plan.host_env, plan.outputs) == (1 << 20, 2, (), None)
    assert plan.name == "flow"


def test_the_defaults_of_a_task() -> None:
    a = tasks("  a: {run: x}").tasks["a"]
    assert isinstance(a.action, RunAction)
    assert (a.action.shell, a.action.success_codes) == ("sh", frozenset({0}))
    assert (a.join, a.edges, a.condition, a.fan_out, a.workdir) == ("all", (), None, None, None)
    assert (a.timeout, a.grace, a.deadline, a.queue_timeout) == (timedelta(hours=1), timedelta(seconds=10), None, None)
    assert a.retry.attempts == 1
    assert a.retry.rate_limit is not None
    assert a.retry.rate_limit.match == (), "what it prints is looked at only where `rate_limit` is written"
    assert (a.allow_failure, a.recovers, a.service, a.repeat, a.retry_upstream) == (False, False, False, None, None)
    assert a.priority == 2


@pytest.mark.parametrize(
    ("words", "timeout"),
    [
        ("run: x", "1h"),
        ("exec: [x]", "1h"),
        ('call: "m:f"', "1h"),
        ("use: http.request, with: {url: 'https://h'}", "1h"),
        ("set: {x: 1}", None),
        ("wait: {for: 1s}", None),
        ("fail: no", None),
        ("run: x, timeout: none", None),
        ("run: x, timeout: 2m", "2m"),
        ("run: x, deadline: 5m", "5m"),
        ("run: x, deadline: 2h", "1h"),
        ("run: x, service: true", None),
    ],
)
def test_attempts_of_processes_end_after_an_hour_unless_told_otherwise(words: str, timeout: str | None) -> None:
    lengths = {"1h": timedelta(hours=1), "2m": timedelta(minutes=2), "5m": timedelta(minutes=5), None: None}
    assert tasks(f"  a: {{{words}}}").tasks["a"].timeout == lengths[timeout]


def test_the_defaults_of_a_fan_out() -> None:
    fan_out = tasks("  a: {run: x, fan_out: {items: [1, 2]}}").tasks["a"].fan_out
    assert fan_out is not None
    assert (fan_out.literal, fan_out.items, fan_out.axes) == ((1, 2), None, ())
    assert (fan_out.batch, fan_out.max_items, fan_out.max_parallel) == (1, 1000, None)
    assert (fan_out.tolerate, fan_out.tolerate_percent) == (0, None)
    assert (fan_out.fail_fast, fan_out.on_empty, fan_out.where, fan_out.key) == (False, "succeed", None, None)


def test_the_defaults_of_repeat_and_rate_limit() -> None:
    plan = tasks("""
  a: {run: x, outputs: {ok: {type: bool}}, repeat: {until: task.output.ok, max: 3}}
  b: {use: http.request, with: {url: "https://h"}}
  c: {run: x, retry: {attempts: 2, rate_limit: {}}}
""")
    repeat, of_use, of_run = plan.tasks["a"].repeat, plan.tasks["b"].retry.rate_limit, plan.tasks["c"].retry.rate_limit
    assert repeat is not None
    assert (repeat.every, repeat.max) == (timedelta(seconds=10), 3)
    assert of_use is not None
    assert of_run is not None
    ladder = tuple(timedelta(seconds=s) for s in (60, 120, 300, 600, 1800))
    assert (of_use.attempts, of_use.delays, of_use.match) == (6, ladder, ())
    assert of_run.delays == ladder
    assert of_run.match == ("429 Too Many Requests", "rate limit", "quota exceeded", "throttled")


def test_tolerance_is_a_number_or_a_share() -> None:
    for written, number, share in (("2", 2, None), ('"10%"', 0, 10.0), ('"2.5%"', 0, 2.5)):
        fan_out = tasks(f"  a: {{run: x, fan_out: {{items: [1], tolerate: {written}}}}}").tasks["a"].fan_out
        assert fan_out is not None
        assert (fan_out.tolerate, fan_out.tolerate_percent) == (number, share)


# --- items --------------------------------------------------------------------------------------------------------------


def test_a_matrix_of_literals_is_multiplied_out_in_key_order() -> None:
    fan_out = (
        tasks("""
  a:
    run: x
    fan_out:
      matrix: {py: ["3.11", "3.12"], db: [pg, lite]}
      exclude: [{py: "3.12", db: lite}, {db: none}]
      include: [{py: "3.13", db: pg, extra: true}]
""")
        .tasks["a"]
        .fan_out
    )
    assert fan_out is not None
    assert fan_out.literal == (
        {"py": "3.11", "db": "pg"},
        {"py": "3.11", "db": "lite"},
        {"py": "3.12", "db": "pg"},
        {"py": "3.13", "db": "pg", "extra": True},
    )
    assert (fan_out.axes, fan_out.exclude, fan_out.include) == ((), (), ())


def test_a_matrix_with_an_expression_waits_for_the_run() -> None:
    text = (
        "params: {dbs: {type: list, items: string}}\ntasks: {a: {run: x, fan_out: {matrix: {n: [1], db: params.dbs}}}}"
    )
    fan_out = plan_of(text).tasks["a"].fan_out
    assert fan_out is not None
    assert fan_out.literal is None
    assert [name for name, _ in fan_out.axes] == ["n", "db"]


# --- the graph ----------------------------------------------------------------------------------------------------------

GRAPH = """
  a: {run: x, outputs: {n: {type: int}}}
  b: {after: [a], run: x}
  c: {after_complete: [a], after_end: [b], run: x}
  h: {after_failure: [b], recovers: true, run: x}
  i: {after_failure: [h], recovers: true, run: x}
  k: {after_start: [c], before_complete: [c], run: x}
  r: {after: [b], branch: [{if: tasks.a.output.n > 1, then: [s, t]}, {else: [t]}]}
  s: {run: x}
  t: {run: x}
"""


def test_edges_are_as_written_then_arms_each_once() -> None:
    plan = tasks(GRAPH)
    kinds = {name: [(edge.kind, edge.upstream) for edge in plan.tasks[name].edges] for name in plan.main}
    assert kinds["c"] == [(EdgeKind.AFTER, "a"), (EdgeKind.AFTER_END, "b")]
    assert kinds["k"] == [(EdgeKind.AFTER_START, "c")]
    assert kinds["s"] == kinds["t"] == [(EdgeKind.ARM, "r")]
    assert plan.tasks["k"].before_complete == ("c",)


def test_what_follows_a_task_is_looked_up() -> None:
    plan = tasks(GRAPH)
    assert plan.downstream["a"] == ("b", "c")
    assert plan.recoverers == {"b": ("h",), "h": ("i",)}
    assert plan.holders == {"c": ("k",)}
    after_b = ("r", 0)
    assert set(plan.affected["b"]) == {("c", 1), ("h", 0), after_b}
    assert plan.affected["h"] == (("i", 0),)
    assert "i" not in plan.affected


def test_waves_are_the_earliest_a_task_can_start_in() -> None:
    assert tasks(GRAPH).waves[0] == ("a",)
    assert tasks("  a: {run: x}\n  b: {run: x}\n  c: {after: [a, b], run: x}\n  d: {after: [c, a], run: x}").waves == (
        ("a", "b"),
        ("c",),
        ("d",),
    )


def test_a_task_is_as_urgent_as_the_most_urgent_that_waits_for_it() -> None:
    plan = tasks("""
  a: {run: x, priority: low}
  b: {after: [a], run: x}
  c: {after_failure: [b], run: x, priority: critical}
  d: {run: x, priority: background}
  e: {after: [d], run: x, priority: low}
  f: {after: [e], run: x, priority: background}
""")
    assert {name: plan.tasks[name].priority for name in plan.main} == {"a": 0, "b": 0, "c": 0, "d": 3, "e": 3, "f": 9}


def test_a_reset_set_lies_between_or_reaches_all_descendants() -> None:
    text = """
  a: {run: x}
  b: {after: [a], run: x}
  side: {after: [a], run: x}
  h: {after_failure: [b], recovers: true, run: x}
  c: {after: [b], run: x, retry_upstream: {tasks: [a], rounds: 2, delay: 5m, scope: %s}}
"""
    between, wide = (tasks(text % scope).tasks["c"].retry_upstream for scope in ("between", "descendants"))
    assert between is not None
    assert wide is not None
    assert between.members == ("a", "b", "h", "c")
    assert wide.members == ("a", "b", "side", "h", "c")
    assert (between.rounds, between.delay, between.errors) == (2, timedelta(minutes=5), ("any",))


# --- hooks, undo, inheritance -------------------------------------------------------------------------------------------


def test_hooks_and_undo_are_tasks_behind_the_flows_own() -> None:
    plan = plan_of("""
    defaults: {env: {X: default}, workdir: src}
    tasks:
      a: {run: x, shell: bash, undo: {run: y, env: {U: "1"}, timeout: 5m, retry: {attempts: 5}}}
      b: {exec: [x], fan_out: {items: [1, 2]}, undo: {exec: [undo]}}
    hooks:
      complete: {first: {run: x}, second: {after: [first], run: x}}
      start: {s: {run: x}}
    """)
    assert plan.main == ("a", "b")
    assert list(plan.tasks) == [
        "a",
        "b",
        "hooks.start.s",
        "hooks.complete.first",
        "hooks.complete.second",
        "undo.a",
        "undo.b",
    ]
    assert [task.position for task in plan.tasks.values()] == list(range(7))
    assert plan.hooks["complete"] == ("hooks.complete.first", "hooks.complete.second")
    assert plan.tasks["hooks.complete.second"].edges[0].upstream == "hooks.complete.first"
    undo = plan.tasks["undo.a"]
    assert isinstance(undo.action, RunAction)
    assert (undo.action.script, undo.action.shell) == ("y", "bash")
    assert (undo.timeout, undo.retry.attempts) == (timedelta(minutes=5), 5)
    assert [name for name, _ in undo.env.entries] == ["U"]
    assert undo.workdir is not None
    other = plan.tasks["undo.b"]
    assert isinstance(other.action, ExecAction)
    assert other.fan_out is not None
    assert other.fan_out.max_parallel == 1
    assert other.timeout == timedelta(hours=1)


def test_the_digest_is_of_names_and_texts() -> None:
    one = digest_of({"a": "x", "b": "y"})
    assert one == digest_of({"b": "y", "a": "x"})
    assert len({one, digest_of({"a": "xb", "": "y"}), digest_of({"a": "x"}), digest_of({"a": "x", "b": "z"})}) == 4


def test_a_flow_with_errors_is_not_compiled() -> None:
    checked = check_text(b"version: 1\ntasks: {a: {run: x, after: [b]}}", "flow.yaml", None)
    with pytest.raises(InvalidFlow) as caught:
        compile_flow(checked, base=Path("/flows"))
    assert "FLOW201" in {found.code for found in caught.value.diagnostics}
