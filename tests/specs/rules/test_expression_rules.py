"""Rules that read expressions: names, types, what is upstream and there, and what must not become code."""

from __future__ import annotations

import pytest

from specs.context import ActionSpec, FieldSpec
from tests.specs.rules.checking import Signatures, check, found

EXPRESSION_CODES = (*range(301, 342), *range(410, 414), 423)


def marked(text: str, code: str, **others: str) -> list[str]:
    """The texts that the findings of a code point at."""
    return [
        one.place.source.text[one.place.start : one.place.end] for one in found(text, code, catalogue=None, **others)
    ]


def codes(text: str, **others: str) -> list[str]:
    """The codes of findings about expressions."""
    ours = {f"FLOW{number}" for number in EXPRESSION_CODES}
    checked = check(text, catalogue=None, **others)
    assert checked.flow is not None, checked.diagnostics
    return [one.code for one in checked.diagnostics if one.code in ours]


BASE = """
params:
  name: {type: string}
  n: {type: int, default: 3}
  list: {type: list, items: string, default: []}
  table: {type: map, default: {}}
  flag: {type: bool, default: true}
  day: {type: date}
secrets: {KEY: {from: "env:KEY"}}
triggers: {hook: {webhook: {path: /hook}, params: {name: x, day: "2026-01-01"}}}
tasks:
  first:
    run: echo
    outputs: {rows: {type: int}, note: {type: string, optional: true}}
  many:
    after: [first]
    fan_out: {items: params.list}
    run: echo
    outputs: {size: {type: int}}
  stop: {after_failure: [first], fail: "it failed: ${{ tasks.first.error.message }}"}
  last:
    after: [first, many]
    KEYS
"""


def last(keys: str) -> str:
    return BASE.replace("KEYS", keys)


def of_set(expression: str) -> str:
    return last("set: {x: '${{ " + expression.replace("'", '"') + " }}'}")


@pytest.mark.parametrize(
    ("expression", "code", "place"),
    [
        ("params.name +", "FLOW301", "+"),
        ("parms.name", "FLOW302", "parms"),
        ("params.nam", "FLOW303", "nam"),
        ("env.HOME", "FLOW303", "HOME"),
        ("tasks.frist.output.rows", "FLOW303", "frist"),
        ("tasks.first.outptu", "FLOW304", "outptu"),
        ("run.idd", "FLOW304", "idd"),
        ("params.name.first", "FLOW304", "first"),
        ("trigger.files", "FLOW304", "files"),
        ("params.list | lenght", "FLOW305", "lenght"),
        ("params.name.upper()", "FLOW306", "("),
        ("params.n | join", "FLOW308", "params.n | join"),
        ("params.n | round(params.name)", "FLOW308", "params.name"),
        ("item", "FLOW309", "item"),
        ("params.n == 'a'", "FLOW313", 'params.n == "a"'),
        ("params.flag > true", "FLOW314", "params.flag > true"),
        ("'a' * 3", "FLOW314", '"a" * 3'),
        ("'a' ~ params.list", "FLOW315", "params.list"),
        ("tasks.my-id.output", "FLOW318", "my-id"),
        ("tasks.many.output", "FLOW321", "output"),
        ("tasks.first.outputs", "FLOW321", "outputs"),
        ("tasks.first.output.row", "FLOW322", "row"),
        ("tasks.many.outputs[0].sise", "FLOW322", "sise"),
        ("tasks.first.output.note", "FLOW331", "tasks.first.output.note"),
        ("params.name | default('x')", "FLOW332", 'default("x")'),
        ("tasks.first.output.rows | default(0)", "FLOW332", "default(0)"),
        ("secrets.KEY", "FLOW413", "secrets"),
        ("params.day > 'soon'", "FLOW313", 'params.day > "soon"'),
    ],
)
def test_one_mistake_gives_one_finding_at_its_exact_place(expression: str, code: str, place: str) -> None:
    text = of_set(expression)
    assert marked(text, code) == [place]
    assert codes(text) == [code]


