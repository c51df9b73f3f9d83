"""From a started attempt to what a runner needs: every expression resolved, the environment complete (`LANGUAGE.md` 16)."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import PurePath
from typing import Any

from msgspec import Struct

from engine.attempts import AttemptKey, CallWork, CommandWork, ConnectorWork, Launch, ScriptWork, Work
from engine.errors import SecretUnavailable
from engine.outcomes import Failure, Json
from engine.plan import CallAction, ExecAction, Plan, PlanTask, RunAction, UseAction
from engine.result import outcome_of
from engine.retry import rate_pattern
from engine.run import ItemRun, Run
from engine.run_files import RunFiles
from engine.scope import failed_tasks, task_scope
from engine.secrets import SHORTEST, Secrets
from engine.urls import resolve_url
from specs.expressions import EvaluationError, resolve, resolve_arguments, resolve_text
from specs.expressions.values import MapValue

PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
"""Variables of the engine's own environment that every task gets."""

MASK = "***"
_HEAD = 8
"""So many characters at the beginning of a secret are as good as all of it."""

_SECRET_FIELD = "_secret"  # noqa: S105 - a suffix, not a secret


class Surroundings(Struct, frozen=True):
    """What launches have in common: the engine's own environment, the files of runs, and the secrets."""

    environment: Mapping[str, str]
    files: RunFiles
    secrets: Secrets


class SecretsNamespace(Mapping[str, str]):
    """`secrets`: resolved when an expression asks."""

    def __init__(self, declared: Mapping[str, str], secrets: Secrets) -> None:
        self._declared = declared
        self._secrets = secrets

    def __getitem__(self, key: str) -> str:
        return self._secrets.get(key, self._declared[key])

    def __contains__(self, key: object) -> bool:
        return key in self._declared

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)


def make_launch(plan: Plan, run: Run, key: AttemptKey, around: Surroundings) -> Launch | Failure:
    """All a runner needs for the attempt `key`, or why it cannot be had: kind `expression`, or `secret`."""
    spec = plan.tasks[key.task]
    try:
        scope = task_scope(plan, run, key.task, key.item)
        secrets = SecretsNamespace(plan.secrets, around.secrets)
        with_secrets = {**scope, "secrets": secrets}
        env = _environment(plan, run, spec, key, with_secrets, around)
        work = _work(plan, spec, with_secrets, secrets)
        workdir = _workdir(spec, scope, around.files.work(run.id))
    except EvaluationError as problem:
        return Failure("expression", _without(str(problem), around.secrets.resolved(plan.secrets)))
    except SecretUnavailable as problem:
        return Failure("secret", str(problem))
    rate_limit = spec.retry.rate_limit
    patterns = [error.removeprefix("output~") for error in (*spec.retry.errors, *spec.retry.never) if "~" in error]
    return Launch(
        key=key,
        work=work,
        files=around.files.attempt(key),
        env=env,
        workdir=workdir,
        outputs=spec.outputs,
        output_limit_bytes=plan.output_bytes,
        grace=spec.grace,
        secrets=around.secrets.resolved(plan.secrets) + sensitive_texts(plan, run),
        patterns=(*patterns, *(rate_pattern(written) for written in (rate_limit.match if rate_limit else ()))),
    )


def sensitive_texts(plan: Plan, run: Run) -> tuple[str, ...]:
    """Values of parameters marked `sensitive`, to be masked like secrets."""
    rest = [run.params.get(name) for name, spec in plan.params.items() if spec.sensitive]
    found: dict[str, None] = {}
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            rest.extend(value.values())
        elif isinstance(value, list):
            rest.extend(value)
        elif isinstance(value, str | int | float) and len(str(value)) >= SHORTEST and not isinstance(value, bool):
            found[str(value)] = None
    return tuple(found)


def _without(message: str, secrets: Iterable[str]) -> str:
    """`message` with no secret in it, not even the beginning of one that a message has cut short."""
    for secret in secrets:
        head = secret[:_HEAD]
        start = message.find(head)
        while start >= 0:
            pairs = zip(secret, message[start:], strict=False)
            end = start + sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
            message = message[:start] + MASK + message[end:]
            start = message.find(head, start + len(MASK))
    return message


# --- what is to be done -------------------------------------------------------------------------------------------------


