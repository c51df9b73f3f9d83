"""Calls of other flows and of connectors."""

from __future__ import annotations

from specs.context import ActionSpec, FieldSpec
from tests.specs.rules.checking import Signatures, check, codes, fixed, found, marked, only

CHILD = "params: {day: {type: date}, n: {type: int, default: 1}, tag: {pattern: '[a-z]+', default: x}}\ntasks: {x: {run: x}}\n"


def call(arguments: str) -> str:
    return f"params: {{d: {{type: date}}}}\ntasks: {{s: {{flow: child.yaml, with: {{{arguments}}}}}}}\n"


def test_a_flow_that_is_not_there_is_refused_with_the_nearest() -> None:
    finding = only("tasks: {s: {flow: chid.yaml}}\n", "FLOW250", child=CHILD)
    assert finding.message == "flow `chid.yaml` not found"
    assert finding.help is not None
    assert "did you mean `child.yaml`?" in finding.help
    assert marked(finding) == "chid.yaml"


def test_a_flow_with_errors_cannot_be_used() -> None:
    finding = only("tasks: {s: {flow: child.yaml}}\n", "FLOW250", child="tasks: {x: {run: x, after: [y]}}\n")
    assert finding.message == "flow `child.yaml` cannot be used"


def test_a_required_parameter_is_given() -> None:
    finding = only(call("n: 2"), "FLOW251", child=CHILD)
    assert finding.message == "`child.yaml` needs the parameter `day`"


def test_an_unknown_parameter_is_refused() -> None:
    finding = only(call("dya: 2026-01-01, n: 1"), "FLOW252", child=CHILD)
    assert (finding.message, finding.help) == ("`child.yaml` has no parameter `dya`", "did you mean `day`?")


def test_literals_are_not_converted() -> None:
    finding = only(call("day: 2026-01-01, n: '3'"), "FLOW253", child=CHILD)
    assert finding.message == "`n` of `child.yaml` is a whole number, given the text `3`"
    assert len(found(call("day: 2026-02-30"), "FLOW253", child=CHILD)) == 1
    assert len(found(call("day: 2026-01-01, tag: A1"), "FLOW253", child=CHILD)) == 1


def test_expressions_are_not_judged_as_literals() -> None:
    assert codes(call('day: "${{ params.d }}"'), child=CHILD) == []


def test_the_undo_of_a_task_calls_flows_too() -> None:
    text = "tasks: {s: {run: x, undo: {flow: child.yaml, with: {n: 1}}}}\n"
    assert only(text, "FLOW251", child=CHILD).message == "`child.yaml` needs the parameter `day`"


def test_flows_that_call_each_other_are_shown_as_a_circle() -> None:
    text = "tasks: {s: {flow: b.yaml}}\n"
    finding = only(text, "FLOW254", b="tasks: {s: {flow: c.yaml}}\n", c="tasks: {s: {flow: flow.yaml}}\n")
    assert finding.message == "flows call each other: `flow.yaml` → `b.yaml` → `c.yaml` → `flow.yaml`"


def test_a_flow_may_not_call_itself() -> None:
    assert (
        only("tasks: {s: {flow: flow.yaml}}\n", "FLOW254").message == "flows call each other: `flow.yaml` → `flow.yaml`"
    )


def test_flows_in_a_circle_that_read_each_other_are_nothing_but_a_circle() -> None:
    reading = "tasks: {{a: {{flow: {0}}}}}\noutputs: {{v: '${{{{ tasks.a.output.v }}}}'}}\n"
    assert codes(reading.format("flow.yaml")) == ["FLOW254"]
    assert codes(reading.format("b.yaml"), b=reading.format("flow.yaml")) == ["FLOW254"]
    assert codes(reading.format("b.yaml"), b=reading.format("b.yaml")) == ["FLOW250"]


def test_a_circle_is_as_short_as_it_can_be_from_the_call() -> None:
    b = "tasks: {long: {flow: c.yaml}, short: {flow: flow.yaml}}\n"
    finding = only("tasks: {s: {flow: b.yaml}}\n", "FLOW254", b=b, c="tasks: {s: {flow: flow.yaml}}\n")
    assert finding.message == "flows call each other: `flow.yaml` → `b.yaml` → `flow.yaml`"


def test_of_a_large_circle_the_first_flows_are_shown() -> None:
    circle = {f"f{n}": f"tasks: {{s: {{flow: f{n + 1}.yaml}}}}\n" for n in range(500)}
    finding = only(
        "tasks: {s: {flow: f0.yaml}}\n", "FLOW254", catalogue=None, **circle, f500="tasks: {s: {flow: flow.yaml}}\n"
    )
    assert finding.message.endswith("→ `f7.yaml` → `f8.yaml` → … → `flow.yaml`")