@pytest.mark.parametrize(
    "expression",
    [
        "params.name ~ '-' ~ params.n", "tasks.first.output.rows + 1", "tasks.many.outputs | compact | pluck('size') | sum",
        "tasks.many.counts.failed > 0", "tasks.many.results[0].status", "tasks.first.output.note | default('none')",
        "tasks.first.output.note if tasks.first.output.note is defined else ''", "run.id", "task.attempt",
        "params.day > '2026-01-01'", "params.day | shift('-1d') | string", "trigger.kind", "trigger.body.anything.at_all",
        "'a' in params.list", "params.table.anything", "params['name']", "tasks.stop.status == 'failed'",
        "params.n / 2 > 1.5 and params.flag", "params.list | length > 0",
    ],
)  # fmt: skip
def test_what_is_right_gives_no_finding(expression: str) -> None:
    text = of_set(expression)
    if "tasks.stop" in expression:
        text = text.replace("after: [first, many]", "after: [first, many]\n    after_end: [stop]")
    assert codes(text) == []


@pytest.mark.parametrize(
    ("keys", "code", "place"),
    [
        ('{if: "${{ params.flag }}", run: x}', "FLOW310", "${{ params.flag }}"),
        ('{if: "{{ params.flag }}", run: x}', "FLOW310", "{{ params.flag }}"),
        ("{if: true, run: x}", "FLOW311", "true"),
        ("{if: 1 > 2, run: x}", "FLOW311", "1 > 2"),
        ("{if: params.name, run: x}", "FLOW312", "params.name"),
        ("{repeat: {until: task.attempt, max: 2}, run: x}", "FLOW312", "task.attempt"),
        ('{run: x, env: {A: "n=${{ params.list }}"}}', "FLOW315", "params.list"),
        ('{run: x, env: {A: "${{ params.table }}"}}', "FLOW315", "params.table"),
        ('{exec: [x, "${{ params.table }}"]}', "FLOW316", "params.table"),
        ('{exec: [x, "${{ params.name"]}', "FLOW317", "${{"),
        ("{fan_out: {items: params.name}, run: x}", "FLOW340", "params.name"),
        ('{wait: {for: "${{ params.list }}"}}', "FLOW340", "params.list"),
        ('{flow: "${{ params.name }}.yaml"}', "FLOW341", "${{ params.name }}"),
        ('{fan_out: {items: ["${{ params.name }}"]}, run: x}', "FLOW341", "${{ params.name }}"),
        ('{run: "echo ${{ params.name }}"}', "FLOW410", "${{ params.name }}"),
        ('{exec: [bash, -c, "echo ${{ params.name }}"]}', "FLOW411", "${{ params.name }}"),
        ('{exec: [sudo, /bin/sh, -euc, "${{ params.name }}"]}', "FLOW411", "${{ params.name }}"),
        ('{exec: [python3.11, -c, "print(${{ params.n }})"]}', "FLOW411", "${{ params.n }}"),
        ('{exec: [perl, -ne, "${{ params.n }}"]}', "FLOW411", "${{ params.n }}"),
        ('{exec: [node, --eval, "${{ params.n }}"]}', "FLOW411", "${{ params.n }}"),
        ('{exec: [ssh, -p, "22", host, "ls ${{ params.name }}"]}', "FLOW411", "${{ params.name }}"),
        ('{exec: [rm, "${{ trigger.body.x }}"]}', "FLOW412", "trigger.body.x"),
        ('{exec: [x, "${{ secrets.KEY }}"]}', "FLOW413", "secrets"),
        ("{if: secrets.KEY == 'x', run: x}", "FLOW413", "secrets"),
        ('{run: x, env: {PATH: "${{ trigger.body.p }}"}}', "FLOW423", "trigger.body.p"),
        ('{run: x, env: {LD_PRELOAD: "${{ trigger.body.p }}"}}', "FLOW423", "trigger.body.p"),
    ],
)
def test_a_field_says_what_it_takes(keys: str, code: str, place: str) -> None:
    text = last("").replace("    \n", "").replace("last:\n    after: [first, many]", f"last: {keys}")
    assert marked(text, code) == [place]
    assert [each for each in codes(text) if each != "FLOW250"] == [code]


@pytest.mark.parametrize(
    "keys",
    [
        '{exec: [rm, --, "${{ trigger.body.x }}"]}',
        '{exec: [x, "name=${{ trigger.body.x }}"]}',
        '{exec: [bash, -c, \'echo "$1"\', sh, "${{ params.name }}"]}',
        '{exec: [bash, script.sh, -c, "${{ params.name }}"]}',
        '{exec: [x, "${{ params.list }}"]}',
        '{run: x, env: {TOKEN: "Bearer ${{ secrets.KEY }}", A: "${{ params.n }}", PATH: "/bin:${{ params.name }}"}}',
        "{repeat: {until: task.output.ready, max: 2}, run: x, outputs: {ready: {type: bool}}}",
        "{fan_out: {matrix: {a: [1, 2], b: params.list}, where: item.a > 1 and item.b != 'x', key: item.b}, run: x}",
    ],
)
def test_a_safe_field_gives_no_finding(keys: str) -> None:
    text = last("").replace("    \n", "").replace("last:\n    after: [first, many]", f"last: {keys}")
    text = text.replace("[bash, script.sh, -c", "[bash, script.sh, --flag")
    assert codes(text) == []


