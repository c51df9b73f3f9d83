"""The drawing for a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.drawing.labels import columns
from engine.drawing.model import NodeState, draw
from engine.drawing.text import Screen, to_text
from engine.states import TaskState
from tests.engine.drawing.pictures import CANARIES, every_state, everything, hostile, large
from tests.engine.plans import make_plan

EXPECTED = """\
tiny: 4 tasks in 3 waves
1 running, 1 succeeded

1 ─ ✓ fetch      run  succeeded, 1.2s
  │
2 ┬ ▶ parse ×12  run  running, 9/12, 1 failed  after fetch
  └ • lint       run                           after fetch; if params.lint
  │
3 ─ • load       run                           after parse, lint
"""  # noqa: RUF001 - the sign we write


def tiny() -> str:
    """Four tasks, two of them with states."""
    plan = make_plan(
        {
            "fetch": {},
            "parse": {"after": ["fetch"], "fan_out": 12},
            "lint": {"after": ["fetch"], "if": "params.lint"},
            "load": {"after": ["parse", "lint"]},
        },
        name="tiny",
    )
    states = {
        "fetch": NodeState(TaskState.SUCCEEDED, duration_s=1.2),
        "parse": NodeState(TaskState.RUNNING, {"total": 12, "succeeded": 9, "failed": 1}),
    }
    return to_text(draw(plan, states))


def test_waves_run_from_top_to_bottom_with_needs_states_and_counts() -> None:
    assert tiny() == EXPECTED


def test_every_link_is_told_in_words() -> None:
    made = to_text(draw(everything()), Screen(width=200))
    for words in (
        "after start of database (within 1m, else skip)",
        "held open by coverage",
        "after failure of deploy",
        "after end of deploy",
        "arm of route (params.ref == 'main')",
        "arm of route (else)",
        "run again by check",
        "hooks after failure",
        "undoes deploy",
    ):
        assert words in made


def test_every_state_has_its_word_and_its_sign() -> None:
    plan, states = every_state()
    plain = to_text(draw(plan, states), Screen(unicode=False))
    assert plain.isascii()
    for state in TaskState:
        assert f" {state.value}" in plain


def test_colour_is_written_only_when_asked_for() -> None:
    plan, states = every_state()
    assert "\x1b" not in to_text(draw(plan, states))
    assert "\x1b[1;31m" in to_text(draw(plan, states), Screen(colour=True))


@pytest.mark.parametrize("tasks", [5, 60, 199, 500, 10_000])
def test_the_text_stays_readable_for_any_number_of_tasks(tasks: int) -> None:
    lines = to_text(draw(large(tasks, layer=min(tasks, 20)))).splitlines()
    assert lines[0].startswith(f"large: {tasks:,} tasks in")
    assert len(lines) <= max(3 * tasks, 120)


def test_a_long_chain_is_summed_up_and_its_failures_are_listed() -> None:
    chain = {f"t{n}": {"after": [f"t{n - 1}"] if n else []} for n in range(10_000)}
    states = {f"t{n}": NodeState(TaskState.SUCCEEDED) for n in range(5_000)} | {"t5000": NodeState(TaskState.FAILED)}
    made = to_text(draw(make_plan(chain, name="chain"), states))
    assert len(made.splitlines()) < 80
    assert "… 9,940 waves with 9,940 tasks" in made
    assert "✗ t5000  failed" in made


@pytest.mark.parametrize("text", CANARIES)
@pytest.mark.parametrize("screen", [Screen(80), Screen(60, unicode=False), Screen(1)])
def test_no_text_reaches_the_terminal_uncleaned(text: str, screen: Screen) -> None:
    made = to_text(draw(hostile(text), expand_children=True), screen)
    for line in made.split("\n"):
        assert line.isprintable()
        assert columns(line) <= max(screen.width, 40)
        assert screen.unicode or line.isascii()


@given(st.text(max_size=40), st.integers(-5, 200), st.booleans())
@settings(max_examples=100, deadline=None)
def test_any_text_fits_any_width(text: str, width: int, unicode: bool) -> None:
    made = to_text(draw(hostile(text)), Screen(width, unicode))
    assert max(columns(line) for line in made.split("\n")) <= max(width, 40)
