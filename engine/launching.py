"""From a started attempt to what a runner needs: every expression resolved, the environment complete (`LANGUAGE.md` 16)."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

from msgspec import Struct

from engine.attempts import AttemptFiles, AttemptKey, CallWork, CommandWork, ConnectorWork, Launch, ScriptWork, Work
from engine.errors import SecretUnavailable
from engine.instants import written
from engine.outcomes import Failure, Json
from engine.plan import CallAction, ExecAction, Plan, PlanTask, RetryPolicy, RunAction, UseAction
from engine.result import outcome_of
from engine.retry import rate_pattern
from engine.run import ItemRun, Run, TaskRun
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
    return Launcher(plan, run, around).launch(key)


class Launcher:
    """Makes the launches of one run; what they have in common is put together once."""

    def __init__(self, plan: Plan, run: Run, around: Surroundings, *, token: int = 1) -> None:
        self._token = token
        self._plan = plan
        self._run = run
        self._around = around
        self._secrets = SecretsNamespace(plan.secrets, around.secrets)
        self._sensitive = sensitive_texts(plan, run)
        self._host = {name: around.environment[name] for name in PASSED_ON if name in around.environment}
        self._work = around.files.work(run.id)
        self._variables = {"FLOW_RUN_ID": run.id, "FLOW_NAME": plan.name, "FLOW_RUN_DIR": self._work}
        self._trace = f"00-{_digest(run.id)}-"

    def launch(self, key: AttemptKey) -> Launch | Failure:
        """All a runner needs for the attempt `key`, or why it cannot be had: kind `expression`, or `secret`."""
        plan = self._plan
        spec = plan.tasks[key.task]
        scope = _Scope(plan, self._run, key)
        with_secrets = _Scope(plan, self._run, key, self._secrets)
        files = self._around.files.attempt(key)
        try:
            env = self._environment(spec, key, files, with_secrets)
            work = _work(plan, spec, with_secrets, self._secrets)
            workdir = _workdir(spec, scope, self._work)
        except EvaluationError as problem:
            return Failure("expression", _without(str(problem), self._around.secrets.resolved(plan.secrets)))
        except SecretUnavailable as problem:
            return Failure("secret", str(problem))
        return Launch(
            key=key,
            work=work,
            files=files,
            env=env,
            workdir=workdir,
            outputs=spec.outputs,
            output_limit_bytes=plan.output_bytes,
            grace=spec.grace,
            secrets=self._around.secrets.resolved(plan.secrets) + self._sensitive if plan.secrets else self._sensitive,
            patterns=_patterns(spec.retry),
            token=self._token,
        )

    def _environment(
        self, spec: PlanTask, key: AttemptKey, files: AttemptFiles, scope: Mapping[str, Any]
    ) -> dict[str, str]:
        env = dict(self._host)
        for name, value in self._plan.env.entries:
            env[name] = resolve_text(value, scope)
        env.update(self._run.env)
        for name, value in spec.env.entries:
            env[name] = resolve_text(value, scope)
        env.update(self._variables)
        self._add_variables(env, spec, key, files)
        return env

    def _add_variables(self, env: dict[str, str], spec: PlanTask, key: AttemptKey, files: AttemptFiles) -> None:
        run = self._run
        task, base = run.tasks[key.task], files.base
        env["FLOW_TASK"] = key.task
        env["FLOW_ATTEMPT"] = str(key.attempt)
        env["FLOW_ROUND"] = str(key.round)
        env["FLOW_OUTPUT"] = f"{base}.output"
        env["FLOW_OUTPUT_JSON"] = f"{base}.output.json"
        env["FLOW_CONTROL"] = f"{base}.control"
        env["FLOW_PROGRESS"] = f"{base}.progress"
        name = f"{run.id}\0{key.task}\0{key.item}\0{key.round}"
        env["FLOW_IDEMPOTENCY_KEY"] = _digest(name)
        env["TRACEPARENT"] = self._trace + _digest(f"{name}\0{key.attempt}")[:16] + "-01"
        deadline = _deadline(task, spec, key)
        if deadline is not None:
            env["FLOW_DEADLINE"] = deadline
        if key.item is not None:
            unit = task.unit(key.item)
            if isinstance(unit, ItemRun):
                env["FLOW_ITEM"] = json.dumps(unit.value, ensure_ascii=False, separators=(",", ":"))
                env["FLOW_ITEM_INDEX"] = str(key.item)
                env["FLOW_ITEM_KEY"] = unit.key
        if run.phase == "hooks" and key.task.startswith("hooks."):
            env["FLOW_STATUS"] = str(outcome_of(self._plan, run).state)
            env["FLOW_FAILED"] = ",".join(str(name) for name in failed_tasks(self._plan, run))


class _Scope(Mapping[str, Any]):
    """The names of a task's expressions, put together when the first one asks: most tasks have none."""

    __slots__ = ("_key", "_names", "_plan", "_run", "_secrets")

    def __init__(self, plan: Plan, run: Run, key: AttemptKey, secrets: SecretsNamespace | None = None) -> None:
        self._plan = plan
        self._run = run
        self._key = key
        self._secrets = secrets
        self._names: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        return self._found()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._found()

    def __iter__(self) -> Iterator[str]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())

    def _found(self) -> dict[str, Any]:
        if self._names is None:
            self._names = task_scope(self._plan, self._run, self._key.task, self._key.item)
            if self._secrets is not None:
                self._names["secrets"] = self._secrets
        return self._names


def _patterns(retry: RetryPolicy) -> tuple[str, ...]:
    """What is to be looked for in the output of an attempt that has failed."""
    named = [error.removeprefix("output~") for error in (*retry.errors, *retry.never) if "~" in error]
    if retry.rate_limit is None:
        return tuple(named)
    return (*named, *(rate_pattern(written) for written in retry.rate_limit.match))


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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _deadline(task: TaskRun, spec: PlanTask, key: AttemptKey) -> str | None:
    """When this attempt will be ended at the latest, RFC 3339; `None` when nothing limits it."""
    started = task.unit(key.item).attempt_started_at
    ends = [started + spec.timeout] if started is not None and spec.timeout else []
    if task.started_at is not None and spec.deadline:
        ends.append(task.started_at + spec.deadline)
    return written(min(ends)) if ends else None