@pytest.mark.parametrize(
    ("top", "code"),
    [
        ("concurrency: {key: tasks.a.output.x}", "FLOW309"),
        ("hooks: {start: {h: {fan_out: {items: [1, 2], key: item_key}, run: x}}}", "FLOW309"),
        ("concurrency: {key: params.l}", "FLOW340"),
        ('env: {A: "${{ secrets.KEY }}"}', "FLOW413"),
        ('env: {A: x, B: "${{ env.A }}"}', "FLOW309"),
        ('triggers: {t: {webhook: {path: /x}, params: {l: "${{ trigger.body | string }}"}}}', "FLOW340"),
        ("triggers: {t: {every: 1h, if: trigger.body.x, params: {l: []}}}", "FLOW304"),
        ('hooks: {start: {h: {set: {x: "${{ tasks.a.output.x }}"}}}}', "FLOW309"),
        ('hooks: {failure: {h: {set: {x: "${{ tasks.a.output.x }}"}}}}', "FLOW331"),
        ('outputs: {x: "${{ trigger.kind }}"}', "FLOW309"),
        ('params: {l: {type: list, default: ["${{ run.id }}"]}}', "FLOW341"),
    ],
)
def test_names_hold_only_where_they_are_documented(top: str, code: str) -> None:
    params = "" if top.startswith("params") else "params: {l: {type: list}}\n"
    text = f"{params}secrets: {{KEY: {{from: 'env:KEY'}}}}\n{top}\ntasks:\n  a: {{run: x, outputs: {{x: {{type: int}}}}}}\n"
    assert codes(text) == [code]


def test_hooks_see_the_result_of_the_run_and_the_tasks_that_guards_let_them_read() -> None:
    text = """
tasks:
  a: {run: x, outputs: {x: {type: int}}}
hooks:
  failure:
    tell:
      if: tasks.a.status == 'succeeded'
      set: {x: "${{ tasks.a.output.x }}", failed: "${{ run.failed | join(', ') }}", status: "${{ run.status }}"}
    then: {after: [tell], set: {y: "${{ tasks.tell.output.x }}"}}
  success:
    tell: {set: {x: "${{ tasks.a.output.x }}"}}
"""
    assert codes(text) == []


# --- upstream and presence --------------------------------------------------------------------------------------------


def flow_of(*tasks: str) -> str:
    return "params: {c: {type: bool}, s: {}}\ntasks:\n" + "".join(f"  {task}\n" for task in tasks)


