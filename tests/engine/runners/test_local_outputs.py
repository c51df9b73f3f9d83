"""Declared outputs of scripts, and what a failed script says through `FLOW_CONTROL` and its own output."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.attempts import ScriptWork
from engine.outcomes import Ending, Failure
from tests.engine.runners.bench import Bench, declared, log_of


def test_outputs_are_read_from_both_files_and_converted(bench: Bench) -> None:
    outputs = declared(
        name="string", rows="int", ratio="float", done="bool", day="date", at="datetime", took="duration",
        size="size", path="path", info="json", files={"type": "list", "items": "string"}, more="map",
        left_out={"type": "int", "optional": True},
    )  # fmt: skip
    outcome = bench.script(
        """
        {
            echo 'name=a=b "c"'
            echo rows=12
            echo ratio:=1
            echo done=true
            echo day=2026-02-28
            echo at=2026-02-28T10:00:00Z
            echo took=90m
            echo size=10MB
            echo path=/a/../b//c
            echo 'files:=["x", "y"]'
        } >> "$FLOW_OUTPUT"
        echo '{"info": {"n": [null, 1.5]}, "more": {}}' > "$FLOW_OUTPUT_JSON"
        """,
        outputs=outputs,
    )
    assert outcome.ending is Ending.SUCCEEDED
    assert outcome.output == {
        "name": 'a=b "c"', "rows": 12, "ratio": 1.0, "done": True, "day": "2026-02-28",
        "at": "2026-02-28T10:00:00+00:00", "took": "1h30m", "size": 10_000_000, "path": "/b/c",
        "info": {"n": [None, 1.5]}, "files": ["x", "y"], "more": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("true", "output `rows` is missing"),
        ("echo rows=1 >> $FLOW_OUTPUT; echo rows=2 >> $FLOW_OUTPUT", "output `rows` is given twice"),
        ("echo rows=1 >> $FLOW_OUTPUT; echo '{\"rows\": 1}' > $FLOW_OUTPUT_JSON", "output `rows` is given twice"),
        ("echo lines=1 >> $FLOW_OUTPUT", "output `lines` is not declared; declared are: `rows`"),
        ("echo rows=many >> $FLOW_OUTPUT", "output `rows` is no `int`: `many` is not a whole number"),
        ("echo 'rows:=\"1\"' >> $FLOW_OUTPUT", "output `rows` is no `int`: expected a whole number, found text"),
        ("echo 'rows:=true' >> $FLOW_OUTPUT", "expected a whole number, found a boolean"),
        ("echo 'rows:=NaN' >> $FLOW_OUTPUT", "`NaN` is not JSON"),
        ("echo 'rows:={' >> $FLOW_OUTPUT", "output `rows` is not JSON"),
        ("echo rows >> $FLOW_OUTPUT", "line 1 of `FLOW_OUTPUT` is neither `name=text` nor `name:=json`"),
        ("printf 'rows=\\377\\n' >> $FLOW_OUTPUT", "`FLOW_OUTPUT` is not UTF-8"),
        ("echo '[1]' > $FLOW_OUTPUT_JSON", "`FLOW_OUTPUT_JSON` must hold a JSON object, not a list"),
        ('echo \'{"rows": 1, "rows": 2}\' > $FLOW_OUTPUT_JSON', "the key `rows` is there twice"),
        ("printf '[%.0s' $(seq 100000) > $FLOW_OUTPUT_JSON", "nested too deeply"),
        ("head -c 3000 /dev/zero > $FLOW_OUTPUT", "`FLOW_OUTPUT` is longer than 2000 bytes"),
        ("mkfifo $FLOW_OUTPUT", "`FLOW_OUTPUT` cannot be read: it is not a regular file"),
        ("mkdir $FLOW_OUTPUT", "`FLOW_OUTPUT` cannot be read"),
    ],
)
def test_an_output_that_is_wrong_fails_the_attempt_and_is_named(bench: Bench, script: str, words: str) -> None:
    limit = 1_000_000 if "seq" in script else 2000
    outcome = bench.script(script, outputs=declared(rows="int"), output_limit_bytes=limit)
    assert outcome.ending is Ending.FAILED
    assert outcome.failure is not None
    assert outcome.failure.kind == "output"
    assert words in outcome.failure.message
    assert outcome.output == {}


def test_an_output_nobody_declared_fails_an_attempt_without_outputs(bench: Bench) -> None:
    outcome = bench.script("echo a=1 >> $FLOW_OUTPUT")
    assert outcome.failure is not None
    assert "output `a` is not declared; declared are: none" in outcome.failure.message


def test_a_stream_longer_than_the_limit_fails_and_stays_readable(bench: Bench) -> None:
    launch = bench.start(
        ScriptWork("head -c 5000 /dev/zero | tr '\\0' x"),
        outputs=declared(text={"from": "stdout"}),
        output_limit_bytes=1000,
    )
    outcome = bench.end_of(launch)
    assert outcome.failure is not None
    assert outcome.failure.kind == "output"
    assert log_of(launch) == "x" * 1000
    assert outcome.notes == ("4000 bytes of stdout are not in the log: it is longer than an output may be",)


@pytest.mark.parametrize(("size", "fits"), [(988, True), (989, False)])
@pytest.mark.parametrize("secrets", [(), ("hush-hush",)])
def test_outputs_may_be_as_long_as_the_limit_in_json(
    bench: Bench, size: int, fits: bool, secrets: tuple[str, ...]
) -> None:
    outcome = bench.script(
        f"head -c {size} /dev/zero | tr '\\0' x; echo",
        outputs=declared(text={"from": "stdout"}),
        output_limit_bytes=len('{"text": ""}') + 988,
        secrets=secrets,
    )
    assert (outcome.ending is Ending.SUCCEEDED) == fits


def test_outputs_of_a_failed_attempt_are_not_looked_at(bench: Bench) -> None:
    outcome = bench.script("echo nonsense >> $FLOW_OUTPUT; exit 1", outputs=declared(rows="int"))
    assert outcome.failure is not None
    assert outcome.failure.kind == "exit"


def _control(bench: Bench, value: Any, code: int = 75) -> tuple[Failure, tuple[str, ...]]:
    text = value if isinstance(value, str) else json.dumps(value)
    outcome = bench.script(
        f'cat "${{TEXT_FILE-/dev/null}}" > "$FLOW_CONTROL"; printf %s "${{TEXT-}}" >> "$FLOW_CONTROL"; exit {code}',
        env={"TEXT": text},
    )
    assert outcome.failure is not None
    return outcome.failure, outcome.notes


def test_control_carries_wait_rate_and_ancestors(bench: Bench) -> None:
    failure, notes = _control(bench, {"rate_limited": True, "retry_after": 30, "retry_upstream": ["fetch"]})
    assert failure.rate_limited
    assert failure.retry_after_s == 30.0
    assert failure.asks_upstream == ("fetch",)
    assert failure.exit_code == 75
    assert notes == ()


def test_a_refused_rate_counts_with_exit_code_75_only(bench: Bench) -> None:
    failure, notes = _control(bench, {"rate_limited": True}, code=1)
    assert not failure.rate_limited
    assert notes == ("`rate_limited` in `FLOW_CONTROL` counts only with exit code 75",)


@pytest.mark.parametrize(
    ("value", "note"),
    [
        ("{", "`FLOW_CONTROL` was ignored: not JSON"),
        ("[]", "`FLOW_CONTROL` was ignored: it is not a JSON object"),
        ({"retry_after": -1}, "`retry_after` in `FLOW_CONTROL` was ignored: it has no fitting value"),
        ({"retry_after": True}, "`retry_after` in `FLOW_CONTROL` was ignored"),
        ({"retry_upstream": "fetch"}, "`retry_upstream` in `FLOW_CONTROL` was ignored"),
        ({"retry_upstream": [1]}, "`retry_upstream` in `FLOW_CONTROL` was ignored"),
        ({"retry_afte": 1}, "`retry_afte` in `FLOW_CONTROL` is not known"),
        (" " * 65_000 + "{}" + " " * 1000, "it is longer than"),
    ],
)
def test_control_that_makes_no_sense_is_told(bench: Bench, value: Any, note: str) -> None:
    failure, notes = _control(bench, value)
    assert (failure.retry_after_s, failure.asks_upstream, failure.rate_limited) == (None, (), False)
    assert len(notes) == 1
    assert note in notes[0]


def test_patterns_are_looked_for_in_the_end_of_the_output(bench: Bench) -> None:
    patterns = (r"\brate limit\b", "gone by", "nothing like it", "(")
    outcome = bench.script(
        "echo gone by; head -c 1200000 /dev/zero; echo 'rate limit reached' >&2; exit 1", patterns=patterns
    )
    assert outcome.failure is not None
    assert outcome.failure.matched == (r"\brate limit\b",)
    assert len(outcome.notes) == 1
    assert "the pattern `(` cannot be used" in outcome.notes[0]


def test_patterns_do_not_matter_to_a_success(bench: Bench) -> None:
    assert bench.script("echo rate limit", patterns=("rate limit",)).failure is None
