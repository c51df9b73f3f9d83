"""`http.request`, through a real host process against a real server."""

from __future__ import annotations

import json
import urllib.parse
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.attempts import ConnectorWork, Launch
from engine.connectors.http import parse_retry_after
from engine.outcomes import Ending, Failure, Outcome
from engine.runners.masked_stream import MASK
from tests.engine.connectors.local_server import Server
from tests.engine.runners.bench import Bench, declared, log_of
from tests.engine.runners.canaries import CANARIES


def start(bench: Bench, arguments: dict[str, Any], **fields: Any) -> Launch:
    return bench.start(ConnectorWork("http", "request", {}, arguments, bench.folder), **fields)


def request(bench: Bench, **arguments: Any) -> Outcome:
    return bench.end_of(start(bench, arguments))


def failure_of(outcome: Outcome) -> Failure:
    assert outcome.ending is Ending.FAILED
    assert outcome.failure is not None
    return outcome.failure


def test_an_answer_is_data(bench: Bench, server: Server) -> None:
    url = server.answer_json("/a", {"n": [1, None]})
    output = request(bench, url=url).output
    assert output["status"] == 200
    assert output["json"] == {"n": [1, None]}
    assert output["text"] == '{"n": [1, null]}'
    assert isinstance(output["headers"], dict)
    assert output["headers"]["content-type"] == "application/json"


def test_method_query_headers_and_json_are_sent(bench: Bench, server: Server) -> None:
    url = server.answer("/a b".replace(" ", "%20"), 201)
    outcome = request(
        bench,
        method="post",
        url=url + "?kept=1",
        query={"q": "a b&c", "n": 2, "yes": True, "many": ["x", "y"], "none": None},
        headers={"X-Token": "abc"},
        json={"k": "ü"},
    )
    assert outcome.ending is Ending.SUCCEEDED
    seen = server.seen[0]
    assert seen.method == "POST"
    assert seen.path == "/a%20b?kept=1&q=a%20b%26c&n=2&yes=true&many=x&many=y"
    assert seen.headers["x-token"] == "abc"
    assert seen.headers["content-type"] == "application/json"
    assert json.loads(seen.body) == {"k": "ü"}


def test_a_body_goes_as_it_is(bench: Bench, server: Server) -> None:
    request(bench, method="PUT", url=server.answer("/", 204), body="zwölf\r\n", headers={"Content-Type": "text/plain"})
    assert server.seen[0].body == "zwölf\r\n".encode()
    assert server.seen[0].headers["content-type"] == "text/plain"


@pytest.mark.parametrize(
    ("status", "expect", "fits"),
    [
        (204, None, True),
        (404, None, False),
        (404, [200, 404], True),
        (503, "5xx", True),
        (200, 201, False),
        (302, "3xx", True),
    ],
)
def test_a_status_is_expected_or_a_failure(bench: Bench, server: Server, status: int, expect: Any, fits: bool) -> None:
    outcome = request(bench, url=server.answer("/", status), **({} if expect is None else {"expect": expect}))
    assert (outcome.ending is Ending.SUCCEEDED) == fits
    if not fits:
        assert (failure_of(outcome).kind, failure_of(outcome).http_status) == ("http", status)


def test_a_failure_shows_no_query_and_no_password(bench: Bench, server: Server) -> None:
    url = server.answer("/path", 500).replace("http://", "http://user:word@") + "?key=hidden"
    launch = start(bench, {"url": url})
    failure = failure_of(bench.end_of(launch))
    assert failure.message == f"GET {server.address}/path answered 500 Internal Server Error"
    assert "hidden" not in log_of(launch)
    assert "word" not in log_of(launch)