SOURCE = "a: {run: x, outputs: {x: {type: int}}}"
MAYBE = "a: {if: params.c, run: x, outputs: {x: {type: int}}}"
READS = 'set: {v: "${{ tasks.a.output.x }}"}'


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        pytest.param([SOURCE, f"t: {{{READS}}}"], ["FLOW320"], id="no edge"),
        pytest.param([SOURCE, f"t: {{after: [a], {READS}}}"], [], id="an edge"),
        pytest.param([SOURCE, "b: {after: [a], run: x}", f"t: {{after: [b], {READS}}}"], [], id="through another"),
        pytest.param(
            [SOURCE, f"t: {{before_complete: [a], {READS}}}"], ["FLOW320"], id="before_complete does not count"
        ),
        pytest.param(
            ["a: {run: x, outputs: {x: {type: int}}}", f"t: {{after_start: [a], {READS}}}"],
            ["FLOW324"],
            id="only started",
        ),
        pytest.param([SOURCE, f"t: {{after_end: [a], {READS}}}"], ["FLOW331"], id="any end"),
        pytest.param([SOURCE, f"t: {{after_failure: [a], {READS}}}"], ["FLOW331"], id="a handler"),
        pytest.param([MAYBE, f"t: {{after: [a], {READS}}}"], [], id="skipped together"),
        pytest.param([MAYBE, "b: {run: x}", f"t: {{after: [a, b], {READS}}}"], ["FLOW331"], id="may be skipped"),
        pytest.param([MAYBE, "b: {run: x}", f"t: {{after: [a, b], join: strict, {READS}}}"], [], id="strict"),
        pytest.param([SOURCE, "b: {run: x}", f"t: {{after: [a, b], join: any, {READS}}}"], ["FLOW331"], id="any"),
        pytest.param([SOURCE, "b: {run: x}", f"t: {{after: [a, b], join: 2, {READS}}}"], [], id="a number that is all"),
        pytest.param(
            ["a: {run: x, allow_failure: true, outputs: {x: {type: int}}}", f"t: {{after: [a], {READS}}}"],
            ["FLOW331"],
            id="failure allowed",
        ),
        pytest.param(
            [SOURCE, "h: {after_failure: [a], recovers: true, run: x}", f"t: {{after: [a, h], {READS}}}"],
            ["FLOW331"],
            id="recovered",
        ),
        pytest.param(
            [MAYBE, "b: {after: [a], run: x}", "c: {after: [a], run: x}", f"t: {{after: [b, c], {READS}}}"],
            [],
            id="every way leads through it",
        ),
        pytest.param(
            [SOURCE, f"t: {{after: [{{task: a, timeout: 5m, on_timeout: run}}], {READS}}}"], ["FLOW331"], id="timeout"
        ),
        pytest.param(
            [SOURCE, "t: {after_failure: [a], set: {v: '${{ tasks.a.error.message }}'}}"],
            [],
            id="the error in its handler",
        ),
        pytest.param(
            [SOURCE, "t: {after_end: [a], set: {v: '${{ tasks.a.error.message }}'}}"], ["FLOW331"], id="the error"
        ),
        pytest.param([SOURCE, "t: {after_end: [a], set: {v: '${{ tasks.a.status }}'}}"], [], id="the status"),
        pytest.param(
            [SOURCE, f"t: {{after: [b], {READS}}}", "b: {after: [t], run: x}"], [], id="on a cycle nothing is said"
        ),
        pytest.param(["a: {run: x, outputs: {x: {}}, env: {V: '${{ tasks.a.output.x }}'}}"], ["FLOW320"], id="itself"),
    ],
)
def test_a_task_reads_what_is_upstream_and_surely_there(tasks: list[str], expected: list[str]) -> None:
    assert codes(flow_of(*tasks)) == expected


ARMS = "r: {branch: [{if: params.c, then: [a, b]}, {else: [c]}]}"


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        pytest.param([ARMS, SOURCE, "b: {run: x}", "c: {run: x}", f"t: {{after: [a, c], {READS}}}"], ["FLOW331"], id="join"),
        pytest.param([ARMS, SOURCE, f"b: {{after: [a], {READS}}}", "c: {run: x}"], [], id="within the arm"),
        pytest.param(
            ["r: {branch: [{if: params.c, then: [a, b, d]}]}", SOURCE, "b: {run: x}", f"d: {{after: [a, b], {READS}}}"],
            [],
            id="a join within the arm",
        ),
        pytest.param(
            [SOURCE, "r: {after: [a], branch: [{if: params.c, then: [b]}, {else: [c]}]}", f"b: {{{READS}}}", "c: {run: x}",
             f"t: {{after: [b, c], {READS}}}"],
            [],
            id="before the branch",
        ),
        pytest.param(
            ["r: {branch: [{if: params.c, then: [b]}, {else: [c]}]}", "b: {run: x}", "c: {run: x}",
             "a: {after: [b, c], run: x, outputs: {x: {type: int}}}", "d: {run: x}", f"t: {{after: [a, d], {READS}}}"],
            [],
            id="a join of all arms always runs",
        ),
        pytest.param(
            ["r: {switch: {value: params.s, cases: {x: [b], y: [c]}}}", "b: {run: x}", "c: {run: x}",
             "a: {after: [b, c], run: x, outputs: {x: {type: int}}}", "d: {run: x}", f"t: {{after: [a, d], {READS}}}"],
            [],
            id="a switch always takes an arm",
        ),
    ],
)  # fmt: skip
def test_arms_are_reasoned_about(tasks: list[str], expected: list[str]) -> None:
    assert codes(flow_of(*tasks)) == expected


GUARDED = [MAYBE, "b: {run: x}"]


