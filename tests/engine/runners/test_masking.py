"""Secrets are replaced in every form, wherever the chunks of a stream break."""

from __future__ import annotations

import base64
import itertools
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.attempts import CommandWork, ScriptWork
from engine.runners.masked_stream import MASK
from engine.runners.masking import Masker
from tests.engine.runners.bench import Bench, declared, log_of

SECRET = "s3cr3t/+ pass'word\"&ü"
KEY = "-----BEGIN KEY-----\nMIIabcdefgh\nxyz\nIJKLMNOPqrst\n-----END KEY-----\n"


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


def _streamed(masker: Masker, pieces: list[bytes]) -> bytes:
    stream = masker.stream()
    return b"".join([*map(stream.feed, pieces), stream.flush()])


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote(SECRET, safe="").lower(),
        urllib.parse.quote_plus(SECRET),
        SECRET.encode().hex(),
        SECRET.replace("'", "'\\''"),
    ],
)
def test_a_secret_is_replaced_in_every_form(form: str) -> None:
    masked = Masker([SECRET]).mask_text(f"before {form} after")
    assert form not in masked
    assert MASK in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("after", range(3))
def test_base64_of_a_text_around_a_secret_shows_nothing_of_it(before: int, after: int) -> None:
    token = "Zq9-Token_77"
    encoded = base64.b64encode(b"u" * before + token.encode() + b"v" * after).decode()
    masked = Masker([token]).mask_text(encoded)
    assert MASK in masked
    assert len(masked.replace(MASK, "").rstrip("=")) <= 8  # what stands around it, and characters shared with it


def test_each_line_of_a_key_is_replaced() -> None:
    masked = Masker([KEY]).mask_text("got MIIabcdefgh and IJKLMNOPqrst, xyz")
    assert masked == f"got {MASK} and {MASK}, xyz"
    assert Masker([KEY]).mask_text(f"<{KEY}>") == f"<{MASK}>"


def test_texts_too_short_to_be_secrets_are_left() -> None:
    assert Masker(["abc", ""]).mask_text("abcabc") == "abcabc"


def test_overlapping_secrets_leave_nothing() -> None:
    assert Masker(["abcdef", "defghi"]).mask_text("xabcdefghiy") == f"x{MASK}y"


@given(
    secrets=st.lists(st.text(alphabet="ab", min_size=4, max_size=9), min_size=1, max_size=3),
    text=st.text(alphabet="abc", max_size=60),
    cuts=st.lists(st.integers(0, 100), max_size=8),
)
def test_where_chunks_break_makes_no_difference(secrets: list[str], text: str, cuts: list[int]) -> None:
    masker = Masker(secrets)
    data = text.encode()
    masked = _streamed(masker, _pieces(data, cuts))
    assert masked.replace(b"*", b"") == masker.mask_bytes(data).replace(b"*", b"")
    assert (MASK.encode() in masked) == any(secret in text for secret in secrets)


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 300), max_size=5))
def test_bytes_without_a_secret_pass_unchanged(data: bytes, cuts: list[int]) -> None:
    assert _streamed(Masker(["no such secret here"]), _pieces(data, cuts)) == data


@given(cut=st.integers(0, 200))
def test_a_secret_across_the_border_of_chunks_is_replaced(cut: int) -> None:
    data = b"x" * 90 + SECRET.encode() + b"y" * 80
    assert _streamed(Masker([SECRET]), _pieces(data, [cut])) == b"x" * 90 + MASK.encode() + b"y" * 80


def test_only_what_may_begin_a_secret_is_held_back() -> None:
    stream = Masker(["secret"]).stream()
    assert stream.feed(b"progress 10 %\n") == b"progress 10 %\n"
    assert stream.feed(b"no sec") == b"no "
    assert stream.feed(b"ond") == b"second"


def test_a_secret_never_reaches_log_message_output_or_notes(bench: Bench) -> None:
    secret = "hunter2-hunter2"
    script = """
        printf 'hunter2-hun'; sleep 0.05; printf 'ter2\\n'
        printf %s "$PASSWORD" | base64 >&2
        echo "text=is $PASSWORD" >> "$FLOW_OUTPUT"
        echo '{"list": ["hunter2-hunter2"]}' > "$FLOW_OUTPUT_JSON"
        echo "last: $PASSWORD" >&2
        exit $CODE
    """
    outputs = declared(text="string", list={"type": "list"})
    for code in ("0", "9"):
        launch = bench.start(
            ScriptWork(script), env={"PASSWORD": secret, "CODE": code}, secrets=(secret,), outputs=outputs
        )
        outcome = bench.end_of(launch)
        everything = log_of(launch) + repr(outcome)
        assert secret not in everything
        assert base64.b64encode(secret.encode()).decode()[:12] not in everything
        assert MASK in log_of(launch)
    assert outcome.failure is not None
    assert outcome.failure.message == f"exited with 9: last: {MASK}"


def test_a_secret_is_masked_in_a_message_about_the_start(bench: Bench) -> None:
    outcome = bench.run(CommandWork(("hunter2-hunter2",)), secrets=("hunter2-hunter2",))
    assert outcome.failure is not None
    assert f"`{MASK}`" in outcome.failure.message


def test_kept_streams_are_masked_too(bench: Bench) -> None:
    launch = bench.start(
        ScriptWork("echo out hunter2-hunter2; echo err hunter2-hunter2 >&2"),
        secrets=("hunter2-hunter2",),
        outputs=declared(text={"from": "stdout"}),
    )
    assert bench.end_of(launch).output == {"text": f"out {MASK}"}
    assert sorted(log_of(launch).splitlines()) == [f"err {MASK}", f"out {MASK}"]
    assert b"hunter2" not in b"".join(path.read_bytes() for path in bench.folder.glob("*.std*"))


def test_the_pipe_of_a_daemon_does_not_hold_the_task(bench: Bench) -> None:
    launch = bench.start(
        ScriptWork("env -i setsid sh -c 'trap \"\" TERM HUP; echo up; exec sleep 2' & sleep 0.1; echo done"),
        secrets=("hunter2-hunter2",),
    )
    bench.end_of(launch)
    assert "done\n" in log_of(launch)
