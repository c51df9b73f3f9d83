"""Fan-out over literal items and matrices."""

from __future__ import annotations

import pytest

from tests.specs.rules.checking import codes, found, marked, only


def fan(keys: str, more: str = "") -> str:
    return f"params: {{x: {{type: list}}}}\ntasks:\n  a:\n    run: x\n    fan_out: {{{keys}}}\n{more}"


def test_an_axis_has_values() -> None:
    finding = only(fan("matrix: {x: [1], y: []}"), "FLOW260")
    assert (finding.message, marked(finding)) == ("axis `y` is empty", "[]")
    assert codes(fan("matrix: {x: [1], y: params.x}")) == []


def test_combinations_are_counted_before_a_run() -> None:
    finding = only(fan("matrix: {x: [1, 2, 3], y: [1, 2, 3]}, max_items: 8"), "FLOW261")
    assert finding.message == "9 combinations exceed `max_items` 8"
    assert codes(fan("matrix: {x: [1, 2, 3], y: [1, 2, 3]}, max_items: 8, exclude: [{x: 1, y: 3}]")) == []
    assert (
        len(found(fan("matrix: {x: [1, 2, 3], y: [1, 2, 3]}, max_items: 9, include: [{x: 9, y: 9}]"), "FLOW261")) == 1
    )


def test_a_filter_on_items_may_leave_out_any_number() -> None:
    assert codes(fan("items: [1, 2, 3], max_items: 2, where: item > 1")) == []
    assert only(fan("items: [1, 2, 3], max_items: 2"), "FLOW261").message == "3 items exceed `max_items` 2"


def test_a_product_too_large_to_look_at_is_refused_all_the_same() -> None:
    axis = "[" + ", ".join(str(n) for n in range(400)) + "]"
    text = fan(f"matrix: {{x: {axis}, y: {axis}, z: {axis}}}, exclude: [{{x: 1}}]")
    assert only(text, "FLOW261").message == f"{400**3 - 400**2} combinations exceed `max_items` 1000"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("matrix: {x: [1, 2]}, exclude: [{x: 3}]", "this entry of `exclude` removes nothing: `x` never has this value"),
        (
            'matrix: {x: [1, 2]}, exclude: [{x: "1"}]',
            "this entry of `exclude` removes nothing: `x` never has this value",
        ),
        ("matrix: {x: [1, 2]}, exclude: [{z: 1}]", "this entry of `exclude` removes nothing: `z` is no axis"),
        ("matrix: {x: [1, 2]}, exclude: [{x: 1}, {x: 2}]", "`exclude` removes everything"),
        ("items: [1], where: true", "`where` removes nothing"),
        ("items: [1], where: false", "`where` removes everything"),
    ],
)
def test_a_filter_that_settles_nothing_or_all_is_told_of(keys: str, message: str) -> None:
    assert only(fan(keys), "FLOW262").message == message


def test_a_filter_that_leaves_out_some_is_fine() -> None:
    assert codes(fan("matrix: {x: [1, 2], y: [a, b]}, exclude: [{x: 1, y: a}, {y: b}]")) == []


def test_what_is_included_has_the_keys_of_the_axes() -> None:
    finding = only(fan("matrix: {x: [1]}, include: [{x: 2, fast: true}]"), "FLOW263")
    assert finding.message == "`include` has `fast`, which is no axis; `item.fast` is undefined in other items"
    assert marked(finding) == "fast"


def test_keys_of_literal_items_differ() -> None:
    assert (
        only(fan("items: [{id: a}, {id: b}, {id: a}], key: item.id"), "FLOW264").message
        == "`key` is not unique: `a` occurs twice"
    )
    assert (
        only(fan("matrix: {x: [1, 2], y: [3, 4]}, key: item.x"), "FLOW264").message
        == "`key` is not unique: `1` occurs twice"
    )
    assert codes(fan("items: [{id: a}, {id: b}], key: item.id")) == []


def test_more_in_parallel_than_slots_is_told_of() -> None:
    finding = only(fan("items: [1], max_parallel: 20"), "FLOW265")
    assert finding.message == "`max_parallel` 20 is above `concurrency.tasks` 16"
    pool = fan("items: [1], max_parallel: 4", "    pool: {db: 2}\npools: {db: {slots: 5}}\n")
    assert only(pool, "FLOW265").message == "`max_parallel` 4 is above what the pool `db` admits at once, 2"


def test_sub_flows_hold_no_slots() -> None:
    text = "tasks: {a: {flow: child.yaml, fan_out: {items: [1], max_parallel: 50}}}\n"
    assert codes(text, child="tasks: {x: {run: x}}\n") == []


@pytest.mark.parametrize("value", ["-1", '"101%"', '"half"', '"5"', '"%"', '"-1%"'])
def test_a_tolerance_is_a_count_or_a_percentage(value: str) -> None:
    assert len(found(fan(f"items: [1], tolerate: {value}"), "FLOW266")) == 1


@pytest.mark.parametrize("value", ["0", "7", '"0%"', '"2.5%"', '"100%"'])
def test_counts_and_percentages_are_tolerances(value: str) -> None:
    assert found(fan(f"items: [1], tolerate: {value}"), "FLOW266") == []


def test_losses_are_not_silent() -> None:
    text = fan('items: [1], tolerate: "100%"', "    dead_letter: false\n")
    assert only(text, "FLOW530").message == '`tolerate: "100%"` and `dead_letter: false`: losses are silent'
    assert found(text.replace("100%", "99%"), "FLOW530") == []
