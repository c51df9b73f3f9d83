"""What people write from other engines, and the one form of this language for each: a bridge for habits, as data.

Only used where a key is unknown or a map is missing; nothing here is ever accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from specs.scalars import NumberError, resolve, written_form


class Bridge(Struct, frozen=True):
    """The one form. `rename` replaces the key only, `entry` key and value; with neither there is no certain edit."""

    one_form: str
    rename: str | None = None
    entry: str | None = None


def bridge(key: object, value: Any, siblings: Mapping[Any, Any], *, level: str) -> Bridge | None:
    """The one form of an unknown key at `level` (`flow`, `task`, `retry`), `None` when the key is not a known habit."""
    if not isinstance(key, str):
        return None
    make = _TABLES[level].get(key.lower().replace("-", "_"))
    found = make(value) if make is not None else None
    if found is None:
        return None
    target = found.rename or (found.entry or "").partition(":")[0]
    # an edit that would write a key twice is no way out
    return Bridge(found.one_form) if target in siblings else found


def wrapped(model: str, value: Any) -> str | None:
    """The map meant by a lone value where a map of this model stands, as text; `None` when it is not known."""
    key = _WRAPPED.get((model, _kind(value)))
    if key is None:
        return None
    text = flow_text(value)
    if model == "ParamSpec" and not isinstance(value, str):
        kind = {bool: "bool", int: "int", float: "float", list: "list"}[_plain_type(value)]
        return f"{{type: {kind}, {key}: {text}}}"
    return f"{{{key}: {text}}}"


def flow_text(value: Any) -> str:
    """A scalar or a list as it may be written inside `{}` and `[]`; text in quotes where it must be."""
    if isinstance(value, list):
        return f"[{', '.join(flow_text(element) for element in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{flow_text(k)}: {flow_text(v)}' for k, v in value.items())}}}"
    if not isinstance(value, str):
        return written_form(value) or "null"
    return value if _is_plain(value) else json.dumps(value, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    """Whether `text` may be written without quotes: here, and for readers with other rules."""
    if not re.fullmatch(r"[\w./][\w./=@%+-]*", text, re.ASCII) or text.lower() in ("yes", "no", "on", "off", "y", "n"):
        return False
    try:
        return isinstance(resolve(text), str)
    except NumberError:
        return False


# --- the forms ----------------------------------------------------------------------------------------------------


def _renamed(new: str) -> Callable[[Any], Bridge]:
    found = Bridge(f"`{new}`", rename=new)
    return lambda _: found


_CONDITIONS = {
    "after_complete": "after", "complete": "after", "completed": "after", "success": "after", "succeeded": "after",
    "after_start": "after_start", "start": "after_start", "started": "after_start",
    "after_end": "after_end", "end": "after_end", "ended": "after_end", "always": "after_end", "finished": "after_end",
    "after_failure": "after_failure", "failure": "after_failure", "failed": "after_failure",
}  # fmt: skip


def _edges(value: Any) -> Bridge:
    if isinstance(value, str):
        value = [value]
    entries = [_edge(entry) for entry in value] if isinstance(value, list) else [None]
    known = [entry for entry in entries if entry is not None]
    keys = {key for key, _ in known}
    if not known or len(known) < len(entries) or len(keys) != 1:
        return Bridge("`after: [TASK]`, `after_start`, `after_end` or `after_failure`")
    entry = f"{keys.pop()}: [{', '.join(flow_text(task) for _, task in known)}]"
    return Bridge(f"`{entry}`", entry=entry)


def _edge(entry: Any) -> tuple[str, str] | None:
    if isinstance(entry, str):
        return "after", entry
    if not isinstance(entry, dict) or len(entry) > 2:
        return None
    tasks = [entry[key] for key in ("job", "task", "step", "name", "id") if isinstance(entry.get(key), str)]
    conditions = [entry[key] for key in ("condition", "when", "status", "on") if key in entry]
    if len(tasks) != 1 or len(conditions) != len(entry) - 1:
        return None
    key = _CONDITIONS.get(str(conditions[0])) if conditions else "after"
    return (key, tasks[0]) if key else None


def _command(value: Any) -> Bridge:
    if isinstance(value, list):
        return Bridge("`exec`", rename="exec")
    return Bridge("`run` (a script) or `exec` (a list of arguments)", rename="run" if isinstance(value, str) else None)


def _retries(value: Any) -> Bridge:
    if type(value) is not int or value < 0:
        return Bridge("`retry: {attempts: N}`, which counts the first attempt too")
    entry = f"retry: {{attempts: {value + 1}}}"
    return Bridge(f"`{entry}`", entry=entry)


def _attempts(value: Any) -> Bridge:
    if type(value) is not int or value < 0:
        return Bridge("`attempts`, which counts the first attempt too")
    return Bridge(f"`attempts: {value + 1}`", entry=f"attempts: {value + 1}")


def _with_unit(key: str, unit: str) -> Callable[[Any], Bridge]:
    def make(value: Any) -> Bridge:
        if type(value) is not int or value < 0:
            return Bridge(f"`{key}` with a unit, such as `60{unit}`")
        return Bridge(f"`{key}: {value}{unit}`", entry=f"{key}: {value}{unit}")

    return make


def _schedule(value: Any) -> Bridge:
    cron = value.get("cron") if isinstance(value, dict) else value
    if not isinstance(cron, str):
        return Bridge("`triggers: {NAME: {cron: ...}}`")
    entry = f"triggers: {{schedule: {{cron: {json.dumps(cron, ensure_ascii=False)}}}}}"
    return Bridge("`triggers`", entry=entry if isinstance(value, str) else None)


def _tasks(value: Any) -> Bridge:
    if isinstance(value, dict):
        return Bridge("`tasks`", rename="tasks")
    return Bridge("`tasks`, a map from id to task")


def _fan_out(key: str) -> Callable[[Any], Bridge]:
    found = Bridge(f"`fan_out: {{{key}: ...}}`")
    return lambda _: found


_Table = Mapping[str, Callable[[Any], Bridge | None]]
_TASK: _Table = {
    **dict.fromkeys(("depends_on", "needs", "depends", "requires", "upstream", "dependencies"), _edges),
    **dict.fromkeys(("command", "cmd"), _command),
    **dict.fromkeys(("script", "bash", "sh"), _renamed("run")),
    **dict.fromkeys(("environment", "variables", "envs"), _renamed("env")),
    **dict.fromkeys(("when", "condition"), _renamed("if")),
    **dict.fromkeys(("max_retries", "retries", "retry_count"), _retries),
    **dict.fromkeys(("timeout_seconds", "timeout_sec", "timeout_s"), _with_unit("timeout", "s")),
    "timeout_minutes": _with_unit("timeout", "m"),
    **dict.fromkeys(("working_directory", "working_dir", "cwd", "dir"), _renamed("workdir")),
    **dict.fromkeys(("continue_on_error", "ignore_errors"), _renamed("allow_failure")),
    **dict.fromkeys(("matrix", "strategy"), _fan_out("matrix")),
    **dict.fromkeys(("foreach", "for_each", "with_items", "loop", "parallel"), _fan_out("items")),
}
_FLOW: _Table = {
    **dict.fromkeys(("steps", "jobs", "nodes", "stages"), _tasks),
    **dict.fromkeys(("schedule", "cron"), _schedule),
    **dict.fromkeys(("parameters", "inputs", "arguments"), _renamed("params")),
    **dict.fromkeys(("environment", "variables"), _renamed("env")),
    **dict.fromkeys(("timeout_seconds", "timeout_sec", "timeout_s"), _with_unit("timeout", "s")),
    "timeout_minutes": _with_unit("timeout", "m"),
    **dict.fromkeys(("handlers", "handler_on"), _renamed("hooks")),
}
_RETRY: _Table = {
    **dict.fromkeys(("max_retries", "retries", "limit", "retry_count"), _attempts),
    **dict.fromkeys(("max_attempts", "maximum_attempts"), _renamed("attempts")),
    **dict.fromkeys(("interval_seconds", "interval_sec", "delay_seconds"), _with_unit("delay", "s")),
    "interval": _renamed("delay"),
}
_TABLES: Mapping[str, _Table] = {"flow": _FLOW, "task": _TASK, "retry": _RETRY}

_WRAPPED: Mapping[tuple[str, str], str] = {
    **{("ParamSpec", kind): "default" for kind in ("text", "number", "boolean", "list")},
    ("SecretSpec", "text"): "from",
    ("PoolSpec", "number"): "slots",
    ("OutputSpec", "text"): "type",
    ("WaitSpec", "text"): "for",
    ("ApprovalSpec", "text"): "prompt",
    ("FanOutSpec", "text"): "items",
    ("FanOutSpec", "list"): "items",
    ("ConnectorSpec", "text"): "type",
    ("TriggerSpec", "text"): "cron",
    ("RetrySpec", "number"): "attempts",
    ("ConcurrencySpec", "number"): "runs",
    ("ResourcesSpec", "text"): "memory",
    ("HoursSpec", "list"): "days",
}
"""By the model that stands here and the kind of the lone value: the key it is meant for."""


def _kind(value: Any) -> str:
    kinds = {bool: "boolean", int: "number", float: "number", str: "text", list: "list"}
    return kinds.get(_plain_type(value), "other")


def _plain_type(value: Any) -> type:
    return next((kind for kind in (bool, int, float, str, list) if isinstance(value, kind)), object)
