"""What each root name holds at each place of a flow (`LANGUAGE.md` 13), as types."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from specs.expressions.types import (
    ANY,
    BOOL,
    DATETIME,
    FLOAT,
    INT,
    LIST,
    MAP,
    STRING,
    Refusal,
    Type,
    declared,
    list_of,
    map_of,
    one_of,
    refused,
)
from specs.expressions.uses import Reader
from specs.model.flow import FlowSpec
from specs.model.parts import OutputSpec, ParamSpec
from specs.model.task import TaskSpec
from specs.model.triggers import TriggerSpec

if TYPE_CHECKING:
    from specs.context import ActionSpec, Catalogue

TASK_STATES = (
    "succeeded", "failed", "skipped", "blocked", "cancelled", "pending", "queued", "running", "retrying", "waiting",
    "completing",
)  # fmt: skip
"""What the `status` of a task can be (`LANGUAGE.md` 5), those of tasks that have ended first."""

RUN_ENDS = ("succeeded", "failed", "cancelled")
"""What the `status` of a run can be when hooks look at it."""

_RUN: Mapping[str, Type] = {
    "id": STRING, "name": STRING, "dir": Type("path"), "started_at": DATETIME, "scheduled_at": DATETIME, "trigger": ANY,
}  # fmt: skip
_RUN_ENDED: Mapping[str, Type] = {
    **_RUN, "status": one_of(RUN_ENDS), "failed": list_of(STRING), "warnings": INT, "noop": BOOL,
}  # fmt: skip
_RUN_TYPE, _RUN_ENDED_TYPE = map_of(_RUN), map_of(_RUN_ENDED)
_TRIGGER: Mapping[str, Type] = {"kind": STRING, "name": STRING, "time": DATETIME}
_PAYLOADS: Mapping[str, Mapping[str, Type]] = {
    "cron": {},
    "every": {},
    "at": {},
    "webhook": {"body": ANY, "headers": MAP, "query": MAP},
    "file": {"files": LIST},
    "queue": {"message": ANY, "messages": LIST},
    "flow": {"outputs": MAP, "run_id": STRING},
}
_ERROR = map_of({"kind": STRING, "message": STRING, "exit_code": INT, "http_status": INT})
_TASK_STATE: Mapping[str, Type] = {
    "status": one_of(TASK_STATES), "error": _ERROR, "attempt": INT, "round": INT, "started_at": DATETIME, "ended_at": DATETIME,
    "duration": FLOAT,
}  # fmt: skip
_RESULT = map_of(
    {
        "index": INT,
        "key": STRING,
        "item": ANY,
        "status": one_of(TASK_STATES),
        "output": ANY,
        "error": ANY,
        "attempts": INT,
    }
)
_COUNTS = map_of({"total": INT, "succeeded": INT, "failed": INT})
_HTTP_OUTPUT: Mapping[str, Type] = {"status": INT, "headers": MAP, "json": ANY, "text": STRING}
_NO_TASK = Refusal("FLOW303", "no task `{key}`")
_WITH_OUTPUT = frozenset({"until", "undo"})
_OF_ITS_OWN = _WITH_OUTPUT | {"where", "key"}
"""Stages of a task in which other names hold than in its body."""
_DECLARE = "declare it in the task's `outputs`"

_WHERE: Mapping[str, str] = {
    "run": "`run` is there in tasks, hooks and `outputs`",
    "trigger": "`trigger` is there in triggers, tasks and hooks",
    "tasks": "`tasks` is there in tasks that come after them, in hooks and in `outputs`",
    "task": "`task` is there in the task itself",
    "item": "`item` is there in a task with `fan_out`, but not in its `if`",
    "item_index": "`item_index` is there in a task with `fan_out`, but not in its `if` and its `where`",
    "item_key": "`item_key` is there in a task with `fan_out`, but not in its `if`, its `where` and its `key`",
}


class Scope:
    """Types of root names in one flow.

    `children` has, by the text of `flow:`, the types of a sub-flow's outputs, `None` when it is not known.
    """

    def __init__(
        self, flow: FlowSpec, children: Mapping[str, Mapping[str, Type] | None], catalogue: Catalogue | None
    ) -> None:
        self.flow = flow
        self._children = children
        self._catalogue = catalogue
        self._set_types: dict[tuple[str, str], dict[str, Type]] = {}
        self._item_types: dict[tuple[str, str], Type] = {}
        self._hook_tasks: dict[str, Type] = {}
        self._roots: dict[tuple[object, ...], Mapping[str, Type]] = {}

    # --- roots --------------------------------------------------------------------------------------------------------

    def roots(self, reader: Reader, field: str) -> Mapping[str, Type]:
        """The names at a place, those that exist elsewhere included as refusals that say where."""
        own = reader.task if reader.item or reader.stage in _WITH_OUTPUT or reader.kind == "trigger" else ""
        stage = reader.stage if reader.stage in _OF_ITS_OWN else ""
        key = (reader.kind, reader.hook, stage, reader.item, reader.secret, own, field)
        found = self._roots.get(key)
        if found is None:
            found = self._roots[key] = self._roots_of(reader, field)
        return found

    def _roots_of(self, reader: Reader, field: str) -> Mapping[str, Type]:
        here: dict[str, Type] = {name: _elsewhere(name, field) for name in _WHERE}
        here["params"] = self.params
        here["env"] = self.host_env if reader.kind == "env" else self.env
        here["secrets"] = self._secrets(reader, field)
        if reader.kind in ("task", "hook", "outputs", "notify"):
            ended = reader.kind == "notify" or (reader.kind == "hook" and reader.hook != "start")
            here["run"] = _RUN_ENDED_TYPE if ended else _RUN_TYPE
        if reader.kind in ("task", "hook", "trigger"):
            here["trigger"] = self._trigger(reader)
        if reader.kind in ("task", "outputs") or (reader.kind == "hook" and reader.hook != "start"):
            here["tasks"] = self._tasks(reader.hook)
        if reader.kind in ("task", "hook"):
            self._add_own(here, reader)
        return here

    def _add_own(self, here: dict[str, Type], reader: Reader) -> None:
        task = tasks_of(self.flow, reader.hook).get(reader.task)
        own: dict[str, Type] = {"id": STRING, "attempt": INT, "round": INT}
        if reader.stage in _WITH_OUTPUT and task is not None:
            own["output"] = self.output(task, reader.hook, reader.task)
        here["task"] = map_of(own)
        if reader.stage == "where":  # looks at the items before they are put into batches and counted
            item = self.item(reader.hook, reader.task)
            is_batch = task is not None and task.fan_out is not None and task.fan_out.batch > 1
            here["item"] = item.items or ANY if is_batch else item
        elif reader.item:
            here["item"] = self.item(reader.hook, reader.task)
            here["item_index"] = INT
            if reader.stage != "key":  # which makes it
                here["item_key"] = STRING

    @cached_property
    def params(self) -> Type:
        """`params`."""
        fields = {name: _declared_parameter(param) for name, param in self.flow.params.items()}
        return map_of(fields, Refusal("FLOW303", "no parameter `{key}`"))

    @cached_property
    def env(self) -> Type:
        """`env` in tasks: values of the flow and what is let through from the host."""
        names = (*self.flow.env, *self.flow.host_env)
        return map_of(
            dict.fromkeys(names, STRING), Refusal("FLOW303", "no environment value `{key}` in `env` or `host_env`")
        )

    @cached_property
    def host_env(self) -> Type:
        """`env` in the flow's own `env`: the host's values only, so that none depends on another."""
        fields = dict.fromkeys(
            self.flow.env,
            refused("FLOW309", "`env.{key}` is not available in `env` of the flow", "write the value out"),
        )
        fields.update(dict.fromkeys(self.flow.host_env, STRING))
        return map_of(fields, Refusal("FLOW303", "no environment value `{key}` in `host_env`"))

    def _secrets(self, reader: Reader, field: str) -> Type:
        if not reader.secret:
            return refused(
                "FLOW413", f"a secret may not be used in `{field}`", "give it to the task in `env` and read it there"
            )
        fields = dict.fromkeys(self.flow.secrets, STRING)
        return map_of(fields, Refusal("FLOW303", "no secret `{key}`"))

    def _trigger(self, reader: Reader) -> Type:
        triggers: Mapping[str, TriggerSpec] = self.flow.triggers
        if reader.kind == "trigger":
            triggers = {reader.task: triggers[reader.task]}
        fields = dict(_TRIGGER)
        for trigger in triggers.values():
            for kind in trigger.kinds():
                fields.update(_PAYLOADS[kind])
        return map_of(fields)

    # --- tasks --------------------------------------------------------------------------------------------------------

    def _tasks(self, hook: str) -> Type:
        """`tasks`; in a hook its own tasks too, which stand before those of the flow."""
        if not hook:
            return self._flow_tasks
        if hook not in self._hook_tasks:
            fields = {**(self._flow_tasks.fields or {}), **self._types_of(hook)}
            self._hook_tasks[hook] = map_of(fields, _NO_TASK)
        return self._hook_tasks[hook]

    @cached_property
    def _flow_tasks(self) -> Type:
        return map_of(self._types_of(""), _NO_TASK)

    def _types_of(self, hook: str) -> dict[str, Type]:
        return {name: self.task_type(task, hook, name) for name, task in tasks_of(self.flow, hook).items()}

    def task_type(self, task: TaskSpec, hook: str, name: str) -> Type:
        """What `tasks.NAME` holds."""
        fields = dict(_TASK_STATE)
        output = self.output(task, hook, name)
        if task.fan_out is None:
            fields["output"] = output
            only = "`tasks." + name + ".{key}` is of a fan-out, and `" + name + "` is none"
            instead = refused("FLOW321", only, "use `output`", replacement="output")
            fields.update(dict.fromkeys(("outputs", "results", "counts"), instead))
        else:
            fields["outputs"] = list_of(ANY if output.refusal else output)
            fields["results"] = list_of(_RESULT)
            fields["counts"] = _COUNTS
            many = f"`{name}` fans out: `outputs`, not `output`"
            fields["output"] = refused("FLOW321", many, "use `outputs`, a list in item order", replacement="outputs")
        return map_of(fields)

    def output(self, task: TaskSpec, hook: str, name: str) -> Type:
        """What one run of a task gives: declared outputs, or what its action is known to give."""
        missing = Refusal("FLOW322", f"`{name}` declares no output `{{key}}`", None if task.outputs else _DECLARE)
        if task.set is not None:
            # one dict for good, filled when the types are learnt: this type may be in use by then
            return map_of(self._set_types.setdefault((hook, name), dict.fromkeys(task.set, ANY)), missing)
        if task.branch is not None:
            return map_of({"arm": ANY}, missing)
        if task.approval is not None:
            fields = {key: _declared_parameter(field) for key, field in task.approval.fields.items()}
            return map_of(fields, missing)
        if task.flow is not None:
            outputs = self._children.get(task.flow)
            return (
                ANY
                if outputs is None
                else map_of(outputs, Refusal("FLOW256", f"`{task.flow}` has no output `{{key}}`"))
            )
        if task.wait is not None and task.wait.signal is not None:
            return ANY
        if task.outputs:
            return map_of({key: _declared_output(output) for key, output in task.outputs.items()}, missing)
        if task.use is not None:
            return self._of_connector(task.use, missing)
        if task.call is not None:
            return ANY
        if task.run is not None or task.exec is not None:
            return map_of({}, missing)
        kind = task.actions()[0] if task.actions() else "task"
        return refused("FLOW323", f"a `{kind}` task has no output", "read its `status` instead")

    def _of_connector(self, use: str, missing: Refusal) -> Type:
        type_name, _, action = use.partition(".")
        if type_name not in self.flow.connectors and use == "http.request":
            return map_of(_HTTP_OUTPUT, missing)
        known = self._action_spec(type_name, action)
        if known is None or known.outputs is None:
            return ANY
        return map_of({name: declared(kind) for name, kind in known.outputs.items()}, missing)

    def takes_secrets(self, use: str, field: str) -> bool:
        """Whether a field of a connector's action may hold `${{ secrets.X }}`: those the connector marks."""
        type_name, _, action = use.partition(".")
        catalogue = self._catalogue if type_name not in self.flow.connectors else None
        if catalogue is not None and catalogue.actions(type_name) is None:
            return True  # there is no such connector, which is told of where it is named
        known = self._action_spec(type_name, action)
        return known is not None and field in known.fields and known.fields[field].secret

    def _action_spec(self, connector: str, action: str) -> ActionSpec | None:
        """What an action takes and gives, `None` where only its code can tell."""
        if self._catalogue is None:
            return None
        configured = self.flow.connectors.get(connector)
        actions = self._catalogue.actions(configured.type if configured else connector)
        return actions.get(action) if actions else None

    # --- what inference finds out, in topological order -------------------------------------------------------------------

    def learn_item(self, hook: str, task: str, item: Type) -> None:
        """Remember what one item of a fan-out is."""
        self._item_types[hook, task] = item

    def learn_set(self, hook: str, task: str, values: Mapping[str, Type]) -> None:
        """Remember the types of the values a `set` task gives."""
        self._set_types.setdefault((hook, task), {}).update(values)

    def item(self, hook: str, task: str) -> Type:
        """What `item` is in a fan-out."""
        return self._item_types.get((hook, task), ANY)


def tasks_of(flow: FlowSpec, hook: str) -> Mapping[str, TaskSpec]:
    """The tasks of a kind of hook, or with an empty `hook` the flow's own."""
    tasks: Mapping[str, TaskSpec] = getattr(flow.hooks, hook) if hook else flow.tasks
    return tasks


def _elsewhere(name: str, field: str) -> Type:
    return refused("FLOW309", f"`{name}` is not available in `{field}`", _WHERE[name])


def _declared_parameter(param: ParamSpec) -> Type:
    if param.type == "string" and param.choices and all(isinstance(choice, str) for choice in param.choices):
        return one_of(param.choices)
    return declared(param.type, param.items)


def _declared_output(output: OutputSpec) -> Type:
    return replace(declared(output.type, output.items), optional=output.optional)
