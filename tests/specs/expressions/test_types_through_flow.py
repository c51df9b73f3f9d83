"""Types through the whole flow: what is declared in one place is known in every other."""

from __future__ import annotations

import pytest

from tests.specs.rules.checking import codes, found, marked, only

HEAD = """params:
  n: {type: int}
  name: {}
  day: {type: date}
  region: {choices: [eu, us]}
  files: {type: list, items: string}
  rows: {type: list, items: int}
  table: {type: map}
tasks:
  load:
    run: load
    outputs:
      {count: {type: int}, ok: {type: bool}, names: {type: list, items: string}, info: {type: json}, note: {optional: true}}
"""
CHILD = (
    "params: {day: {type: date}, n: {type: int, default: 1}}\n"
    "tasks:\n  one: {set: {rows: 3, text: x}}\n"
    'outputs: {rows: "${{ tasks.one.output.rows }}", text: "${{ tasks.one.output.text }}"}\n'
)


def reading(expression: str, more: str = "") -> str:
    return f'{HEAD}{more}  read: {{after: [load], set: {{x: "${{{{ {expression} }}}}"}}}}\n'


def when(condition: str, more: str = "") -> str:
    return f'{HEAD}{more}  read: {{after: [load], if: "{condition}", run: x}}\n'


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("params.n == 'x'", "FLOW313"),
        ("params.name > 3", "FLOW313"),
        ("params.day == 3", "FLOW313"),
        ("params.files == 'a'", "FLOW313"),
        ("params.n in params.files", "FLOW313"),
        ("tasks.load.output.count == '3'", "FLOW313"),
        ("tasks.load.output.ok == 'true'", "FLOW313"),
        ("tasks.load.status == 3", "FLOW313"),
        ("tasks.load.status == 'done'", "FLOW311"),
        ("'ap' == params.region", "FLOW311"),
        ("params.n", "FLOW312"),
        ("tasks.load.output.names", "FLOW312"),
        ("params.table > 3", "FLOW313"),
        ("not params.n", "FLOW314"),
        ("params.n and true", "FLOW314"),
    ],
)
def test_comparisons_and_conditions_know_the_types(condition: str, code: str) -> None:
    assert codes(when(condition)) == [code]


@pytest.mark.parametrize(
    "condition",
    [
        "params.n == 3",
        "params.day > '2026-01-01'",
        "params.region == 'eu'",
        "params.region in ['eu', 'us']",
        "'a' in params.files",
        "tasks.load.output.ok",
        "tasks.load.status == 'succeeded'",
        "tasks.load.status in ['failed', 'skipped']",
        "tasks.load.output.info.x == 3",
        "tasks.load.output.names | length > 3",
        "tasks.load.output.note | default('') == 'x'",
    ],
)
def test_what_fits_is_fine(condition: str) -> None:
    assert codes(when(condition)) == []


@pytest.mark.parametrize(
    ("expression", "code", "place"),
    [
        ("params.n[0]", "FLOW304", "params.n[0]"),
        ("params.name.first", "FLOW304", "first"),
        ("params.files.first", "FLOW304", "first"),
        ("params.files['a']", "FLOW304", "a"),
        ("params.table[0]", "FLOW304", "params.table[0]"),
        ("tasks.load.output.coutn", "FLOW322", "coutn"),
        ("tasks.load.stauts", "FLOW304", "stauts"),
        ("tasks.load.error.mesage", "FLOW304", "mesage"),
        ("params.n + params.name", "FLOW314", "params.n + params.name"),
        ("params.files[0] + 1", "FLOW314", "params.files[0] + 1"),
        ("params.rows | join(',') | abs", "FLOW308", None),
    ],
)
def test_indices_properties_and_operators_know_the_types(expression: str, code: str, place: str | None) -> None:
    finding = only(reading(expression), code)
    if place is not None:
        assert marked(finding).strip("'\"") == place.strip("'\"")


# --- items ------------------------------------------------------------------------------------------------------------


def each(fan_out: str, value: str) -> str:
    return f'{HEAD}  each: {{after: [load], fan_out: {{{fan_out}}}, set: {{x: "${{{{ {value} }}}}"}}}}\n'


@pytest.mark.parametrize(
    ("fan_out", "value"),
    [
        ("items: params.rows", "item.x"),
        ("items: params.files", "item + 1"),
        ("items: tasks.load.output.names", "item * 2"),
        ("items: [1, 2]", "item.x"),
        ("matrix: {a: [1, 2], b: params.files}", "item.c"),
        ("matrix: {a: [1, 2], b: params.files}", "item.b + 1"),
        ("items: params.rows, batch: 2", "item + 1"),
        ("items: params.rows", "item_index ~ item_key - 1"),
    ],
)
def test_an_item_has_the_type_of_the_elements(fan_out: str, value: str) -> None:
    assert [code for code in codes(each(fan_out, value)) if code in ("FLOW304", "FLOW314")]


def test_where_looks_at_items_before_they_are_put_into_batches() -> None:
    names = each("items: params.files, batch: 2, where: WHERE", "item | length")
    assert codes(names.replace("WHERE", "item != ''")) == []
    assert [one.code for one in found(names.replace("WHERE", "item == 3"), "FLOW313")] == ["FLOW313"]