def test_too_many_requests_carries_the_wait(bench: Bench, server: Server) -> None:
    failure = failure_of(request(bench, url=server.answer("/", 429, {"Retry-After": "17"})))
    assert (failure.http_status, failure.rate_limited, failure.retry_after_s) == (429, True, 17.0)
    failure = failure_of(request(bench, url=server.answer("/", 503, {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"})))
    assert not failure.rate_limited
    assert failure.retry_after_s is not None
    assert failure.retry_after_s > 10**9


def test_retry_after_is_seconds_or_a_date() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert parse_retry_after("120", now) == 120.0
    assert parse_retry_after("Thu, 01 Jan 2026 12:01:30 GMT", now) == 90.0
    assert parse_retry_after("Thu, 01 Jan 2026 11:00:00 GMT", now) == 0.0
    for text in ("soon", "-1", "1.5", "", "9" * 50):
        assert parse_retry_after(text, now) is None


def test_nobody_there_is_connect(bench: Bench) -> None:
    failure = failure_of(request(bench, url="http://127.0.0.1:1/"))
    assert failure.kind == "connect"
    assert failure.message.startswith("GET http://127.0.0.1:1/: ")


def test_an_unknown_host_is_connect(bench: Bench) -> None:
    assert failure_of(request(bench, url="http://no-such-host.invalid/")).kind == "connect"


def test_no_answer_in_time_is_timeout(bench: Bench, server: Server) -> None:
    failure = failure_of(request(bench, url=server.hang("/"), timeout="100ms"))
    assert failure.kind == "timeout"
    assert failure.message == f"GET {server.address}/ took longer than 0.1 s"


def test_redirects_are_followed_five_times(bench: Bench, server: Server) -> None:
    for number in range(7):
        server.answer(f"/{number}", 302, {"Location": f"/{number + 1}"})
    server.answer_json("/7", "here")
    assert request(bench, url=server.address + "/2").output["json"] == "here"
    assert failure_of(request(bench, url=server.address + "/1")).name == "TooManyRedirects"


def test_authorization_does_not_follow_to_another_host(bench: Bench, server: Server) -> None:
    other = server.address.replace("127.0.0.1", "localhost")
    server.answer_json("/end", 1)
    server.answer("/away", 307, {"Location": f"{other}/end"})
    server.answer("/stay", 307, {"Location": "/end"})
    for path in ("/away", "/stay"):
        request(bench, url=server.address + path, headers={"Authorization": "Bearer x"})
    ends = [seen.headers.get("authorization") for seen in server.seen if seen.path == "/end"]
    assert ends == [None, "Bearer x"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"])
def test_a_redirect_leads_to_http_only(bench: Bench, server: Server, target: str) -> None:
    failure = failure_of(request(bench, url=server.answer("/", 302, {"Location": target})))
    assert (failure.kind, failure.name) == ("error", "BadRedirect")


def test_a_body_past_the_cap_is_refused(bench: Bench, server: Server) -> None:
    failure = failure_of(request(bench, url=server.answer("/", 200, body=b"x" * 10_000_001)))
    assert failure.name == "BodyTooLarge"


def test_what_says_it_is_json_must_be(bench: Bench, server: Server) -> None:
    url = server.answer("/", 200, {"Content-Type": "application/json"}, b'{"a": NaN}')
    assert failure_of(request(bench, url=url)).name == "BadAnswer"


def test_an_answer_in_another_encoding_is_read(bench: Bench, server: Server) -> None:
    url = server.answer("/", 200, {"Content-Type": "text/plain; charset=latin-1"}, b"\xfc")
    assert request(bench, url=url).output["text"] == "ü"
    url = server.answer("/", 200, {"Content-Type": "text/plain; charset=no-such"}, b"\xff")
    assert request(bench, url=url).output["text"] == "\ufffd"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"url": "ftp://a/"}, "`url` must start with `http://` or `https://`"),
        ({"url": "http://"}, "and name a host"),
        ({"url": "http://a:99999/"}, "and name a host"),
        ({"url": "http://a/\r\nX: 1"}, "a control character"),
        ({"url": 1}, "`url` must be text"),
        ({}, "`url` must be text"),
        ({"url": "http://a/", "headers": {"A": "b\r\nC: d"}}, "the header `A` holds a line break"),
        ({"url": "http://a/", "headers": {"A\n": "b"}}, "is not a header's name"),
        ({"url": "http://a/", "headers": {"A": "ü"}}, "not ASCII"),
        ({"url": "http://a/", "headers": {"A": None}}, "must be text"),
        ({"url": "http://a/", "method": "GET /"}, "`method` is not a method"),
        ({"url": "http://a/", "expect": "ok"}, "`ok` in `expect` is no status"),
        ({"url": "http://a/", "timeout": 5}, "`timeout` is no duration"),
        ({"url": "http://a/", "timeout": "0s"}, "`timeout` is no duration"),
        ({"url": "http://a/", "json": 1, "body": "x"}, "exclude each other"),
        ({"url": "http://a/", "verify": "no"}, "`verify` must be"),
        ({"url": "http://a/", "query": {"a": {}}}, "`a` in `query` must be text"),
        ({"url": "http://a/", "params": {}}, "has no field `params`"),
    ],
)
def test_arguments_that_make_no_request_are_refused(bench: Bench, arguments: dict[str, Any], words: str) -> None:
    failure = failure_of(request(bench, **arguments))
    assert (failure.kind, failure.name) == ("error", "BadArgument")
    assert words in failure.message


def test_proxies_of_the_environment_are_ignored(bench: Bench, server: Server) -> None:
    env = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}
    launch = start(bench, {"url": server.answer_json("/", 1)}, env=env)
    assert bench.end_of(launch).ending is Ending.SUCCEEDED