@pytest.mark.parametrize(
    "guard",
    [
        "tasks.a.status == 'succeeded'",
        "'succeeded' == tasks.a.status and params.c",
        "tasks.a.status in ['succeeded']",
        "not (tasks.a.status != 'succeeded' or params.c)",
        "tasks.a.output is defined",
        "tasks.a.output.x is defined",
        "tasks.a.status == 'succeeded' and tasks.a.output.x > 3",
        "tasks.a.status != 'skipped'",  # it is waited for with `after`, so it did not fail
        "tasks.a.status not in ['skipped', 'failed']",
        "not (tasks.a.status == 'skipped' or params.c)",
        "tasks.a.status != 'skipped' and tasks.a.status != 'failed'",
    ],
)
def test_a_guard_on_the_status_lets_a_task_read(guard: str) -> None:
    assert codes(flow_of(*GUARDED, f't: {{after: [a, b], if: "{guard}", {READS}}}')) == []


@pytest.mark.parametrize(
    "guard",
    ["tasks.a.status == 'failed'", "tasks.a.status == 'succeeded' or params.c", "tasks.b.status == 'succeeded'"],
)
def test_what_is_no_guard_is_not_taken_for_one(guard: str) -> None:
    assert codes(flow_of(*GUARDED, f't: {{after: [a, b], if: "{guard}", {READS}}}')) == ["FLOW331"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("tasks.a.output.x | default(0)", []),
        ("tasks.a.output.x if tasks.a.status == 'succeeded' else 0", []),
        ("0 if tasks.a.status == 'succeeded' else tasks.a.output.x", ["FLOW331"]),
        ("tasks.a.status != 'succeeded' or tasks.a.output.x > 1", []),
        ("tasks.a.output.x > 1 and tasks.a.status == 'succeeded'", ["FLOW331"]),
        ("(tasks.a.output.x + 1) | default(0)", ["FLOW331"]),
        ("tasks.a.output is defined", []),
        ("0 if tasks.a.status == 'skipped' else tasks.a.output.x", []),
        ("0 if tasks.a.status == 'failed' else tasks.a.output.x", ["FLOW331"]),
        ("tasks.b.error.message if tasks.b.status == 'failed' else ''", []),
        ("'' if tasks.b.status == 'failed' else tasks.b.error.message", ["FLOW331"]),
    ],
)
def test_guards_inside_an_expression_count_in_the_order_of_evaluation(expression: str, expected: list[str]) -> None:
    assert codes(flow_of(*GUARDED, f't: {{after: [a, b], set: {{v: "${{{{ {expression} }}}}"}}}}')) == expected


TEXT = "a: {run: x, outputs: {x: {type: string, from: stdout}}}"
EITHER = """set: {v: "${{ tasks.a.output.x if tasks.a.status == 'succeeded' else tasks.a.error.message }}"}"""


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        pytest.param(
            [TEXT.replace("run", "allow_failure: true, run"), f"t: {{after: [a], {EITHER}}}"],
            [],
            id="it failed, for it did not succeed and was not skipped",
        ),
        pytest.param(
            [TEXT.replace("run", "if: params.c, allow_failure: true, run"), "b: {run: x}", f"t: {{after: [a, b], {EITHER}}}"],
            ["FLOW331"],
            id="or it was skipped",
        ),
        pytest.param([TEXT, f"t: {{after_end: [a], {EITHER}}}"], ["FLOW331"], id="or it was cancelled"),
        pytest.param(
            [TEXT, "b: {run: x}", f"t: {{after: [a, b], join: any, {EITHER}}}"], ["FLOW331"], id="or has not ended"
        ),
        pytest.param(
            [TEXT, "h: {after_failure: [a], recovers: true, run: x}", f"t: {{after: [a, h], {EITHER}}}"],
            [],
            id="it failed, and that was made good",
        ),
        pytest.param(
            [MAYBE, "b: {run: x}", "c: {after: [a, b], run: x}", "d: {run: x}",
             f"t: {{after: [c, d], if: tasks.a.status != 'skipped', {READS}}}"],
            [],
            id="another task has waited for its success",
        ),
        pytest.param(
            ["m: {if: params.c, run: x}", "a: {after: [m], run: x, outputs: {x: {type: int}}}", "b: {run: x}",
             f"t: {{after: [a, b], if: tasks.m.status == 'succeeded', {READS}}}"],
            [],
            id="what one condition tells of another edge",
        ),
    ],
)  # fmt: skip
def test_a_guard_knows_what_the_edges_leave_open(tasks: list[str], expected: list[str]) -> None:
    assert [code for code in codes(flow_of(*tasks)) if code != "FLOW230"] == expected


