"""Engines that share a store: what one leaves another finds, what one loses it lets go of, and what is asked is done once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from engine import inbox
from engine.attempts import Launch
from engine.commands import Cancel
from engine.errors import RunTakenAway
from engine.events import AttemptFinished, RunDraining, RunTakenOver
from engine.outcomes import Ending, Failure, Outcome
from engine.plan import Plan
from engine.recovery import MOST_DEATHS, claim, give_up
from engine.store.rows import Message
from tests.checker import check_all, check_logs, decoded
from tests.engine.crashing import Crash, Living, World, finish
from tests.engine.looping import OK, START, plan_of

CHAIN = "tasks: {a: {run: x}, b: {after: [a], run: x}}"


def state_of(world: World, run_id: str) -> str:
    row = world.store.run(run_id)
    assert row is not None
    return row.state


def slowly(launch: Launch) -> tuple[float, Outcome]:
    return 100.0, OK


def killed(world: World, plan: Plan, *, commits: int = 2, **params: Any) -> str:
    """A run whose engine has died after so many commits; its id."""
    engine = Living(world, crash_at=commits)
    run_id = engine.submit(plan, **params)
    with pytest.raises(Crash):
        engine.drive(run_id)
    return run_id


def taken(world: World, run_id: str) -> list[RunTakenOver]:
    return [event for event in decoded(world.store.events(run_id)) if isinstance(event, RunTakenOver)]


# --- finding and claiming -----------------------------------------------------------------------------------------------


def test_who_took_a_run_over_from_whom_and_why_is_in_its_log() -> None:
    world = World()
    run_id = killed(world, plan_of(CHAIN))
    before = world.store.run(run_id)
    assert before is not None
    heir = Living(world)
    [(run, _)] = heir.engine.take_over()
    after = world.store.run(run_id)
    assert after is not None
    assert (after.owner, after.token) == (heir.name, before.token + 1)
    heir.drive(run_id)
    [event] = taken(world, run_id)
    assert (run.id, event.previous, event.owner) == (run_id, before.owner, heir.name)
    assert event.reason.startswith("process ")
    assert event.reason.endswith(" is gone")
    check_all(world.store, world.plans.of, acknowledged=[run_id], ledger=world.ledger)


def test_attempts_are_recovered_from_the_engine_that_started_them_however_often_the_run_changed_hands() -> None:
    world = World({"a": slowly})
    run_id = killed(world, plan_of(CHAIN))
    first = world.store.run(run_id)
    assert first is not None
    for _ in range(2):  # dies again right after it has taken over
        with pytest.raises(Crash):
            Living(world, crash_at=1).engine.take_over()
    finish(world)
    assert state_of(world, run_id) == "succeeded"
    assert [origin for _, origin, _ in world.recovered] == [first.owner]
    assert len(taken(world, run_id)) == 3


def test_a_run_that_was_submitted_and_never_begun_is_begun() -> None:
    world = World()
    Living(world).submit(plan_of(CHAIN))
    finish(world)
    check_all(world.store, world.plans.of, acknowledged=world.acknowledged, ledger=world.ledger)


def test_a_run_that_nobody_holds_is_begun() -> None:
    world = World()
    run_id = Living(world).submit(plan_of(CHAIN))
    row = world.store.run(run_id)
    assert row is not None
    free = replace(claim(row, owner="x", reason="", now=START), run=replace(row, owner=None, token=2, seq=2))
    world.store.commit([free])
    finish(world)
    assert state_of(world, run_id) == "succeeded"


def test_of_two_that_want_the_same_runs_each_gets_those_at_which_it_was_first() -> None:
    world = World()
    plan = plan_of(CHAIN)
    dead = Living(world)
    runs = [dead.submit(plan) for _ in range(4)]
    slower, faster = Living(world), Living(world)
    assert slower.engine._keeper is not None
    slow = slower.engine._keeper._taking_over
    found = list(slow._free(None))
    assert {run.id for run, _ in faster.engine.take_over(runs[1])} == {runs[1]}
    assert [each.driven.run.id for each in slow._take(found[0])] == [runs[0], runs[2], runs[3]]
    slower.drive(runs[0], runs[2], runs[3])
    faster.drive(runs[1])
    check_all(world.store, world.plans.of, acknowledged=runs, ledger=world.ledger)


def test_an_engine_takes_over_by_itself_at_its_beat() -> None:
    world = World({"a": slowly})
    mine = plan_of("tasks: {a: {run: x}}")
    run_id = killed(world, plan_of(CHAIN))
    heir = Living(world, takes_over=True)
    own = heir.submit(mine)
    heir.turn()
    assert not taken(world, run_id)
    heir.drive(own, run_id)
    assert [event.owner for event in taken(world, run_id)] == [heir.name]


def test_an_engine_that_is_told_not_to_takes_nothing_over() -> None:
    world = World({"a": slowly})
    run_id = killed(world, plan_of(CHAIN))
    heir = Living(world)
    heir.drive(heir.submit(plan_of("tasks: {a: {run: x}}")))
    assert not taken(world, run_id)


def test_what_an_engine_takes_by_itself_leaves_room_for_its_own() -> None:
    world = World({"a": slowly})
    dead = Living(world)
    plan = plan_of("tasks: {a: {run: x}}")
    runs = [dead.submit(plan) for _ in range(5)]
    heir = Living(world, takes_over=True, most=2)
    own = heir.submit(plan)
    while world.seconds() < 90:
        heir.turn()
    assert sum(bool(taken(world, run_id)) for run_id in runs) == 2
    heir.drive(own, *runs)
    check_all(world.store, world.plans.of, acknowledged=world.acknowledged, ledger=world.ledger)


def test_what_an_engine_takes_by_itself_queues_up_behind_its_own() -> None:
    world = World({"a": slowly})
    dead = Living(world)
    old = dead.submit(plan_of("tasks: {many: {fan_out: {items: [1, 2, 3, 4, 5, 6]}, run: x}}"))
    dead.turn()
    world.processes.clear()
    world.clock.move_to(world.clock.now() + timedelta(minutes=10))
    heir = Living(world, takes_over=True, slots=1)
    own = heir.submit(plan_of("tasks: {a: {run: x}, b: {after: [a], run: x}, c: {after: [b], run: x}}"))
    heir.drive(own)
    started = [line.task for line in world.ledger if line.what == "start"][6:]
    assert started[:3] == ["a", "b", "c"]
    heir.drive(old)


def test_by_itself_an_engine_takes_only_what_it_can_drive() -> None:
    world = World({"a": slowly})
    secretive = plan_of("""
    secrets: {TOKEN: {from: "env:TOKEN"}}
    tasks: {a: {env: {T: "${{ secrets.TOKEN }}"}, run: x}}
    """)
    world.environment["TOKEN"] = "a-long-secret"
    with_secret = killed(world, secretive)
    unknown = killed(world, plan_of(CHAIN))
    lost_digest = world.store.run(unknown)
    assert lost_digest is not None
    del world.plans.known[lost_digest.digest]
    del world.environment["TOKEN"]
    heir = Living(world, takes_over=True)
    heir.drive(heir.submit(plan_of("description: other\ntasks: {a: {run: x}}")))
    assert taken(world, with_secret) == taken(world, unknown) == []


# --- making again -------------------------------------------------------------------------------------------------------


def test_an_attempt_that_was_committed_and_never_started_is_lost_and_made_again() -> None:
    world = World()
    run_id = killed(world, plan_of(CHAIN), commits=2)
    assert world.ledger == []
    finish(world)
    [lost, again] = [
        event
        for event in decoded(world.store.events(run_id))
        if isinstance(event, AttemptFinished) and event.task == "a"
    ]
    assert (lost.ending, lost.attempt, again.ending, again.attempt) == (Ending.LOST, 1, Ending.SUCCEEDED, 2)


def test_an_attempt_that_was_lost_long_ago_is_lost_and_has_not_timed_out() -> None:
    world = World({"a": slowly})
    run_id = killed(world, plan_of("tasks: {a: {run: x, timeout: 30m}}"), commits=3)
    world.processes.clear()  # the machine was off
    world.clock.move_to(world.clock.now() + timedelta(hours=8))
    finish(world)
    lost = next(event for event in decoded(world.store.events(run_id)) if isinstance(event, AttemptFinished))
    assert lost.ending is Ending.LOST
    assert state_of(world, run_id) == "succeeded"


def test_an_attempt_that_is_lost_again_and_again_is_interrupted() -> None:
    world = World({"a": slowly}, kept=lambda key: False)
    run_id = killed(world, plan_of("tasks: {a: {run: x}}"), commits=3)
    for _ in range(3):
        heir = Living(world, crash_at=3)
        with pytest.raises(Crash):
            heir.drive(*(run.id for run, _ in heir.engine.take_over()))
    finish(world)
    task = world.store.tasks(run_id)[0]
    assert task.error is not None
    assert (state_of(world, run_id), task.error["kind"]) == ("failed", "interrupted")


def test_a_run_whose_flow_cannot_be_made_any_more_fails_and_the_others_go_on() -> None:
    world = World({"a": slowly})
    lost, fine = plan_of("description: old\ntasks: {a: {run: x}}"), plan_of(CHAIN)
    dead = Living(world)
    lost_run, fine_run = dead.submit(lost), dead.submit(fine)
    dead.turn()
    assert len(world.processes) == 2
    del world.plans.known[lost.digest]
    heir = Living(world)
    assert [run.id for run, _ in heir.engine.take_over()] == [fine_run]
    heir.drive(fine_run)
    row = world.store.run(lost_run)
    assert row is not None
    assert (row.state, row.owner) == ("failed", None)
    assert row.error == {"kind": "unreadable", "message": "the flow as it was then is not valid for this flowctl"}
    assert [key.run_id for key in heir.runner.stopped] == [lost_run]
    world.plans.add(lost)
    check_logs(world.store, world.plans.of)


def test_a_secret_that_is_gone_loses_what_needs_it_and_says_so() -> None:
    world = World({"a": slowly})
    world.environment["TOKEN"] = "a-long-secret"
    plan = plan_of("""
    secrets: {TOKEN: {from: "env:TOKEN"}}
    tasks: {a: {env: {T: "${{ secrets.TOKEN }}"}, run: x}}
    """)
    dead = Living(world)
    run_id = dead.submit(plan)
    dead.turn()
    assert len(world.processes) == 1
    del world.environment["TOKEN"]
    finish(world)
    assert world.processes == {}
    first = next(event for event in decoded(world.store.events(run_id)) if isinstance(event, AttemptFinished))
    assert first.ending is Ending.LOST
    assert first.failure == Failure(
        "lost", "it cannot be taken up again: secret `TOKEN`: the variable `TOKEN` is not set"
    )
    assert state_of(world, run_id) == "failed"


def dying(world: World, times: int) -> None:
    """So many engines die as soon as they have taken over what there is."""
    for _ in range(times):
        with pytest.raises(Crash):
            Living(world, crash_at=1).engine.take_over()


def test_a_run_that_kills_every_engine_is_given_up_and_harms_no_more() -> None:
    world = World({"a": slowly})
    run_id = killed(world, plan_of("tasks: {a: {run: x}}"), commits=3)
    dying(world, MOST_DEATHS - 1)
    survivor = Living(world)
    assert len(survivor.engine.take_over()) == 1
    assert survivor.engine.leave()
    dying(world, MOST_DEATHS + 1)
    last = Living(world)
    assert last.engine.take_over() == []
    row = world.store.run(run_id)
    assert row is not None
    assert row.error is not None
    assert (row.state, row.error["kind"]) == ("failed", "interrupted")
    assert [key.task for key in last.runner.stopped] == ["a"]


def test_a_task_may_outlive_any_number_of_engines() -> None:
    world = World({"a": lambda launch: (20 * 3600.0, OK)})
    run_id = killed(world, plan_of("tasks: {a: {run: x, timeout: none}}"), commits=3)
    for _ in range(3 * MOST_DEATHS):
        world.clock.move_to(world.clock.now() + timedelta(minutes=2))
        dying(world, 1)
    finish(world)
    assert state_of(world, run_id) == "succeeded"


# --- runs that call runs ------------------------------------------------------------------------------------------------

CALLING = "tasks: {call: {flow: below.yaml}, last: {after: [call], run: x}}"
BELOW = "name: below\ntasks: {x: {run: x}}"


def called(world: World) -> tuple[str, str]:
    """A run that has called another, both left by a dead engine: their ids."""
    dead = Living(world)
    run_id = dead.submit(plan_of(CALLING, below=BELOW))
    dead.turn()
    [child] = world.store.children(run_id)
    return run_id, child.id


def test_a_called_run_that_has_no_row_is_begun() -> None:
    world = World()
    run_id, child = called(world)
    for table in ("runs", "events", "tasks", "attempts"):
        column = "id" if table == "runs" else "run_id"
        world.store._writer.execute(f"DELETE FROM {table} WHERE {column} = ?", (child,))
    world.processes.clear()
    world.ledger.clear()
    finish(world)
    check_all(world.store, world.plans.of, acknowledged=[run_id], ledger=world.ledger)
    assert [row.id for row in world.store.children(run_id)] == [child]
    assert state_of(world, run_id) == "succeeded"


def test_a_called_run_whose_caller_has_ended_is_cancelled() -> None:
    world = World({"x": slowly})
    run_id, child = called(world)
    world.store._writer.execute("UPDATE runs SET state = 'failed', owner = NULL WHERE id = ?", (run_id,))
    finish(world)
    assert state_of(world, child) == "cancelled"


def test_the_end_of_a_called_run_reaches_a_caller_that_was_not_told() -> None:
    world = World({"x": slowly})
    run_id, child = called(world)
    alone = Living(world)
    alone.engine.take_over()
    caller = alone.engine._hand.driven.pop(run_id)  # as if the engine had forgotten it
    alone.drive(child)
    assert caller.run.tasks["call"].live
    finish(world)
    check_all(world.store, world.plans.of, acknowledged=[run_id], ledger=world.ledger)
    assert state_of(world, run_id) == "succeeded"


def test_one_of_a_family_is_taken_over_with_all_of_it() -> None:
    world = World()
    run_id, child = called(world)
    heir = Living(world)
    assert [run.id for run, _ in heir.engine.take_over(child)] == [run_id, child]
    heir.drive(run_id, child)
    assert state_of(world, run_id) == state_of(world, child) == "succeeded"


# --- losing -------------------------------------------------------------------------------------------------------------


def stolen(world: World, thief: Living, *run_ids: str) -> None:
    """Runs are claimed as if their engine were dead, though it is not."""
    rows = [world.store.run(run_id) for run_id in run_ids]
    claims = [claim(row, owner=thief.name, reason="it was silent", now=world.clock.now()) for row in rows if row]
    world.store.commit(claims)


def test_an_engine_whose_run_was_taken_writes_nothing_of_it_and_goes_on_with_its_others() -> None:
    world = World({"a": slowly})
    slow = Living(world)
    lost, kept = (
        slow.submit(plan_of("tasks: {a: {run: x}, z: {run: x}}")),
        slow.submit(plan_of("description: other\ntasks: {b: {run: x}, c: {after: [b], run: x}}")),
    )
    slow.turn()
    thief = Living(world, boot="elsewhere")
    stolen(world, thief, lost)
    before = world.store.events(lost)
    with pytest.raises(RunTakenAway) as caught:
        slow.engine.drive_all([lost, kept])
    assert caught.value.run_id == lost
    assert caught.value.owner == thief.name
    assert world.store.events(lost) == before
    assert state_of(world, kept) == "succeeded"
    assert [(key.run_id, key.task) for key in slow.runner.stopped] == [(lost, "a")]


def test_what_was_being_made_is_left_to_an_engine_on_the_same_machine() -> None:
    world = World({"a": slowly})
    slow = Living(world)
    run_id = slow.submit(plan_of("tasks: {a: {run: x}, z: {run: x}}"))
    slow.turn()
    stolen(world, Living(world), run_id)
    with pytest.raises(RunTakenAway):
        slow.engine.drive(run_id)
    assert slow.runner.stopped == []
    finish(world)
    check_all(world.store, world.plans.of, acknowledged=[run_id], ledger=world.ledger)


def test_what_was_being_made_is_ended_when_another_machine_is_done_with_the_run() -> None:
    world = World({"a": slowly})
    slow = Living(world)
    run_id = slow.submit(plan_of("tasks: {a: {run: x}, z: {run: x}}"))
    slow.turn()
    stolen(world, Living(world, boot="elsewhere"), run_id)
    row = world.store.run(run_id)
    assert row is not None
    world.store.commit([give_up(row, Failure("unreadable", "for the test"), now=world.clock.now())])
    with pytest.raises(RunTakenAway, match="which is done with it"):
        slow.engine.drive(run_id)
    assert [key.task for key in slow.runner.stopped] == ["a"]


def test_a_family_is_lost_as_a_whole() -> None:
    world = World({"x": slowly})
    slow = Living(world)
    run_id = slow.submit(plan_of(CALLING, below=BELOW))
    slow.turn()
    [child] = world.store.children(run_id)
    stolen(world, Living(world), run_id, child.id)
    slow.engine.cancel(child.id, Cancel())
    with pytest.raises(RunTakenAway):
        slow.engine.drive(run_id)
    assert slow.engine._hand.driven == {}


def test_an_engine_that_was_held_up_finds_out_by_itself_what_it_has_lost() -> None:
    world = World({"a": slowly})
    slow = Living(world)
    lost, kept = slow.submit(plan_of(CHAIN)), slow.submit(plan_of(CHAIN))
    slow.turn()
    thief = Living(world, boot="elsewhere")
    stolen(world, thief, lost)
    world.store.commit([], retired=[slow.name])
    world.clock.move_to(world.clock.now() + timedelta(seconds=60))
    slow.turn()  # nothing of either run has happened
    assert [key.run_id for key in slow.runner.stopped] == [lost]
    assert list(slow.engine._hand.driven) == [kept]
    [holding] = [each for each in world.store.holdings() if each.owner == slow.name]
    assert holding.engine is not None
    assert not holding.engine.retired


def test_what_an_engine_leaves_behind_is_free_though_its_process_lives() -> None:
    world = World({"a": slowly})
    leaving = Living(world)
    run_id = leaving.submit(plan_of(CHAIN))
    leaving.turn()
    assert leaving.engine.leave()
    [holding] = world.store.holdings()
    assert holding.engine is not None
    assert holding.engine.retired
    finish(world)
    check_all(world.store, world.plans.of, acknowledged=[run_id], ledger=world.ledger)


def test_an_engine_holds_a_lease_while_it_holds_a_run_and_keeps_nothing_of_those_that_have_ended() -> None:
    world = World()
    living = Living(world)
    run_id = living.submit(plan_of(CHAIN))
    [holding] = world.store.holdings()
    assert holding.engine is not None
    assert (holding.engine.id, holding.engine.beats) == (living.name, 1)
    living.drive(run_id)
    assert world.store.holdings() == ()
    assert world.store._writer.execute("SELECT count(*) FROM engines").fetchone() == (0,)
    for _ in range(100):
        living.drive(living.submit(plan_of("timeout: 1h\ntasks: {a: {run: x}}")))
    assert living.engine._hand.driven == {}
    assert len(living.engine._hand._alarms) < 100


def test_a_lease_is_renewed_at_each_beat_though_nothing_happens() -> None:
    world = World({"a": slowly})
    living = Living(world)
    run_id = living.submit(plan_of("tasks: {a: {run: x}}"))
    while world.seconds() < 50:
        living.turn()
    [holding] = world.store.holdings()
    assert holding.engine is not None
    assert holding.engine.beats == 11
    living.drive(run_id)


# --- inbox --------------------------------------------------------------------------------------------------------------


def ask(world: World, run_id: str, name: str = "m1", *, force: bool = False) -> Message:
    message = inbox.cancel_message(name, run_id, by="ann", note="enough", force=force, at=world.clock.now())
    world.store.ask(message)
    return message


def answer(world: World, name: str = "m1") -> object:
    found = world.store.message(name)
    assert found is not None
    return None if found.answer is None else found.answer["outcome"]


def test_what_is_asked_is_done_at_once_when_somebody_rings() -> None:
    world = World({"a": slowly})
    living = Living(world)
    run_id = living.submit(plan_of(CHAIN))
    living.turn()
    ask(world, run_id)
    living.engine.look()
    living.turn()
    assert answer(world) == "done"
    [draining] = [event for event in decoded(world.store.events(run_id)) if isinstance(event, RunDraining)]
    assert (draining.reason, draining.by, draining.note) == ("cancelled", "ann", "enough")
    living.drive(run_id)
    assert state_of(world, run_id) == "cancelled"
    assert world.seconds() == 0


def test_what_is_asked_is_found_at_the_next_beat_when_nobody_rings() -> None:
    world = World({"a": slowly})
    living = Living(world)
    run_id = living.submit(plan_of(CHAIN))
    ask(world, run_id)
    living.drive(run_id)
    assert (state_of(world, run_id), world.seconds()) == ("cancelled", 5)


def test_asked_twice_is_once_unless_it_is_by_force() -> None:
    world = World({"a": slowly, "clean": slowly})
    living = Living(world)
    run_id = living.submit(plan_of("tasks: {a: {run: x}, clean: {after_end: [a], run: x}}"))
    living.turn()
    for name in ("m1", "m2"):
        ask(world, run_id, name)
        living.engine.look()
        living.turn()
    living.turn()
    assert (answer(world, "m1"), answer(world, "m2")) == ("done", "already")
    assert state_of(world, run_id) == "running"
    ask(world, run_id, "m3", force=True)
    living.engine.look()
    living.drive(run_id)
    assert (answer(world, "m3"), state_of(world, run_id)) == ("done", "cancelled")
    assert world.seconds() < 100


@pytest.mark.parametrize("written", [False, True])
def test_an_answer_is_there_if_and_only_if_what_follows_is(written: bool) -> None:
    world = World({"a": slowly})
    living = Living(world, crash_at=3, written=written)
    run_id = living.submit(plan_of(CHAIN))
    living.turn()
    ask(world, run_id)
    living.engine.look()
    with pytest.raises(Crash):
        living.drive(run_id)
    was_cancelled = any(isinstance(event, RunDraining) for event in decoded(world.store.events(run_id)))
    assert was_cancelled == (answer(world) == "done") == written
    heir = Living(world)
    heir.engine.take_over()
    heir.drive(run_id)
    assert (answer(world), state_of(world, run_id)) == ("done", "cancelled")


def test_what_an_engine_does_not_know_it_says_it_does_not() -> None:
    world = World()
    living = Living(world)
    run_id = living.submit(plan_of(CHAIN))
    world.store.ask(Message("m1", run_id, "dance", {}, "ann", world.clock.now()))
    living.engine.look()
    living.drive(run_id)
    assert (answer(world), state_of(world, run_id)) == ("unknown", "succeeded")


def test_what_was_asked_of_an_engine_that_lost_the_run_is_done_by_the_one_that_has_it() -> None:
    world = World({"a": slowly})
    slow = Living(world)
    run_id = slow.submit(plan_of(CHAIN))
    slow.turn()
    ask(world, run_id)
    thief = Living(world)
    stolen(world, thief, run_id)
    slow.engine.look()
    slow.turn()
    assert answer(world) is None
    finish(world)
    assert (answer(world), state_of(world, run_id)) == ("done", "cancelled")
    assert world.seconds() == 0


def test_a_run_that_was_taken_while_its_engine_was_held_up_is_noticed_before_the_next_one_is_submitted() -> None:
    world = World({"a": slowly})
    slow = Living(world)
    lost = slow.submit(plan_of(CHAIN))
    slow.turn()
    stolen(world, Living(world), lost)
    world.clock.move_to(world.clock.now() + timedelta(seconds=60))
    kept = slow.submit(plan_of(CHAIN))
    assert list(slow.engine._hand.driven) == [kept]
