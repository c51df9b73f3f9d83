"""Where the cursor stands in a text that is being written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowctl.lsp.cursor import Cursor, cursor_at
from flowctl.lsp.desk import entry_around, text_without
from flowctl.lsp.names import defined_names
from flowctl.lsp.positions import Positions
from specs.source import read_document
from specs.structure import Path as Keys


def at(text: str) -> Cursor:
    return cursor_at(text.replace("^", ""), text.index("^"))


@pytest.mark.parametrize(
    ("text", "path", "kind", "word"),
    [
        ("^", (), "key", ""),
        ("ver^", (), "key", "ver"),
        ("tasks:\n  a:\n    ru^", ("tasks", "a"), "key", "ru"),
        ("tasks:\n  a:\n    run: x\n  ^\n", ("tasks",), "key", ""),
        ("tasks:\n  a:\n    run: x\n\n^", (), "key", ""),
        ("tasks:\n  a:\n    after: [b, c^", ("tasks", "a", "after", 1), "value", "c"),
        ("tasks:\n  a:\n    after:\n    - b\n    - ^", ("tasks", "a", "after", 1), "value", ""),
        ("tasks:\n  a:\n    after:\n      - task: ^", ("tasks", "a", "after", 0, "task"), "value", ""),
        ("tasks:\n  a:\n    after:\n      - task: b\n        tim^", ("tasks", "a", "after", 0), "key", "tim"),
        ("tasks:\n  a:\n    retry: {attempts: 3, del^", ("tasks", "a", "retry"), "key", "del"),
        ("tasks:\n  a:\n    retry: {jitter: ^}", ("tasks", "a", "retry", "jitter"), "value", ""),
        ("tasks:\n  a:\n    exec: [\n      'x,[',  # a [\n      ^", ("tasks", "a", "exec", 1), "value", ""),
        ("tasks:\n  a:\n    run: |\n      foo: bar\n      ^", ("tasks", "a", "run"), "literal", ""),
        ("tasks:\n  a:\n    run: |\n      foo: bar\n    ^", ("tasks", "a"), "key", ""),
        ("tasks:\n  'a b':\n    \"if\": x^", ("tasks", "a b", "if"), "value", "x"),
        ("# tasks: ^", (), "literal", ""),
        ("tasks:\n  a: {branch: [{if: true, then: [b]}, {^", ("tasks", "a", "branch", 1), "key", ""),
    ],
)
def test_path_kind_and_word_are_told(text: str, path: Any, kind: str, word: str) -> None:
    found = at(text)
    assert (found.path, found.kind, found.word) == (path, kind, word)


def test_keys_that_are_there_already_are_told() -> None:
    assert at("tasks:\n  a:\n    run: |\n      x: y\n    env: {}\n    ^").siblings == {"run", "env"}
    assert at("tasks:\n  a: {run: x, env: {B: c}, ^").siblings == {"run", "env"}
    assert at("tasks:\n  a:\n    run: x\n  b:\n    ^").siblings == frozenset()


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ('tasks:\n  a:\n    env: {A: "x ${{ params.^', " params."),
        ('tasks:\n  a:\n    env: {A: "${{ a }} ${{ b^ }}"}', " b"),
        ('tasks:\n  a:\n    env: {A: "${{ a }} b^"}', None),
        ("tasks:\n  a:\n    if: tasks.b.^", "tasks.b."),
        ('tasks:\n  a:\n    if: "tasks.b.^', "tasks.b."),
        ("tasks:\n  a:\n    fan_out: {items: params.^", "params."),
        ("tasks:\n  a:\n    description: tasks.^", None),
    ],
)
def test_expressions_are_told(text: str, expression: str | None) -> None:
    assert at(text).expression == expression


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet="ab:-[]{}#&*|>'\"\n ,\t$", max_size=60), data=st.data())
def test_no_text_is_too_strange(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    found = cursor_at(text, offset)
    assert found.start <= offset
    defined_names(text)
    line = text.count("\n", 0, offset)
    assert text_without(text, *entry_around(text, line)).count("\n") == text.count("\n")


FLOW = """\
version: 1
# comment: here
params:
  day: {type: date, choices: [a, b]}
tasks:
  a:
    branch:
      - if: true
        then: [b, c]
      -   else:
          - d
    env:
      X: 'a: b'
  b: {run: x, retry: {attempts: 2, errors: ["exit:75", lost]}}
hooks:
  failure:
    t:
      exec:
      - x
      - y
"""


def test_the_path_of_every_value_is_the_one_it_is_read_at() -> None:
    document = read_document(FLOW.encode(), "a").document
    assert document is not None
    pending: list[tuple[Keys, Any]] = [((), document.data)]
    count = 0
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict):
            pending += [((*path, key), below) for key, below in value.items()]
        elif isinstance(value, list):
            pending += [((*path, index), below) for index, below in enumerate(value)]
        else:
            place = document.place(path)
            assert cursor_at(FLOW, place.start + 1).path == path, path
            count += 1
    assert count == 15


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_positions_lead_back_to_their_offsets(encoding: str) -> None:
    text = "a\r\nbé😀c\n\nd"
    positions = Positions(text, encoding)
    for offset in range(len(text) + 1):
        if text[offset - 1 : offset + 1] != "\r\n":
            assert positions.offset(positions.position(offset)) == offset
    assert positions.position(text.index("c")).character == {"utf-8": 7, "utf-16": 4, "utf-32": 3}[encoding]


def test_names_are_known_of_text_that_is_no_yaml() -> None:
    text = "params:\n  a: 1\n  b: [\ntasks:\n  one:\n    run: x\n  'two': {\nhooks:\n  failure:\n    t:\n      run: x\n"
    found = defined_names(text)
    assert found["params"] == ("a", "b")
    assert found["tasks"] == ("one", "two")
    assert found["hooks.failure"] == ("t",)