def test_outputs_are_read_when_the_run_has_succeeded() -> None:
    tail = 'outputs: {v: "${{ tasks.a.output.x }}"}\n'
    assert codes(flow_of(SOURCE) + tail) == []
    assert codes(flow_of(MAYBE) + tail) == ["FLOW331"]
    allowed = "a: {run: x, allow_failure: true, outputs: {x: {type: int}}}"
    assert codes(flow_of(allowed) + tail) == ["FLOW331"]


def test_an_unknown_task_is_one_finding_and_not_also_one_that_is_not_upstream() -> None:
    assert codes(flow_of(SOURCE, 't: {set: {v: "${{ tasks.b.output.x }}"}}')) == ["FLOW303"]


def test_a_misspelt_edge_is_one_finding() -> None:
    text = flow_of(SOURCE.replace("a:", "fetch:"), 't: {after: [fecth], set: {v: "${{ tasks.fetch.output.x }}"}}')
    assert codes(text) == []
    assert len(found(text, "FLOW201")) == 1


# --- outputs of every action ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "path", "code"),
    [
        ("branch: [{if: params.c, then: [b]}]", "output.arm", None),
        ("branch: [{if: params.c, then: [b]}]", "output.x", "FLOW322"),
        ("switch: {value: params.s, cases: {x: [b]}}", "output", "FLOW323"),
        ("wait: {for: 5s}", "output", "FLOW323"),
        ("wait: {signal: go}", "output.anything", None),
        ("set: {n: 1}", "output.n", None),
        ("set: {n: 1}", "output.m", "FLOW322"),
        ("call: pkg.mod:f", "output.anything", None),
        ("run: x", "output.anything", "FLOW322"),
        ("use: http.request, with: {url: 'https://x.example'}", "output.status", None),
        ("use: http.request, with: {url: 'https://x.example'}", "output.body", "FLOW322"),
        ("approval: {prompt: Go, approvers: [x], fields: {ticket: {}}}", "output.ticket", None),
        ("approval: {prompt: Go, approvers: [x], fields: {ticket: {}}}", "output.tocket", "FLOW322"),
    ],
)
def test_every_action_has_the_outputs_of_its_kind(action: str, path: str, code: str | None) -> None:
    text = flow_of("b: {run: x}", f"a: {{{action}}}", f't: {{after: [a], set: {{v: "${{{{ tasks.a.{path} }}}}"}}}}')
    assert codes(text) == ([code] if code else [])


def test_types_flow_through_set_and_sub_flows() -> None:
    child = "params: {n: {type: int}}\ntasks: {a: {set: {k: 1}}}\noutputs: {k: '${{ tasks.a.output.k }}'}\n"
    text = """
params: {s: {}}
tasks:
  up: {set: {word: "x ${{ params.s }}", n: "${{ 1 + 1 }}"}}
  call: {after: [up], flow: child.yaml, with: {n: "${{ tasks.up.output.word }}"}}
  use: {after: [call, up], set: {v: "${{ tasks.call.output.k == 'x' }}", w: "${{ tasks.up.output.n + 1 }}"}}
"""
    assert marked(text, "FLOW340", child=child) == ["tasks.up.output.word"]
    assert marked(text, "FLOW313", child=child) == ["tasks.call.output.k == 'x'"]
    assert codes(text, child=child) == ["FLOW340", "FLOW313"]


def test_a_field_of_a_connector_has_the_type_of_its_signature() -> None:
    catalogue = Signatures({"dns": {"upsert": ActionSpec({"ttl": FieldSpec("int"), "name": FieldSpec("string")})}})
    fields = 'ttl: "${{ params.s }}", name: "${{ params.s }}"'
    text = f"params: {{s: {{}}}}\ntasks: {{a: {{use: dns.upsert, with: {{{fields}}}}}}}"
    messages = [one.message for one in found(text, "FLOW340", catalogue=catalogue)]
    assert messages == ["`with.ttl` is int, the expression gives string"]


def test_the_type_of_an_item_is_that_of_the_list() -> None:
    fan_out = "fan_out: {items: params.l, where: item > 'x'}"
    text = f"params: {{l: {{type: list, items: int}}}}\ntasks: {{a: {{{fan_out}, set: {{v: x}}}}}}"
    assert codes(text) == ["FLOW313"]
