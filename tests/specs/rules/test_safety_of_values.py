"""Credentials in a file and values from outside: what is told, and what must not be."""

from __future__ import annotations

import pytest

from tests.specs.rules.checking import codes, found, marked, only

RUN = "tasks:\n  a: {run: make}\n"
HOOK = (
    "secrets: {KEY: {from: 'env:KEY'}}\ntriggers:\n  t:\n"
    "    webhook: {path: /h, signature: {scheme: github, secret: KEY}}\n"
)


@pytest.mark.parametrize(
    "token",
    [
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 12,
        "glpat-" + "a1B2" * 5,
        "xoxb-" + "1234567890-" * 3,
        "AKIA" + "ABCD" * 4,
        "AIza" + "a1B2c" * 7,
        "sk_live_" + "a1B2" * 6,
    ],
)
def test_a_token_is_known_by_its_form_wherever_it_stands(token: str) -> None:
    assert marked(only(f"tasks:\n  a: {{run: 'curl -H {token}'}}\n", "FLOW414")) == token
    assert marked(only(f"# {token}\n{RUN}", "FLOW414")) == token


@pytest.mark.parametrize("name", ["PASSWORD", "DB_PASSWORD", "API_KEY", "GITHUB_TOKEN", "CLIENT_SECRET", "AUTH_TOKENS"])
def test_a_value_with_the_name_of_a_secret_is_told(name: str) -> None:
    assert marked(only(f"env: {{{name}: hunter2}}\n{RUN}", "FLOW414")) == "hunter2"


@pytest.mark.parametrize(
    "entry",
    [
        'PASSWORD: ""',
        "PASSWORD_FILE: /run/password",
        "TOKEN: /run/token",
        "TOKEN: none",
        "TOKEN: '****'",
        "TOKEN_URL: https://example.org/token",
        "SECRET: https://vault.example/secret",
        "TOKENS: 3",
        "PASSWORD_MIN_LENGTH: 'twelve'",
        "KEYBOARD: qwerty",
        "MONKEY: banana",
        "API_KEY: $OTHER",
        "API_KEY: <your key>",
        "SECRET: ask the team",
    ],
)
def test_what_only_sounds_like_a_secret_is_fine(entry: str) -> None:
    assert found(f"env: {{{entry}}}\n{RUN}", "FLOW414") == []


def test_a_field_that_takes_the_name_of_a_secret_is_fine() -> None:
    text = "secrets: {PW: {from: 'env:PW'}}\nconnectors: {m: {type: x, with: {password_secret: PW}}}\n"
    assert found(text + RUN, "FLOW414") == []


@pytest.mark.parametrize(
    "url", ["https://example.org/a:b@c", "https://user@example.org", "https://u:${P}@example.org", "http://[::1]:80/@x"]
)
def test_a_url_without_a_password_is_fine(url: str) -> None:
    assert found(f"tasks:\n  a: {{run: 'curl {url}', env: {{P: x}}}}\n", "FLOW415") == []


def test_the_password_of_a_url_is_marked() -> None:
    assert marked(only("tasks:\n  a: {run: 'curl ftp://me:pw@example.org/x'}\n", "FLOW415")) == "me:pw"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/${{ trigger.body.x }}",
        "https://example.org/?q=${{ trigger.body.x }}",
        "${{ params.known }}/${{ trigger.body.x }}",
        "https://${{ params.known }}.example.org/",
    ],
)
def test_what_comes_after_the_host_may_come_from_outside(url: str) -> None:
    head = f"params: {{known: {{choices: [a, b]}}}}\n{HOOK}    params: {{known: a}}\n"
    assert found(head + f'tasks:\n  a: {{use: http.request, with: {{url: "{url}"}}}}\n', "FLOW419") == []


def test_a_schedule_gives_nothing_from_outside() -> None:
    text = 'params: {day: {}}\ntriggers: {t: {every: 1d, params: {day: "${{ trigger.time | date }}"}}}\n'
    assert "FLOW418" not in codes(text + RUN)


@pytest.mark.parametrize("url", ["http://localhost/", "http://127.0.0.1:80/x", "http://[::1]/", "https://example.org/"])
def test_requests_that_stay_here_need_no_encryption(url: str) -> None:
    assert found(f'tasks:\n  a: {{use: http.request, with: {{url: "{url}"}}}}\n', "FLOW422") == []