@pytest.mark.parametrize("name", ["item_index", "item_key"])
def test_where_knows_no_place_of_an_item_in_the_list(name: str) -> None:
    text = each(f"items: params.files, where: {name} != 1", "item")
    assert marked(only(text, "FLOW309")) == name


@pytest.mark.parametrize("items", ["params.n", "params.name", "params.table", "tasks.load.output.count"])
def test_a_fan_out_is_over_a_list(items: str) -> None:
    assert marked(only(each(f"items: {items}", "item"), "FLOW340")) == items


def test_outputs_of_a_fan_out_are_a_list_of_what_one_gives() -> None:
    more = "  each: {fan_out: {items: [1]}, run: x, outputs: {rows: {type: int}}}\n"
    text = f'{HEAD}{more}  read: {{after: [each], set: {{x: "${{{{ VALUE }}}}"}}}}\n'
    assert codes(text.replace("VALUE", "tasks.each.outputs | compact | pluck('rows') | sum + 1")) == []
    assert codes(text.replace("VALUE", "tasks.each.outputs[0].rwos")) == ["FLOW322"]
    assert codes(text.replace("VALUE", "tasks.each.counts.failed + 'x'")) == ["FLOW314"]
    assert codes(text.replace("VALUE", "tasks.each.results[0].stauts")) == ["FLOW304"]


# --- flows, states, triggers ------------------------------------------------------------------------------------------


def test_parameters_of_a_sub_flow_are_typed() -> None:
    text = 'params: {name: {type: bool}}\ntasks:\n  a: {flow: child.yaml, with: {day: 2026-01-01, n: "${{ params.name }}"}}\n'
    assert codes(text, child=CHILD) == ["FLOW340"]


def test_outputs_of_a_sub_flow_are_typed() -> None:
    text = "tasks:\n  a: {flow: child.yaml, with: {day: 2026-01-01}}\n"
    text += '  b: {after: [a], set: {x: "${{ tasks.a.output.VALUE }}"}}\n'
    assert codes(text.replace("VALUE", "rows + 1"), child=CHILD) == []
    assert codes(text.replace("VALUE", "text + 1"), child=CHILD) == ["FLOW314"]
    assert codes(text.replace("VALUE", "rosw"), child=CHILD) == ["FLOW256"]


def test_values_of_a_set_are_typed_by_their_expressions() -> None:
    more = '  made: {set: {n: "${{ params.n + 1 }}", t: "x${{ params.n }}"}}\n'
    text = f'{HEAD}{more}  read: {{after: [made], set: {{x: "${{{{ VALUE }}}}"}}}}\n'
    assert codes(text.replace("VALUE", "tasks.made.output.n + 1")) == []
    assert codes(text.replace("VALUE", "tasks.made.output.t + 1")) == ["FLOW314"]


@pytest.mark.parametrize(
    ("kind", "fine", "wrong"),
    [
        ("every: 1d", "trigger.time | date", "trigger.body.x"),
        ("webhook: {path: /h}", "trigger.body.x", "trigger.files"),
        ("file: {path: /d/*}", "trigger.files | first", "trigger.message"),
        ("flow: {name: x}", "trigger.outputs.rows", "trigger.body"),
    ],
)
def test_the_payload_is_that_of_the_kind_of_trigger(kind: str, fine: str, wrong: str) -> None:
    trigger = f'{{{kind}, params: {{p: "${{{{ VALUE }}}}"}}}}'
    text = f"params: {{p: {{type: json}}}}\ntriggers: {{t: {trigger}}}\ntasks:\n  a: {{run: x}}\n"
    assert found(text.replace("VALUE", fine), "FLOW304") == []
    assert len(found(text.replace("VALUE", wrong), "FLOW304")) == 1


def test_a_switch_over_a_state_has_cases_that_are_states() -> None:
    switch = "{value: tasks.a.status, cases: {succeeded: [b], faild: [c]}}"
    text = f"tasks:\n  a: {{run: x}}\n  s: {{after_end: [a], switch: {switch}}}\n"
    finding = only(f"{text}  b: {{run: x}}\n  c: {{run: x}}\n", "FLOW232")
    assert finding.help == "did you mean `failed`?"


def test_a_switch_over_a_number_has_no_texts() -> None:
    text = f"{HEAD}  s: {{after: [load], switch: {{value: tasks.load.output.count, cases: {{1: [b], '2': [c]}}}}}}\n"
    assert marked(only(f"{text}  b: {{run: x}}\n  c: {{run: x}}\n", "FLOW232")) == "'2'"


# --- optional ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tasks", "why"),
    [
        ("  a: {if: params.n > 3, run: x, outputs: {v: {}}}\n  b: {after: [load, a], ", "a"),
        ("  a: {run: x, outputs: {v: {}}, allow_failure: true}\n  b: {after: [a], ", "a"),
        ("  a: {run: x, outputs: {v: {}}}\n  b: {after_end: [a], ", "a"),
    ],
)
def test_an_output_that_may_be_missing_needs_a_default(tasks: str, why: str) -> None:
    text = HEAD + tasks + 'set: {x: "${{ tasks.a.output.v }}"}}\n'
    finding = only(text, "FLOW331")
    assert finding.message.startswith(f"`b` can run although `{why}`")
    assert codes(text.replace("output.v ", "output.v | default('') ")) == []


def test_an_output_that_is_declared_optional_needs_a_default() -> None:
    assert codes(reading("tasks.load.output.note")) == ["FLOW331"]