def test_cookies_of_one_call_are_not_sent_by_the_next(bench: Bench, server: Server) -> None:
    url = server.answer("/", 200, {"Set-Cookie": "session=1"})
    request(bench, url=url)
    request(bench, url=url)
    assert "cookie" not in server.seen[1].headers


def test_secrets_are_masked_in_output_log_and_message(bench: Bench, server: Server) -> None:
    secret = "hunter2-hunter2"
    url = server.answer_json(f"/{secret}", {"echo": secret})
    launch = start(bench, {"url": url, "headers": {"X": secret}}, secrets=(secret,))
    outcome = bench.end_of(launch)
    assert outcome.output["json"] == {"echo": MASK}
    assert secret not in log_of(launch)
    launch = start(bench, {"url": server.answer(f"/{secret}", 500)}, secrets=(secret,))
    assert secret not in failure_of(bench.end_of(launch)).message


def test_declared_outputs_are_checked_and_the_whole_answer_kept(bench: Bench, server: Server) -> None:
    url = server.answer_json("/", {})
    good = bench.end_of(start(bench, {"url": url}, outputs=declared(status="int")))
    assert set(good.output) == {"status", "headers", "json", "text"}
    bad = bench.end_of(start(bench, {"url": url}, outputs=declared(rows="int")))
    assert failure_of(bad).kind == "output"


def test_query_and_body_arrive_byte_by_byte(bench: Bench, server: Server) -> None:
    url = server.answer("/", 200)
    request(
        bench, method="POST", url=url, query={f"v{n}": text for n, text in enumerate(CANARIES)}, json=list(CANARIES)
    )
    pairs = urllib.parse.parse_qsl(server.seen[0].path.partition("?")[2], keep_blank_values=True, strict_parsing=True)
    assert pairs == [(f"v{n}", text) for n, text in enumerate(CANARIES)]
    assert json.loads(server.seen[0].body) == list(CANARIES)
    for text in CANARIES:
        if text.isascii() and not set("\r\n") & set(text):
            outcome = request(bench, url=url, headers={"X-Value": text})
            if outcome.ending is Ending.SUCCEEDED:
                assert server.seen[-1].headers["x-value"] == text.strip(" \t")
