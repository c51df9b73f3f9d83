"""Credentials written into a flow, and secrets that come in by the wrong door (FLOW414 to 416)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic, Place
from specs.expressions.templates import contains_template
from specs.graph import FlowGraph

_NAMED = re.compile(
    r"(?:^|[_-])(?:password|passwd|pwd|passphrase|secret|token|credential|api[_-]?key|apikey|access[_-]?key|"
    r"secret[_-]?key|private[_-]?key|auth[_-]?key|authorization)s?$",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
    r"|\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,}|glpat-[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{36}"
    r"|xox[abprs]-[A-Za-z0-9-]{20,}|A(?:KIA|SIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{35}|sk_live_[A-Za-z0-9]{20,}"
    r"|rk_live_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9+/=]{24,}|dop_v1_[a-f0-9]{64}|SG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"
    r"|pypi-AgEI[A-Za-z0-9_-]{40,})"
)
_MARKS = (
    "-----BEGIN", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "npm_", "xox", "AKIA", "ASIA", "AIza",
    "_live_", "whsec_", "dop_v1_", "SG.", "pypi-AgEI",
)  # fmt: skip
"""One of these is in every text that `_TOKEN` matches; looking for them is a hundred times faster."""

_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://([^\s/:@'\"`<>${}]{0,100}):([^\s/@'\"`<>${}*]{1,200})@(?=[\w\[])")
_SECRET_HOST = re.compile(
    r"SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIAL", re.IGNORECASE
)
_NOT_A_SECRET = re.compile(r"|none|null|true|false|auto|yes|no|on|off|required|optional|disabled|enabled|[0-9]{1,3}")
_SHORTEST, _LONGEST = 4, 1000
_SCHEME = re.compile(r"(?i:bearer|basic|token)\s+(\S{8,})")

_DECLARE = 'declare it in `secrets` and give it to the task in `env`: `"${{ secrets.NAME }}"`'


def written_credentials(context: FlowContext) -> Iterator[Diagnostic]:
    """No password, token or private key stands in the file, in a comment neither."""
    source = context.places.place(()).source
    has_marks = any(mark in source.text for mark in _MARKS)
    for match in _TOKEN.finditer(source.text) if has_marks else ():
        place = Place(source, match.start(), match.end())
        kind = "a private key" if match[0].startswith("-") else "a token"
        help_ = f"{_DECLARE}; and withdraw this one, for it is in the history of the file"
        yield context.finding("FLOW414", (), f"looks like a credential: {kind}", place=place, help=help_)
    for path, name, value in _named_values(context):
        if _is_written_out(name, value):
            yield context.finding("FLOW414", path, f"`{name}` looks like a credential", help=_DECLARE)


def _is_written_out(name: str, value: object) -> bool:
    if not isinstance(value, str) or not _NAMED.search(name) or contains_template(value):
        return False
    if len(value) > _LONGEST or _TOKEN.search(value):
        return False  # no password; or told already, by its form
    text = value.strip()
    if name.lower() == "authorization":
        return _SCHEME.fullmatch(text) is not None
    if len(text) < _SHORTEST or _NOT_A_SECRET.fullmatch(text.lower()):
        return False
    is_elsewhere = text.startswith(("/", "./", "../", "~", "$", "<")) or "://" in text or " " in text
    return not is_elsewhere and len(set(text)) > 1


def _named_values(context: FlowContext) -> Iterator[tuple[Path, str, Any]]:
    """Every literal that has a name: environment, fields of connectors, defaults of parameters."""
    flow = context.flow
    for name, value in flow.env.items():
        yield ("env", name), name, value
    for name, param in flow.params.items():
        yield ("params", name, "default"), name, param.default
    for name, connector in flow.connectors.items():
        yield from _fields(context, ("connectors", name, "with"), connector.with_)
    for graph in context.graphs:
        yield from _of_tasks(context, graph)


def _of_tasks(context: FlowContext, graph: FlowGraph) -> Iterator[tuple[Path, str, Any]]:
    for task, spec in graph.having("env", "with_", "undo", "set"):
        path = (*graph.prefix, task)
        for name, value in (*spec.env.items(), *(spec.set or {}).items()):
            yield (*path, "env" if name in spec.env else "set", name), name, value
        yield from _fields(context, (*path, "with"), spec.with_)
        if spec.undo is not None:
            for name, value in spec.undo.env.items():
                yield (*path, "undo", "env", name), name, value
            yield from _fields(context, (*path, "undo", "with"), spec.undo.with_)


def _fields(context: FlowContext, path: Path, fields: dict[str, Any]) -> Iterator[tuple[Path, str, Any]]:
    """The fields of a `with`, one level of maps included (`headers`); `x_secret` holds the name of a secret."""
    for name, value in fields.items():
        if isinstance(value, dict):
            for inner, below in value.items():
                yield (*path, name, inner), str(inner), below
        elif not (name.endswith("_secret") and value in context.flow.secrets):
            yield (*path, name), name, value


def passwords_in_urls(context: FlowContext) -> Iterator[Diagnostic]:
    """No URL carries a password: logs and process lists would show it."""
    source = context.places.place(()).source
    for match in _URL.finditer(source.text) if "://" in source.text and "@" in source.text else ():
        place = Place(source, match.start(1), match.end(2))
        help_ = "put the whole URL, or the password, into `secrets`"
        yield context.finding("FLOW415", (), "a URL with a password in it", place=place, help=help_)


def secrets_of_the_host(context: FlowContext) -> Iterator[Diagnostic]:
    """What a task may see of the host is no secret: those are masked only when they are declared."""
    for index, name in enumerate(context.flow.host_env):
        if _SECRET_HOST.search(name):
            yield context.finding(
                "FLOW416",
                ("host_env", index),
                f"`{name}` in `host_env` looks like a secret",
                help=f'declare it, so that it is masked: `secrets: {{{name}: {{from: "env:{name}"}}}}`',
            )


RULES: tuple[Rule, ...] = (written_credentials, passwords_in_urls, secrets_of_the_host)
