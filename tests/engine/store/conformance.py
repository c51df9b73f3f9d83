"""What every store does. A store's test subclasses `StoreConformance` and hands in how an empty one is made."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from engine.errors import BadCursor, StoreConflict, StoreError, StoreUnavailable
from engine.store.port import Store
from engine.store.rows import Answer, EngineRow, Message, RunFilter, RunRow, Snapshot, SpecRow

from . import samples
from .samples import NOW, attempt, continuing, event, inserting, lease, run, task

ALL = RunFilter(top_level_only=False)


class StoreConformance:
    """The suite. Subclasses give the fixture `store`, an empty store that is closed afterwards."""

    # --- commit -----------------------------------------------------------------------------------------------------

    def test_what_is_committed_is_read_back(self, store: Store) -> None:
        row = run("r1", seq=2, labels={"team": "a"}, owner="host/boot/1/2", outputs={"x": [1, None, "é"]})
        spec = SpecRow("d1", "etl", {"etl.yaml": "version: 1\n"}, NOW)
        batch = inserting(row, tasks=(task("r1", "load"),), attempts=(attempt("r1", "load"),), spec=spec)
        store.commit([batch])
        assert store.run("r1") == row
        assert store.events("r1") == batch.events
        assert store.tasks("r1") == batch.tasks
        assert store.attempts("r1") == batch.attempts
        assert store.spec("d1") == spec

    def test_what_is_not_there_is_none_or_empty(self, store: Store) -> None:
        assert store.run("r1") is None
        assert store.spec("d1") is None
        assert store.latest() is None
        assert store.resolve("abcd") == ()
        assert store.runs(RunFilter(), limit=5).items == ()
        assert (store.events("r1"), store.tasks("r1"), store.attempts("r1"), store.children("r1")) == ((), (), (), ())

    def test_a_commit_of_nothing_writes_nothing(self, store: Store) -> None:
        store.commit([])
        assert store.latest() is None

    def test_a_spec_is_stored_once(self, store: Store) -> None:
        first = SpecRow("d1", "etl", {"etl.yaml": "a"}, NOW)
        store.commit([inserting(run("r1"), spec=first)])
        store.commit([inserting(run("r2"), spec=replace(first, created_at=NOW + timedelta(days=1)))])
        assert store.spec("d1") == first

    def test_a_later_batch_changes_the_run_and_continues_its_log(self, store: Store) -> None:
        store.commit([inserting(run("r1"))])
        ended = run("r1", state="failed", ended_at=NOW, error={"kind": "exit"}, warnings=3, noop=True, undo="done")
        store.commit([continuing(ended, events=2)])
        assert store.run("r1") == replace(ended, seq=3)
        assert [each.seq for each in store.events("r1")] == [1, 2, 3]

    def test_the_last_state_of_a_task_and_an_attempt_stays(self, store: Store) -> None:
        row = run("r1")
        store.commit([inserting(row, tasks=(task("r1", "load"),), attempts=(attempt("r1", "load"),))])
        done = replace(task("r1", "load"), state="failed", attempts=1, ended_at=NOW, error={"kind": "exit"}, cause="x")
        ended = replace(attempt("r1", "load"), state="failed", exit_code=3, ended_at=NOW, signal="KILL", child_run="c")
        store.commit([continuing(row, tasks=(task("r1", "load"), done), attempts=(ended,))])
        assert store.tasks("r1") == (done,)
        assert store.attempts("r1") == (ended,)

    def test_one_commit_may_hold_several_batches_of_one_run(self, store: Store) -> None:
        row = run("r1")
        second = replace(row, seq=2, state="succeeded")
        store.commit([inserting(row), continuing(row), continuing(second, events=3)])
        assert store.run("r1") == replace(second, seq=5)
        assert len(store.events("r1")) == 5

    def test_an_owner_is_changed_without_an_event(self, store: Store) -> None:
        row = run("r1", token=1)
        store.commit([inserting(row)])
        taken = replace(row, token=2, owner="other")
        store.commit([continuing(taken, events=0, expected_token=1)])
        assert store.run("r1") == taken

    # --- leases -----------------------------------------------------------------------------------------------------

    def test_a_lease_is_taken_with_the_first_run_and_holds_it(self, store: Store) -> None:
        store.commit([inserting(run("r1", owner="a")), inserting(run("r2", owner="a"))], lease=lease("a"))
        (holding,) = store.holdings()
        assert (holding.owner, holding.runs) == ("a", 2)
        assert holding.engine is not None
        assert replace(holding.engine, lapsed=timedelta()) == EngineRow("a", NOW, 1, False, timedelta())
        assert timedelta(seconds=-15) <= holding.engine.lapsed < timedelta()

    def test_a_beat_renews_a_lease_that_has_run_out(self, store: Store) -> None:
        store.commit([inserting(run("r1", owner="a"))], lease=lease("a", lasts=timedelta(microseconds=1)))
        (before,) = store.holdings()
        store.commit([], lease=lease("a"))
        (after,) = store.holdings()
        assert before.engine is not None
        assert after.engine is not None
        assert before.engine.lapsed >= timedelta() > after.engine.lapsed
        assert (before.engine.beats, after.engine.beats) == (1, 2)

    def test_a_lease_that_is_given_back_is_gone(self, store: Store) -> None:
        row = run("r1", owner="a")
        store.commit([inserting(row)], lease=lease("a"))
        store.commit([continuing(replace(row, state="failed", owner=None))], lease=lease("a", lasts=timedelta()))
        assert store.holdings() == ()

    def test_holdings_are_of_unfinished_runs_and_of_nobody_too(self, store: Store) -> None:
        rows = [
            run("r1", state="queued"),
            run("r2", state="scheduled", owner="a"),
            run("r3", state="failed", owner="a"),
            run("r4", state="succeeded"),
            run("r5", state="cancelled"),
        ]
        store.commit([inserting(row) for row in rows])
        assert {(each.owner, each.runs, each.engine) for each in store.holdings()} == {(None, 1, None), ("a", 1, None)}

    def test_a_retired_engine_is_known_while_it_holds_something(self, store: Store) -> None:
        first, second = run("r1", owner="a", token=1), run("r2", owner="a", token=1)
        store.commit([inserting(first), inserting(second)], lease=lease("a"))
        taken = replace(first, owner="b", token=2)
        store.commit([continuing(taken, expected_token=1)], lease=lease("b"), retired=["a"])
        retired = {each.owner: each.engine and each.engine.retired for each in store.holdings()}
        assert retired == {"a": True, "b": False}
        taken = replace(second, owner="b", token=2)
        store.commit([continuing(taken, expected_token=1)], retired=["a"])
        store.commit([inserting(run("r3", owner="a"))])
        assert {each.owner: each.engine is None for each in store.holdings()} == {"a": True, "b": False}

    def test_an_engine_that_was_retired_wrongly_comes_back_with_its_next_beat(self, store: Store) -> None:
        store.commit([inserting(run("r1", owner="a"))], lease=lease("a"))
        store.commit([], retired=["a"])
        store.commit([], lease=lease("a"))
        (holding,) = store.holdings()
        assert holding.engine is not None
        assert not holding.engine.retired

    def test_of_a_commit_that_conflicts_no_lease_stays(self, store: Store) -> None:
        row = run("r1", token=1, owner="a")
        store.commit([inserting(row)])
        with pytest.raises(StoreConflict):
            store.commit([continuing(row, expected_token=7)], lease=lease("a"))
        (holding,) = store.holdings()
        assert holding.engine is None

    def test_what_is_held_is_listed_by_id_page_after_page(self, store: Store) -> None:
        rows = [run(f"r{n}", created=-n, owner="a", parent_run="r1" if n == 3 else None) for n in range(1, 5)]
        store.commit([inserting(row) for row in (*rows, run("r5"), run("r6", state="failed", owner="a"))])
        assert store.held("a", limit=10) == tuple(rows)
        assert store.held("a", limit=2) == tuple(rows[:2])
        assert store.held("a", after="r2", limit=2) == tuple(rows[2:])
        assert [row.id for row in store.held(None, limit=10)] == ["r5"]
        assert store.held("b", limit=10) == ()

    # --- inbox ------------------------------------------------------------------------------------------------------

    def test_a_message_is_for_whoever_holds_its_run_until_it_is_answered(self, store: Store) -> None:
        store.commit([inserting(run("r1", owner="a")), inserting(run("r2", owner="b"))])
        message = Message("m1", "r1", "cancel", {"force": True}, "me", NOW)
        store.ask(message)
        store.ask(Message("m2", "r2", "cancel", {}, "me", NOW))
        assert store.asked("a") == (message,)
        assert store.message("m1") == message
        store.commit([], answers=[Answer("m1", NOW, {"done": True})])
        assert store.asked("a") == ()
        assert store.message("m1") == replace(message, done_at=NOW, answer={"done": True})

    def test_messages_come_in_the_order_in_which_they_were_asked(self, store: Store) -> None:
        store.commit([inserting(run("r1", owner="a"))])
        messages = [Message(f"m{n}", "r1", "cancel", {}, "me", NOW - timedelta(seconds=n)) for n in range(3)]
        for message in messages:
            store.ask(message)
        assert store.asked("a") == tuple(reversed(messages))

    def test_asking_and_answering_twice_is_once(self, store: Store) -> None:
        store.commit([inserting(run("r1", owner="a"))])
        store.ask(Message("m1", "r1", "cancel", {}, "me", NOW))
        store.ask(Message("m1", "r1", "cancel", {"force": True}, "other", NOW))
        store.commit([], answers=[Answer("m1", NOW, {"first": True})])
        store.commit([], answers=[Answer("m1", NOW + timedelta(days=1), {"first": False})])
        expected = Message("m1", "r1", "cancel", {}, "me", NOW, done_at=NOW, answer={"first": True})
        assert store.message("m1") == expected
        assert store.message("m2") is None

    def test_an_answer_is_written_with_what_it_is_about_or_not_at_all(self, store: Store) -> None:
        row = run("r1", owner="a", token=1)
        store.commit([inserting(row)])
        store.ask(Message("m1", "r1", "cancel", {}, "me", NOW))
        with pytest.raises(StoreConflict):
            store.commit([continuing(row, expected_token=7)], answers=[Answer("m1", NOW)])
        message = store.message("m1")
        assert message is not None
        assert message.done_at is None

    # --- conflicts --------------------------------------------------------------------------------------------------

    def test_of_two_takeovers_one_wins(self, store: Store) -> None:
        row = run("r1", token=1)
        store.commit([inserting(row)])
        store.commit([continuing(replace(row, token=2, owner="a"), events=0, expected_token=1)])
        with pytest.raises(StoreConflict):
            store.commit([continuing(replace(row, token=3, owner="b"), events=0, expected_token=1)])
        found = store.run("r1")
        assert found is not None
        assert found.owner == "a"

    def test_an_old_owner_writes_nothing(self, store: Store) -> None:
        row = run("r1", token=1)
        store.commit([inserting(row)])
        store.commit([continuing(replace(row, token=2), events=0, expected_token=1)])
        with pytest.raises(StoreConflict) as caught:
            store.commit([continuing(row)])
        assert caught.value.run_ids == ("r1",)
        assert len(store.events("r1")) == 1

    def test_a_second_writer_of_the_same_event_is_refused(self, store: Store) -> None:
        row = run("r1")
        store.commit([inserting(row)])
        store.commit([continuing(row)])
        with pytest.raises(StoreConflict):
            store.commit([continuing(row)])

    def test_a_run_that_exists_is_not_inserted_again(self, store: Store) -> None:
        store.commit([inserting(run("r1"))])
        with pytest.raises(StoreConflict) as caught:
            store.commit([inserting(run("r1", seq=2))])
        assert caught.value.run_ids == ("r1",)
        assert store.run("r1") == run("r1")

    def test_a_run_that_does_not_exist_is_not_changed(self, store: Store) -> None:
        with pytest.raises(StoreConflict) as caught:
            store.commit([continuing(run("r1"))])
        assert caught.value.run_ids == ("r1",)
        assert store.events("r1") == ()

    def test_a_conflict_in_one_batch_undoes_all_of_them_and_names_the_run(self, store: Store) -> None:
        kept, lost = run("kept"), run("lost", seq=2)
        store.commit([inserting(kept), inserting(lost)])
        stale = replace(lost, seq=1)
        with pytest.raises(StoreConflict) as caught:
            store.commit(
                [
                    inserting(run("new"), tasks=(task("new", "load"),)),
                    continuing(kept, tasks=(task("kept", "load"),)),
                    continuing(stale, attempts=(attempt("lost", "load"),)),
                ]
            )
        assert caught.value.run_ids == ("lost",)
        assert store.run("new") is None
        assert (store.run("kept"), store.run("lost")) == (kept, lost)
        assert (store.tasks("kept"), store.tasks("new"), store.attempts("lost")) == ((), (), ())
        store.commit([continuing(kept)])

    def test_a_batch_that_leaves_a_gap_in_the_log_is_a_defect_of_the_caller(self, store: Store) -> None:
        row = run("r1")
        store.commit([inserting(row)])
        gap = replace(continuing(row), events=(event("r1", 3),))
        with pytest.raises(ValueError, match="does not continue its log"):
            store.commit([gap])
        assert len(store.events("r1")) == 1

    # --- values -----------------------------------------------------------------------------------------------------

    def test_any_text_survives(self, store: Store) -> None:
        odd = "\0 a\0b \u2028 \U0010ffff é 'quote' \"double\" % ? \r\n\x1b[2J"
        row = run("r1", flow=odd, owner=odd, params={odd: [odd]}, labels={"k": odd})
        named = replace(task("r1", odd), key=odd, cause=odd)
        store.commit([inserting(row, events=(event("r1", 1, {odd: odd}),), tasks=(named,))])
        assert store.run("r1") == row
        assert store.tasks("r1") == (named,)
        assert store.events("r1")[0].data == {odd: odd}
        assert store.runs(RunFilter(flow=odd), limit=2).items == (row,)

    def test_what_utf8_cannot_hold_is_replaced(self, store: Store) -> None:
        row = run("r1", params={"name": "a\ud800b", "\udcff": 1})
        store.commit([inserting(row, tasks=(replace(task("r1", "load"), key="\udc80"),))])
        found = store.run("r1")
        assert found is not None
        assert found.params == {"name": "a\ufffdb", "\ufffd": 1}
        assert store.tasks("r1")[0].key == "\ufffd"

    def test_a_name_that_utf8_cannot_hold_finds_nothing(self, store: Store) -> None:
        store.commit([inserting(run("r1"))])
        assert store.run("r1\udcff") is None
        assert store.resolve("abcd\udcff") == ()
        assert store.runs(RunFilter(flow="\ud800"), limit=1).items == ()

    def test_a_value_that_cannot_be_stored_is_refused_and_nothing_written(self, store: Store) -> None:
        deep: list[object] = []
        for _ in range(100_000):
            deep = [deep]
        for refused in (
            run("r1", params={"deep": deep}),
            run("r1", params={"long": 10**5000}),
            run("r1", warnings=1 << 63),
        ):
            with pytest.raises(StoreError, match="`r1` is too large or nested too deeply"):
                store.commit([inserting(run("r0")), inserting(refused)])
        assert store.run("r0") is None
        store.commit([inserting(run("r0"))])

    def test_large_values_survive(self, store: Store) -> None:
        large = "x\n" * (1 << 20)
        store.commit([inserting(run("r1"), events=(event("r1", 1, {"output": large}),))])
        assert store.events("r1")[0].data == {"output": large}

    @settings(
        max_examples=20,
        deadline=None,
        # One store for all examples, and one test for all stores, are what is wanted here.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(row=samples.runs.filter(lambda row: row.id != ""))
    def test_any_run_survives(self, store: Store, row: RunRow) -> None:
        if store.run(row.id) is None:
            row = replace(row, seq=0)
            store.commit([inserting(row)])
            assert store.run(row.id) == row

    # --- lists ------------------------------------------------------------------------------------------------------

    def test_runs_are_listed_newest_first_and_paged_without_loss(self, store: Store) -> None:
        rows = [run(f"r{n:02}", created=n // 3) for n in range(20)]
        store.commit([inserting(row) for row in rows])
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = store.runs(RunFilter(), limit=6, cursor=cursor)
            seen += [row.id for row in page.items]
            cursor = page.next
            if cursor is None:
                break
            assert len(page.items) == 6
        assert seen == [row.id for row in reversed(rows)]

    def test_a_full_last_page_has_no_next_one(self, store: Store) -> None:
        store.commit([inserting(run(f"r{n}", created=n)) for n in range(4)])
        first = store.runs(RunFilter(), limit=2)
        assert store.runs(RunFilter(), limit=2, cursor=first.next).next is None

    def test_runs_that_come_later_do_not_move_the_pages(self, store: Store) -> None:
        store.commit([inserting(run(f"r{n}", created=n)) for n in range(4)])
        first = store.runs(RunFilter(), limit=2)
        store.commit([inserting(run("r9", created=9))])
        assert [row.id for row in store.runs(RunFilter(), limit=2, cursor=first.next).items] == ["r1", "r0"]

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (RunFilter(), "fedba"),
            (ALL, "fedcba"),
            (RunFilter(flow="web"), "fd"),
            (RunFilter(states=("failed",)), "eb"),
            (RunFilter(states=("running", "failed", "running")), "edb"),
            (RunFilter(states=()), ""),
            (RunFilter(states=("failed", "succeeded"), flow="etl"), "eba"),
            (RunFilter(since=NOW + timedelta(seconds=3)), "fed"),
            (RunFilter(until=NOW + timedelta(seconds=3)), "ba"),
            (RunFilter(since=NOW + timedelta(seconds=1), until=NOW + timedelta(seconds=2)), "b"),
            (RunFilter(flow="none"), ""),
        ],
    )
    @pytest.mark.parametrize("limit", [1, 2, 10])
    def test_lists_hold_what_the_filter_says(self, store: Store, where: RunFilter, expected: str, limit: int) -> None:
        store.commit(
            [
                inserting(run("a", created=0, state="succeeded")),
                inserting(run("b", created=1, state="failed")),
                inserting(run("c", created=2, state="failed", parent_run="b", parent_task="call")),
                inserting(run("d", created=3, state="running", flow="web")),
                inserting(run("e", created=4, state="failed")),
                inserting(run("f", created=5, state="succeeded", flow="web")),
            ]
        )
        found, cursor = "", None
        while True:
            page = store.runs(where, limit=limit, cursor=cursor)
            found += "".join(row.id for row in page.items)
            cursor = page.next
            if cursor is None:
                break
        assert found == expected

    def test_a_changed_state_moves_the_run_to_another_list(self, store: Store) -> None:
        row = run("r1")
        store.commit([inserting(row)])
        store.commit([continuing(replace(row, state="failed"))])
        assert store.runs(RunFilter(states=("running",)), limit=1).items == ()
        assert [each.id for each in store.runs(RunFilter(states=("failed",)), limit=1).items] == ["r1"]

    @pytest.mark.parametrize(
        "cursor",
        ["", "x", "====", "MTIz", "é", "a" * 100_000, "\ud800", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk6YQ", "MV8wOmE"],
    )
    def test_a_cursor_no_list_returned_is_refused(self, store: Store, cursor: str) -> None:
        with pytest.raises(BadCursor):
            store.runs(RunFilter(), limit=1, cursor=cursor)

    def test_odd_limits_do_no_harm(self, store: Store) -> None:
        store.commit([inserting(run(f"r{n}", created=n, seq=2)) for n in range(3)])
        for limit in (0, -1):
            assert [row.id for row in store.runs(RunFilter(), limit=limit).items] == ["r2"]
            assert store.events("r1", limit=limit) == ()
        assert len(store.runs(RunFilter(), limit=10**30).items) == 3
        assert len(store.events("r1", limit=10**30)) == 2
        assert store.events("r1", after=10**30) == ()

    # --- looking up -------------------------------------------------------------------------------------------------

    def test_a_run_is_found_by_the_end_or_the_start_of_its_id(self, store: Store) -> None:
        ids = ["20260304-aaaa1111", "20260304-bbbb1111", "20260305-cccc2222"]
        store.commit([inserting(run(run_id, created=n)) for n, run_id in enumerate(ids)])
        assert store.resolve("2222") == (ids[2],)
        assert store.resolve("b1111") == (ids[1],)
        assert store.resolve("1111") == (ids[1], ids[0])
        assert store.resolve("20260304") == (ids[1], ids[0])
        assert store.resolve("2026") == (ids[2], ids[1], ids[0])
        assert store.resolve("2026", limit=2) == (ids[2], ids[1])
        assert store.resolve("aaaa") == ()

    def test_a_part_of_an_id_needs_four_characters(self, store: Store) -> None:
        store.commit([inserting(run("20260304-aaaa1111"))])
        for short in ("", "2", "202", "111"):
            assert store.resolve(short) == ()

    def test_a_whole_id_is_meant_however_short(self, store: Store) -> None:
        store.commit([inserting(run(run_id)) for run_id in ("r1", "deploy", "deploy-2", "my-deploy")])
        assert store.resolve("r1") == ("r1",)
        assert store.resolve("deploy") == ("deploy",)

    def test_signs_with_a_meaning_in_patterns_have_none(self, store: Store) -> None:
        store.commit([inserting(run("20260304-aaaa1111"))])
        for text in ("2026%", "2026____", "2026*", "%1111", "' OR 1=1 --"):
            assert store.resolve(text) == ()

    def test_an_id_is_found_by_characters_beyond_ascii(self, store: Store) -> None:
        store.commit([inserting(run("nächtlich-é\U0001f680"))])
        assert store.resolve("nächt") == ("nächtlich-é\U0001f680",)
        assert store.resolve("h-é\U0001f680") == ("nächtlich-é\U0001f680",)

    def test_the_latest_run_is_a_top_level_one(self, store: Store) -> None:
        store.commit([inserting(run("a", created=1)), inserting(run("b", created=2)), inserting(run("c", created=0))])
        store.commit([inserting(run("d", created=3, parent_run="b", parent_task="call"))])
        assert store.latest() == "b"

    def test_children_are_listed_oldest_first(self, store: Store) -> None:
        store.commit([inserting(run("top"))])
        children = [run(f"c{n}", created=9 - n, parent_run="top", parent_task="call") for n in range(3)]
        store.commit([inserting(row) for row in children])
        assert store.children("top") == tuple(reversed(children))
        assert store.children("c0") == ()

    # --- tasks, attempts, events ------------------------------------------------------------------------------------

    def test_tasks_are_in_file_order_with_items_behind_their_task(self, store: Store) -> None:
        names = [("load", 1), ("extract", 0), ("write", 2)]
        plain = [task("r1", name, position=position) for name, position in names]
        items = [task("r1", "load", item=n, position=1) for n in (10, 2, 0)]
        store.commit([inserting(run("r1"), tasks=tuple(plain + items)), inserting(run("r2"), tasks=(task("r2", "x"),))])
        assert [row.task for row in store.tasks("r1")] == ["extract", "load", "write"]
        assert [(row.task, row.item) for row in store.tasks("r1", items=True)] == [
            ("extract", -1),
            ("load", -1),
            ("load", 0),
            ("load", 2),
            ("load", 10),
            ("write", -1),
        ]

    def test_attempts_are_in_order_of_task_item_round_and_number(self, store: Store) -> None:
        tasks = (
            task("r1", "b", position=0),
            task("r1", "a", position=1),
            *(task("r1", "a", item=n, position=1) for n in (0, 1)),
        )
        attempts = (
            attempt("r1", "a", 1, item=1),
            attempt("r1", "a", 2, item=0),
            attempt("r1", "a", 1, item=0, round_=2),
            attempt("r1", "a", 1, item=0),
            attempt("r1", "b", 10),
            attempt("r1", "b", 2),
        )
        store.commit([inserting(run("r1"), tasks=tasks, attempts=attempts)])
        found = store.attempts("r1")
        keys = [(row.task, row.item, row.round, row.attempt) for row in found]
        assert keys == [
            ("b", -1, 1, 2),
            ("b", -1, 1, 10),
            ("a", 0, 1, 1),
            ("a", 0, 1, 2),
            ("a", 0, 2, 1),
            ("a", 1, 1, 1),
        ]
        assert store.attempts("r1", task="b") == found[:2]
        assert store.attempts("r1", task="a", item=1) == found[5:]
        assert store.attempts("r1", task="none") == ()

    def test_events_are_read_from_any_place(self, store: Store) -> None:
        store.commit([inserting(run("r1", seq=12)), inserting(run("r2", seq=1))])
        assert [row.seq for row in store.events("r1")] == list(range(1, 13))
        assert [row.seq for row in store.events("r1", after=9)] == [10, 11, 12]
        assert [row.seq for row in store.events("r1", after=3, limit=2)] == [4, 5]
        assert store.events("r1", after=12) == ()

    # --- removing ---------------------------------------------------------------------------------------------------

    def test_a_removed_run_leaves_nothing_and_its_neighbours_stay(self, store: Store) -> None:
        for name in ("r1", "r2"):
            row = run(name, state="failed", digest=name)
            spec = SpecRow(name, "etl", {"etl.yaml": name}, NOW)
            store.commit([inserting(row, tasks=(task(name, "a"),), attempts=(attempt(name, "a"),), spec=spec)])
            store.ask(Message(f"m-{name}", name, "cancel", {}, "ada", NOW))
        kept = store.run("r2"), store.events("r2"), store.tasks("r2"), store.attempts("r2"), store.message("m-r2")
        store.remove([run("r1", state="failed", digest="r1")])
        assert store.run("r1") is None
        assert store.resolve("r1") == ()
        assert (store.events("r1"), store.tasks("r1"), store.attempts("r1"), store.message("m-r1")) == (
            (),
            (),
            (),
            None,
        )
        assert (
            store.run("r2"),
            store.events("r2"),
            store.tasks("r2"),
            store.attempts("r2"),
            store.message("m-r2"),
        ) == kept
        later = NOW + timedelta(microseconds=1)
        store.remove_unused_specs(NOW)
        assert (store.unused_specs(NOW), store.unused_specs(later)) == ((), ("r1",))
        store.remove_unused_specs(later)
        assert (store.unused_specs(later), store.spec("r1")) == ((), None)
        assert store.spec("r2") is not None

    @pytest.mark.parametrize("state", ["scheduled", "queued", "running"])
    def test_a_run_that_goes_on_is_not_removed(self, store: Store, state: str) -> None:
        store.commit([inserting(run("r1", state="failed")), inserting(run("r2", state=state))])
        with pytest.raises(StoreConflict):
            store.remove([run("r1", state="failed"), run("r2", state=state)])
        assert [row.id for row in store.runs(ALL, limit=5).items] == ["r2", "r1"]
        assert len(store.events("r1")) == len(store.events("r2")) == 1

    def test_a_run_that_has_changed_since_it_was_read_is_not_removed(self, store: Store) -> None:
        row = run("r1", state="failed")
        store.commit([inserting(row)])
        store.commit([continuing(row)])
        for stale in (row, replace(row, seq=2, token=9), run("r9", state="failed")):
            with pytest.raises(StoreConflict):
                store.remove([stale])
        assert len(store.events("r1")) == 2

    def test_removing_nothing_is_no_mistake(self, store: Store) -> None:
        store.remove([])
        store.remove_unused_specs(NOW)

    # --- what must hold ---------------------------------------------------------------------------------------------

    def test_ids_come_in_order_page_by_page(self, store: Store) -> None:
        store.commit([inserting(run(name, parent_run="b" if name == "c" else None)) for name in ("c", "a", "b", "B")])
        assert store.ids(limit=9) == ("B", "a", "b", "c")
        assert store.ids(limit=2) == ("B", "a")
        assert store.ids(after="a", limit=2) == ("b", "c")
        assert store.ids(after="c", limit=2) == ()

    def test_a_store_as_engines_leave_it_has_no_flaws(self, store: Store) -> None:
        spec = SpecRow("d1", "etl", {}, NOW)
        store.commit([inserting(run("a", token=1), tasks=(task("a", "t"),), attempts=(attempt("a", "t"),), spec=spec)])
        store.commit([inserting(run("b", parent_run="a", state="failed"))])
        assert list(store.flaws()) == []

    def test_flaws_name_the_runs(self, store: Store) -> None:
        spec = SpecRow("d1", "etl", {}, NOW)
        orphaned = inserting(run("a"), tasks=(task("x", "t"),), attempts=(attempt("y", "t"),), spec=spec)
        store.commit([replace(orphaned, events=(event("z", 1),))])
        store.commit([inserting(run("b", digest="d2")), inserting(run("c", parent_run="nobody"))])
        store.commit([inserting(run("d", state="failed", owner="me")), inserting(run("e", token=-1))])
        assert [(flaw.run_id, flaw.text.split()[-1]) for flaw in store.flaws()] == [
            ("z", "run"),
            ("x", "run"),
            ("y", "run"),
            ("b", "missing"),
            ("c", "missing"),
            ("a", "says"),
            ("e", "none"),
            ("d", "engine"),
        ]

    # --- a run of one instant ---------------------------------------------------------------------------------------

    def test_a_snapshot_is_a_run_with_its_tasks_and_attempts(self, store: Store) -> None:
        row = run("r1")
        tasks = (task("r1", "a"), task("r1", "a", item=0), task("r1", "b", position=1))
        store.commit([inserting(row, tasks=tasks, attempts=(attempt("r1", "a", item=0), attempt("r1", "b")))])
        assert store.snapshot("r1") == Snapshot(row, store.tasks("r1", items=True), store.attempts("r1"))
        assert store.snapshot("r9") is None

    def test_a_snapshot_is_of_one_instant_while_others_write(self, store: Store) -> None:
        row = run("r1", warnings=0)
        store.commit([inserting(row, tasks=(task("r1", "a"),))])
        over = threading.Event()
        torn: list[Snapshot] = []

        def look() -> None:
            while not over.is_set():
                found = store.snapshot("r1")
                if found is None or found.run.warnings != found.tasks[0].attempts:
                    torn.append(found)  # type: ignore[arg-type]  # `None` fails the test as well

        looking = threading.Thread(target=look)
        looking.start()
        for n in range(1, 80):
            changed = replace(row, warnings=n)
            store.commit([continuing(changed, tasks=(replace(task("r1", "a"), attempts=n),))])
            row = replace(changed, seq=row.seq + 1)
        over.set()
        looking.join()
        assert torn == []

    # --- threads and the end ----------------------------------------------------------------------------------------

    def test_other_threads_read_whole_commits_while_one_writes(self, store: Store) -> None:
        row = run("r1")
        store.commit([inserting(row)])
        problems: list[object] = []
        over = threading.Event()

        def read() -> None:
            try:
                while not over.is_set():
                    events, tasks = len(store.events("r1")), len(store.tasks("r1"))
                    if events % 2 == 0 or tasks > 40:
                        problems.append((events, tasks))
            except StoreError as error:
                problems.append(error)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for n in range(40):
            store.commit([continuing(row, events=2, tasks=(task("r1", f"t{n}"),))])
            row = replace(row, seq=row.seq + 2)
        over.set()
        for reader in readers:
            reader.join()
        assert problems == []
        assert len(store.events("r1")) == 81

    def test_threads_may_write_to_one_store(self, store: Store) -> None:
        problems: list[StoreError] = []

        def write(name: str) -> None:
            row = run(name)
            try:
                store.commit([inserting(row)])
                for _ in range(20):
                    store.commit([continuing(row)])
                    row = replace(row, seq=row.seq + 1)
            except StoreError as error:
                problems.append(error)

        writers = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(3)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert problems == []
        assert [len(store.events(f"w{n}")) for n in range(3)] == [21, 21, 21]

    def test_a_closed_store_says_so(self, store: Store) -> None:
        store.commit([inserting(run("r1"))])
        store.close()
        store.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            store.run("r1")
        with pytest.raises(StoreUnavailable, match="closed"):
            store.commit([inserting(run("r2"))])