def _work(plan: Plan, spec: PlanTask, scope: Mapping[str, Any], secrets: Mapping[str, str]) -> Work:
    match spec.action:
        case RunAction(script=script, shell=shell, success_codes=codes):
            return ScriptWork(script, shell, codes)
        case ExecAction(arguments=arguments, success_codes=codes):
            return CommandWork(tuple(resolve_arguments(arguments, scope)), codes)
        case CallAction(target=target, arguments=arguments):
            return CallWork(target, _map(resolve(arguments, scope)), plan.root)
        case UseAction():
            config = _with_named_secrets(_map(resolve(spec.action.config, scope)), secrets)
            fields = _with_named_secrets(_arguments(spec.action, scope), secrets)
            return ConnectorWork(spec.action.type, spec.action.action, config, fields, plan.root)
        case _:
            raise AssertionError(spec.action)


def _arguments(action: UseAction, scope: Mapping[str, Any]) -> dict[str, Json]:
    if action.type != "http" or not isinstance(action.arguments, MapValue):
        return _map(resolve(action.arguments, scope))
    return {
        name: resolve_url(value, scope) if name == "url" else resolve(value, scope)
        for name, value in action.arguments.entries
    }


def _map(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise AssertionError(value)
    return value


def _with_named_secrets(values: Mapping[str, Json], secrets: Mapping[str, str]) -> dict[str, Json]:
    """Fields called `x_secret` hold the name of a secret; the connector gets `x` with its value."""
    found: dict[str, Json] = {}
    for name, value in values.items():
        if name.endswith(_SECRET_FIELD) and isinstance(value, str):
            if value not in secrets:
                raise EvaluationError(f"`{name}` names the secret `{value}`, which the flow does not declare")
            found[name.removesuffix(_SECRET_FIELD)] = secrets[value]
        else:
            found[name] = value
    return found


def _workdir(spec: PlanTask, scope: Mapping[str, Any], work: str) -> str:
    return work if spec.workdir is None else str(PurePath(work) / resolve_text(spec.workdir, scope))


# --- the environment ----------------------------------------------------------------------------------------------------


def _environment(
    plan: Plan, run: Run, spec: PlanTask, key: AttemptKey, scope: Mapping[str, Any], around: Surroundings
) -> dict[str, str]:
    env = {name: around.environment[name] for name in PASSED_ON if name in around.environment}
    for name, value in plan.env.entries:
        env[name] = resolve_text(value, scope)
    env.update(run.env)
    for name, value in spec.env.entries:
        env[name] = resolve_text(value, scope)
    env.update(_flow_variables(plan, run, spec, key, around.files))
    return env


def _flow_variables(plan: Plan, run: Run, spec: PlanTask, key: AttemptKey, files: RunFiles) -> dict[str, str]:
    own = files.attempt(key)
    variables = {
        "FLOW_RUN_ID": run.id,
        "FLOW_NAME": plan.name,
        "FLOW_TASK": key.task,
        "FLOW_ATTEMPT": str(key.attempt),
        "FLOW_ROUND": str(key.round),
        "FLOW_RUN_DIR": own.work,
        "FLOW_TMP": own.tmp,
        "FLOW_OUTPUT": own.output,
        "FLOW_OUTPUT_JSON": own.output_json,
        "FLOW_CONTROL": own.control,
        "FLOW_PROGRESS": own.progress,
        "FLOW_IDEMPOTENCY_KEY": _digest(run.id, key.task, str(key.item), str(key.round)),
        "TRACEPARENT": f"00-{_digest(run.id)}-{_digest(run.id, key.task, str(key))[:16]}-01",
    }
    deadline = _deadline(run, spec, key)
    if deadline is not None:
        variables["FLOW_DEADLINE"] = deadline
    unit = run.tasks[key.task].unit(key.item)
    if key.item is not None and isinstance(unit, ItemRun):
        variables["FLOW_ITEM"] = json.dumps(unit.value, ensure_ascii=False, separators=(",", ":"))
        variables["FLOW_ITEM_INDEX"] = str(key.item)
        variables["FLOW_ITEM_KEY"] = unit.key
    if key.task.startswith("hooks.") and run.phase == "hooks":
        variables["FLOW_STATUS"] = str(outcome_of(plan, run).state)
        variables["FLOW_FAILED"] = ",".join(str(name) for name in failed_tasks(plan, run))
    return variables


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _deadline(run: Run, spec: PlanTask, key: AttemptKey) -> str | None:
    """When this attempt will be ended at the latest, RFC 3339; `None` when nothing limits it."""
    task = run.tasks[key.task]
    unit = task.unit(key.item)
    ends = []
    for start, limit in ((unit.attempt_started_at, spec.timeout), (task.started_at, spec.deadline)):
        if start is not None and limit is not None and limit > timedelta(0):
            ends.append(start + limit)
    return min(ends).isoformat() if ends else None
