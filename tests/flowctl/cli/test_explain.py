"""`flowctl explain` and `flowctl schema`: what a code or a field means, and the language for an editor."""

from __future__ import annotations

import json

import pytest

from flowctl.cli.main import main
from flowctl.explanations import explanation
from specs.descriptions import DESCRIPTIONS
from specs.model.parts import RetrySpec
from specs.schema import language_schema


def explained(what: str, capsys: pytest.CaptureFixture[str], *, code: int = 0) -> str:
    assert main(["explain", what]) == code
    captured = capsys.readouterr()
    return captured.out if code == 0 else captured.err


def test_a_code_is_explained_with_its_examples(capsys: pytest.CaptureFixture[str]) -> None:
    out = explained("FLOW201", capsys)
    one = explanation("FLOW201")
    assert one is not None
    assert out.startswith("error[FLOW201]: waits for a task that does not exist\n")
    assert one.text in out
    assert "    load: {run: make load, after: [fecth]}" in out
    assert out.index("Wrong:") < out.index("Right:")


def test_case_does_not_matter_and_what_is_off_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert explained("flow205", capsys).startswith("info, off unless asked for[FLOW205]")


def test_files_beside_an_example_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Beside the flow stands child.yaml:" in explained("FLOW251", capsys)


def test_a_code_that_does_not_exist_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no code `FLOW2011`" in explained("FLOW2011", capsys, code=2)


@pytest.mark.parametrize(
    "field", ["tasks.retry.attempts", "retry.attempts", "tasks.load.retry.attempts", "tasks.NAME.retry.attempts"]
)
def test_a_field_is_found_with_names_and_without(field: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = explained(field, capsys)
    assert out.splitlines()[0] == "tasks.NAME.retry.attempts"
    assert DESCRIPTIONS[RetrySpec]["attempts"] in out
    assert "1 to 1000" in out


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("priority", "one of: critical, high, normal, low, background"),
        ("concurrency.runs", "default: 1"),
        ("triggers.cron", "triggers.NAME.cron"),
        ("templates.timeout", "templates.NAME.timeout"),
        ("defaults.retry.jitter", "defaults.retry.jitter"),
        ("branch.then", "tasks.NAME.branch.then"),
        ("hooks.failure.run", "hooks.failure.NAME.run"),
        ("include", "Library files"),
        ("tasks", "Keys of each:"),
    ],
)
def test_a_field_is_explained(field: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown in explained(field, capsys)


def test_a_field_that_does_not_exist_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    err = explained("retry.atempts", capsys, code=2)
    assert "there is no field `atempts` of `tasks.NAME.retry`" in err
    assert "did you mean `attempts`?" in err


@pytest.mark.parametrize("nonsense", [".", "....", "a.b.c.d", "tasks..", "[]", "x" * 5000, "tasks.\x1b[31m"])
def test_nonsense_is_refused_without_a_traceback(nonsense: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", nonsense])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert "\x1b[31m" not in captured.err + captured.out


def test_the_schema_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == language_schema()
