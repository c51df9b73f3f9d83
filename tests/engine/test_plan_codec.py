"""Plans as bytes: what comes back is what was written, to the type of each number; what is damaged is refused."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from engine.compile import compile_flow
from engine.connectors.catalogue import InstalledCatalogue
from engine.plan import Plan
from engine.plan_codec import NotDecodable, NotEncodable, decode_plan, encode_plan
from flowctl.settings import load_settings
from specs.check import Checked, check_text
from specs.scalars import written_form
from tests.engine.plans import make_plan
from tests.specs.projects import FolderFiles

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
FLOWS = sorted((HERE.parent / "specs" / "corpus").glob("*.yaml")) + [
    path for path in sorted(EXAMPLES.rglob("*.yaml")) if not path.name.endswith(".test.yaml") and path.stem != "flowctl"
]
ASK_PEOPLE = frozenset(
    """
    access_review access_review_one check_infrastructure ci license_check monthly_report payroll release_approval
    room_booking runbook
    """.split()  # noqa: SIM905 - one line for each name would hide the tests
)
"""Flows with approvals, of which no plan is made yet."""

ODD_NUMBERS = b"""\
version: 1
params:
  a: {type: float, min: 0.10, max: 1e3, default: 1.10, choices: [1.10, 0x1F, 2]}
  b: {type: int, default: 0x10, min: 0x01}
  c: {type: json, default: {x: [1.10, null, {y: 0o17}]}}
  d: {type: list, items: int, default: [0x10], max_length: 0x10}
labels: {a: "1.10"}
env: {V: 1.10, W: 0x7F}
tasks:
  s:
    switch: {value: params.b, cases: {0x10: [t]}, default: [u]}
  t:
    run: echo $K
    fan_out: {items: [1.10, 0x10, {z: 1.10}], batch: 0x1, max_parallel: 0x2, tolerate: 0x1}
    env: {K: "${{ item }}"}
    success_codes: [0x0, 3]
    retry: {attempts: 0x3, backoff: 1.50}
  u: {set: {x: [1.10, 0x10], y: "${{ params.c }}", z: {q: 1.10, r: "${{ params.a * 1.10 }}"}}}
  v: {exec: [echo, 1.10, 0x10], after: [t]}
"""


def spelled(value: object) -> Any:
    """A value with the type and the written form of everything in it, to be compared."""
    if isinstance(value, Struct):
        return type(value), [spelled(getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, dict):
        return [(spelled(key), spelled(one)) for key, one in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [spelled(one) for one in value]
    return type(value), value, written_form(value) if isinstance(value, int | float) else None


def check_file(path: Path) -> Checked:
    """A flow with those it calls, checked as its project says."""
    settings = load_settings(folder=path.parent, environ={"FLOWCTL_HOME": "/nowhere"}, flags={})
    catalogue = InstalledCatalogue(settings.connectors, lambda: ())
    return check_text(path.read_bytes(), path.name, FolderFiles(path.parent), catalogue=catalogue)


def asks_people(checked: Checked) -> bool:
    """Whether a flow, or one it calls, has an approval."""
    assert checked.flow is not None
    own = any(task.approval is not None for task in checked.flow.tasks.values())
    return own or any(asks_people(child) for child in checked.children.values())


@pytest.mark.parametrize("path", [path for path in FLOWS if path.stem not in ASK_PEOPLE], ids=lambda path: path.stem)
def test_a_plan_comes_back_as_it_was(path: Path) -> None:
    checked = check_file(path)
    assert checked.ok
    plan = compile_flow(checked, base=HERE)
    assert spelled(decode_plan(encode_plan(plan), plan.files)) == spelled(plan)


def test_a_plan_is_tried_of_every_flow_that_asks_nobody() -> None:
    assert {path.stem for path in FLOWS if asks_people(check_file(path))} == ASK_PEOPLE


def test_numbers_keep_the_form_they_were_written_in() -> None:
    checked = check_text(ODD_NUMBERS, "odd.yaml", None)
    assert checked.ok, checked.diagnostics
    plan = compile_flow(checked, base=HERE)
    assert spelled(decode_plan(encode_plan(plan), plan.files)) == spelled(plan)


def test_a_flow_that_many_call_is_written_once() -> None:
    plan = make_plan({"a": {}}, files={"a.yaml": "version: 1\n"})
    for level in range(40):  # written for each call, this would be 2**40 plans
        plan = make_plan({"a": {}}, name=f"level-{level}", children={"left": plan, "right": plan})
    found = decode_plan(encode_plan(plan), {"a.yaml": "version: 1\n"})
    for _ in range(40):
        assert found.children["left"] is found.children["right"]
        found = found.children["left"]
    assert found.files == {"a.yaml": "version: 1\n"}


def test_a_text_that_is_not_brought_along_is_missed() -> None:
    data = encode_plan(make_plan({"a": {}}, files={"a.yaml": "version: 1\n"}))
    with pytest.raises(NotDecodable):
        decode_plan(data, {"b.yaml": "version: 1\n"})


def test_what_cannot_be_written_is_told_of() -> None:
    with pytest.raises(NotEncodable):
        encode_plan(make_plan({"a": {}}, labels={"half": "\ud800"}))
    with pytest.raises(NotEncodable):
        encode_plan(make_plan({"a": {}}, labels={"large": 1 << 70}))


WHOLE: Plan = make_plan(
    {
        "a": {"if": "params.x"},
        "b": {"after": ["a"], "fan_out": [1, "two", {"x": 3.5}]},
        "c": {"exec": ["a", "${{ params.x }}"]},
    }
)
DATA = encode_plan(WHOLE)


def test_a_part_of_a_plan_is_refused() -> None:
    for length in range(len(DATA)):
        with pytest.raises(NotDecodable):
            decode_plan(DATA[:length], {})


@given(at=st.integers(0, len(DATA) - 1), byte=st.integers(0, 255))
def test_a_changed_plan_is_refused_or_is_a_plan(at: int, byte: int) -> None:
    changed = DATA[:at] + struct.pack("B", byte) + DATA[at + 1 :]
    with suppress(NotDecodable):
        assert isinstance(decode_plan(changed, {}), Plan)
