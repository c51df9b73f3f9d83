"""Failures by the names that retries know them by, for stubs: `exit:75`, `http:503`, `timeout`, `lost`."""

from __future__ import annotations

from engine.outcomes import Failure
from specs.error_names import NEVER_RETRIED, ErrorProblem, error_problem, nearest_error

FORMS = "write for example `exit:1`, `http:503`, `signal:KILL`, `error:NAME`, `connect`, `timeout` or `lost`"
STUBBED_EXIT = 1
_BY_ENGINE = frozenset(NEVER_RETRIED)


def failure_problem(name: str) -> ErrorProblem | None:
    """Why no attempt can end by the failure `name`, `None` if one can."""
    if name in _BY_ENGINE:
        return ErrorProblem(f"no attempt ends by `{name}`: the engine decides that by itself", FORMS)
    problem = error_problem(name, retried=True)
    if problem is not None:
        near = nearest_error(name)
        return ErrorProblem(problem.message, f"did you mean `{near}`?" if near else problem.help or FORMS)
    argument = name.partition(":")[2]
    if name == "any" or (not name.startswith("output~") and ("-" in argument or argument.endswith("xx"))):
        return ErrorProblem(f"`{name}` is a class of failures, not one", FORMS)
    return None


def failure_named(
    name: str,
    *,
    message: str | None = None,
    retry_after_s: float | None = None,
    rate_limited: bool = False,
    asks_upstream: tuple[str, ...] = (),
) -> Failure:
    """The failure called `name`, with the facts that `errors` and `never` look at. The name has no problem."""
    kind, _, argument = name.partition(":")
    exit_code: int | None = None
    matched: tuple[str, ...] = ()
    if name.startswith("output~"):
        kind, exit_code, matched = "exit", STUBBED_EXIT, (name.removeprefix("output~"),)
    elif kind == "exit":
        exit_code = int(argument or STUBBED_EXIT)
    return Failure(
        kind,
        message or f"stubbed failure `{name}`",
        exit_code=exit_code,
        signal=(argument or "KILL") if kind == "signal" else None,
        http_status=int(argument) if kind == "http" else None,
        name=argument if kind == "error" else None,
        retry_after_s=retry_after_s,
        rate_limited=rate_limited or (kind == "http" and argument == "429"),
        matched=matched,
        asks_upstream=asks_upstream,
    )