def test_flows_nest_no_deeper_than_the_limit() -> None:
    chain = {f"f{n}": f"tasks: {{s: {{flow: f{n + 1}.yaml}}}}\n" for n in range(3)} | {"f3": "tasks: {x: {run: x}}\n"}
    text = "limits: {flow_depth: 3}\ntasks: {s: {flow: f0.yaml}}\n"
    assert only(text, "FLOW255", catalogue=None, **chain).message == "flows nest 4 deep, limit 3"
    assert codes(text.replace("flow_depth: 3", "flow_depth: 4"), catalogue=None, **chain) == []


def test_one_flow_called_twice_is_neither_circle_nor_depth() -> None:
    text = "limits: {flow_depth: 2}\ntasks: {s: {flow: b.yaml}, t: {flow: c.yaml}, u: {flow: c.yaml}}\n"
    assert codes(text, b="tasks: {s: {flow: c.yaml}}\n", c="tasks: {x: {run: x}}\n") == []


# --- connectors -------------------------------------------------------------------------------------------------------

POST = ActionSpec(
    {
        "channel": FieldSpec("string", required=True),
        "text": FieldSpec("string", required=True),
        "level": FieldSpec("string", choices=("info", "alarm")),
        "retries": FieldSpec("int"),
        "key": FieldSpec("string", secret=True),
    }
)
KNOWN = Signatures({"slack": {"post": POST}, "smtp": {"send": ActionSpec({})}, "own": {}}, configured_only=("smtp",))


def use(action: str, arguments: str = "channel: a, text: b", more: str = "") -> str:
    return f"{more}tasks: {{t: {{use: {action}, with: {{{arguments}}}}}}}\n"


def test_a_use_with_all_it_needs_is_fine() -> None:
    assert codes(use("slack.post"), catalogue=KNOWN) == []


def test_an_unknown_connector_gets_the_nearest() -> None:
    finding = only(use("slak.post"), "FLOW222", catalogue=KNOWN)
    assert (finding.message, finding.help) == ("unknown connector `slak`", "did you mean `slack`?")
    assert codes(fixed(finding), catalogue=KNOWN) == []


def test_an_unknown_action_gets_the_nearest() -> None:
    finding = only(use("slack.pots"), "FLOW222", catalogue=KNOWN)
    assert (finding.message, finding.help) == ("`slack` has no action `pots`", "did you mean `post`?")


def test_a_use_names_a_connector_and_an_action() -> None:
    assert only(use("slack"), "FLOW222", catalogue=KNOWN).help == "write `connector.action`"


def test_a_type_that_needs_configuration_is_not_used_by_itself() -> None:
    finding = only(use("smtp.send", ""), "FLOW222", catalogue=KNOWN)
    assert finding.help is not None
    assert "connectors: {smtp: {type: smtp" in finding.help
    assert (
        codes(use("mail.send", "", "connectors: {mail: {type: smtp}}\n").replace(", with: {}", ""), catalogue=KNOWN)
        == []
    )


def test_a_type_whose_code_alone_knows_its_actions_admits_any() -> None:
    assert codes(use("own.anything", "some: field"), catalogue=KNOWN) == []


def test_a_configured_connector_has_an_installed_type() -> None:
    finding = only("connectors: {c: {type: slakc}}\ntasks: {a: {run: x}}\n", "FLOW222", catalogue=KNOWN)
    assert (finding.message, finding.help) == ("unknown connector type `slakc`", "did you mean `slack`?")


def test_a_queue_listens_to_a_configured_connector() -> None:
    text = "triggers: {q: {queue: {connector: broker, name: n}}}\ntasks: {a: {run: x}}\n"
    assert only(text, "FLOW222").message == "unknown connector `broker`"


def test_fields_are_known_and_needed_ones_are_there() -> None:
    found_ = found(use("slack.post", "chanel: a, text: b"), "FLOW223", catalogue=KNOWN)
    assert sorted(one.message for one in found_) == [
        "`slack.post` has no field `chanel`",
        "`slack.post` needs `channel`",
    ]


def test_a_secret_field_may_be_given_by_the_name_of_its_secret() -> None:
    arguments = "channel: a, text: b, key_secret: TOKEN"
    secrets = 'secrets: {TOKEN: {from: "env:TOKEN"}}\n'
    assert found(use("slack.post", arguments, secrets), "FLOW223", catalogue=KNOWN) == []
    assert (
        len(found(use("slack.post", "channel: a, text: b, text_secret: T", secrets), "FLOW223", catalogue=KNOWN)) == 1
    )


def test_literals_have_the_type_and_the_choices_of_their_field() -> None:
    wrong = found(use("slack.post", "channel: a, text: b, level: loud, retries: many"), "FLOW224", catalogue=KNOWN)
    assert [one.message for one in wrong] == [
        "`with.level`: expected one of `info`, `alarm`, found the text `loud`",
        "`with.retries`: expected a whole number, found the text `many`",
    ]


def test_without_a_catalogue_connectors_are_not_judged() -> None:
    assert check("tasks: {t: {use: anything.goes}}\n").ok
