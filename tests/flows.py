"""Random flows that mostly validate, and random outcomes for their attempts: every kind of edge, action and policy that
the engine decides, with expressions that read what is upstream."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from engine.simulation import Stub, StubSet
from flowctl.testing.failing import failure_named

CHILD = """\
version: 1
name: child
params:
  n: {type: int}
tasks:
  double:
    run: echo
    outputs: {n: {type: int}}
    retry: {attempts: 2}
outputs:
  n: "${{ tasks.double.output.n + params.n }}"
"""
FILES = {"child.yaml": CHILD}

FAILURES = ("exit:1", "exit:42", "signal:KILL", "timeout", "lost", "connect", "http:503", "output", "error:Broken")
DURATIONS = (timedelta(0), timedelta(seconds=1), timedelta(seconds=7), timedelta(hours=2))
_OUTPUTS = {
    "n": {"type": "int"},
    "text": {"type": "string"},
    "ready": {"type": "bool"},
    "many": {"type": "list", "items": "int"},
}
_KINDS = ("run", "run", "run", "exec", "call", "set", "fail", "wait", "flow", "branch", "switch")


@dataclass
class _Task:
    """A task in the making. `readable` are the tasks that have ended when it starts."""

    name: str
    kind: str
    spec: dict[str, Any] = field(default_factory=dict)
    readable: set[str] = field(default_factory=set)
    service: bool = False
    fans_out: bool = False

    @property
    def attempts(self) -> bool:
        """Whether a runner makes its attempts."""
        return self.kind in ("run", "exec", "call")


class _Maker:
    """Draws one flow; tasks only ever look at those before them, so the graph has no cycle by itself."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.tasks: dict[str, _Task] = {}
        self.arms: dict[str, list[str]] = {}

    def one(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def often(self, share: int) -> bool:
        """True in about `share` of ten draws; false is simpler."""
        return bool(self.draw(st.integers(0, 9)) >= 10 - share)

    def some(self, names: list[str], most: int) -> list[str]:
        return self.draw(st.lists(st.sampled_from(names), max_size=most, unique=True)) if names else []

    # --- the graph ---

    def flow(self) -> dict[str, Any]:
        count = self.draw(st.integers(2, 8))
        kinds = {f"t{number}": self.one(*_KINDS) for number in range(count)}
        for number, (name, kind) in enumerate(kinds.items()):
            later = list(kinds)[number + 1 :]
            self._add(_Task(name, kind if later or kind not in ("branch", "switch") else "run"), later)
        flow: dict[str, Any] = {
            "version": 1,
            "name": "random",
            "params": {
                "n": {"type": "int", "default": 2},
                "flag": {"type": "bool", "default": True},
                "colour": {"type": "string", "choices": ["red", "blue"], "default": "red"},
                "many": {"type": "list", "items": "int", "default": [1, 2, 3]},
            },
            "tasks": {name: task.spec for name, task in self.tasks.items()},
        }
        self._surround(flow)
        return flow

    def _add(self, task: _Task, later: list[str]) -> None:
        self.tasks[task.name] = task
        self._edges(task)
        self._action(task, later)
        if task.attempts or task.kind == "flow":
            self._policies(task)
        if self.often(3):
            task.spec["if"] = self.condition(task)
        if task.kind not in ("set", "wait") and self.often(2):
            task.spec["allow_failure"] = True

    def _edges(self, task: _Task) -> None:
        for branch in self.arms.get(task.name, []):
            task.readable |= {branch} | self.tasks[branch].readable
        named: set[str] = set()
        for upstream in self.some(list(self.tasks)[:-1], 3):
            other = self.tasks[upstream]
            kind = (
                "after_start"
                if other.service
                else self.one("after", "after", "after", "after_end", "after_failure", "after_start")
            )
            if upstream in named or upstream in self.arms.get(task.name, []):
                continue
            named.add(upstream)
            edge: Any = upstream
            if self.often(1):
                edge = {"task": upstream, "timeout": "30s", "on_timeout": self.one("fail", "skip", "run")}
            task.spec.setdefault(kind, []).append(edge)
            task.readable |= other.readable if kind == "after_start" else other.readable | {upstream}
            if kind == "after_start" and not other.service and self.often(2):
                task.spec.setdefault("before_complete", []).append(upstream)
        if "after_failure" in task.spec and self.often(5):
            task.spec["recovers"] = True
        if len(named) > 1 and self.often(3):
            task.spec["join"] = self.one("any", "strict", "all")

    # --- actions ---

    def _action(self, task: _Task, later: list[str]) -> None:
        spec = task.spec
        if task.kind == "branch":
            self._branch(task, later)
        elif task.kind == "switch":
            self._switch(task, later)
        else:
            spec.update(self._plain_action(task))
        if task.attempts:
            spec["outputs"] = dict(_OUTPUTS)
            spec["env"] = {"N": f"${{{{ {self.number(task)} }}}}", "TEXT": f"${{{{ {self.text(task)} }}}}"}
            if task.kind != "call" and self.often(1):
                task.service = True
                spec["service"] = True
                del spec["outputs"]
        if (task.attempts and not task.service) or task.kind in ("set", "flow"):
            self._fan_out(task)

    def _plain_action(self, task: _Task) -> dict[str, Any]:
        number, text = f"${{{{ {self.number(task)} }}}}", f"${{{{ {self.text(task)} }}}}"
        match task.kind:
            case "exec":
                return {"exec": ["tool", number, f"x-{text}"]}
            case "call":
                return {"call": "package.module:function", "with": {"n": number}}
            case "flow":
                return {"flow": "child.yaml", "with": {"n": number}}
            case "set":
                ready, many = f"${{{{ {self.condition(task)} }}}}", f"${{{{ {self.many(task)} }}}}"
                return {"set": {"n": number, "text": text, "ready": ready, "many": many}}
            case "fail":
                return {"fail": f"no: {text}"}
            case "wait":
                return {"wait": {"for": self.one("0s", "3s", "2h")}}
            case _:
                return {"run": "echo"}

    def _branch(self, task: _Task, later: list[str]) -> None:
        first, second = self.some(later, 2), self.some(later, 2)
        arms: list[dict[str, Any]] = [{"if": self.condition(task), "then": first or later[:1]}]
        if second and self.often(6):
            arms.append({"else": second})
        task.spec["branch"] = arms
        self._take(task, [*arms[0]["then"], *(second if len(arms) > 1 else [])])

    def _switch(self, task: _Task, later: list[str]) -> None:
        first, second = self.some(later, 2) or later[:1], self.some(later, 2)
        switch: dict[str, Any] = {"value": "params.colour", "cases": {"red": first}}
        if second:
            switch["default"] = second
        elif self.often(7):
            switch["cases"]["blue"] = later[-1:]
        task.spec["switch"] = switch
        self._take(task, [*first, *second, *switch["cases"].get("blue", [])])

    def _take(self, task: _Task, names: list[str]) -> None:
        for name in dict.fromkeys(names):
            self.arms.setdefault(name, []).append(task.name)

    def _fan_out(self, task: _Task) -> None:
        if not self.often(2):
            return
        task.fans_out = True
        fan_out: dict[str, Any] = self.one(
            {"items": [1, 2]}, {"items": []}, {"matrix": {"a": [1, 2], "b": ["x"]}}, {"items": self.many(task)}
        )
        if "matrix" not in fan_out and self.often(3):
            fan_out["where"] = "item > 1"
        fan_out.update(
            self.one(
                {}, {}, {"tolerate": 1}, {"tolerate": "50%"}, {"fail_fast": True}, {"max_parallel": 1}, {"max_items": 2}
            )
        )
        if self.often(2):
            fan_out["on_empty"] = self.one("skip", "fail")
        task.spec["fan_out"] = dict(fan_out)

    def _policies(self, task: _Task) -> None:
        spec = task.spec
        if self.often(3):
            spec["retry"] = {"attempts": self.draw(st.integers(2, 4)), "delay": self.one("1s", "10m")}
        if self.often(2):
            spec["deadline"] = self.one("5s", "3h")
        if self.often(1) and task.attempts:
            spec["queue_timeout"] = "1s"
        if task.kind in ("run", "exec") and not task.service and not task.fans_out and self.often(2):
            spec["repeat"] = {"until": "task.output.ready and task.attempt > 1", "every": "5s", "max": 3}
        ancestors = sorted(task.readable)
        if ancestors and not task.service and self.often(2):
            asked = {"tasks": [self.one(*ancestors)], "rounds": 1, "errors": self.one(["any"], ["exit:42"])}
            spec["retry_upstream"] = {**asked, **self.one({}, {"delay": "1m"}, {"scope": "descendants"})}
        if self.often(2) and not task.service:
            spec["undo"] = {"run": "echo"}

    def _surround(self, flow: dict[str, Any]) -> None:
        flow.update(self.one({}, {}, {"when_failed": "drain"}, {"when_failed": "cancel"}, {"timeout": "1h"}))
        flow.update(self.one({}, {}, {"concurrency": {"tasks": 1}}))
        if self.often(2):
            flow["hooks"] = {
                "failure": {"tell": {"run": "echo", "env": {"WHO": "${{ run.failed | join(',') }}"}}},
                "complete": {"end": {"run": "echo", "if": "run.status != 'cancelled'"}},
            }
        if self.often(1):
            flow.setdefault("hooks", {})["start"] = {"prepare": {"run": "echo"}}
        last = _Task("outputs", "outputs", readable=set(self.tasks))
        if self.often(5):
            flow["outputs"] = {"n": f"${{{{ {self.number(last)} }}}}", "text": f"${{{{ {self.text(last)} }}}}"}

    # --- expressions ---

    def _read(self, task: _Task, name: str, otherwise: str) -> str | None:
        """A reading of an output of something upstream; sometimes without the default that it may need."""
        known = [self.tasks[one] for one in sorted(task.readable)]
        able = [
            one
            for one in known
            if (one.attempts and not one.service) or one.kind == "set" or (one.kind == "flow" and name == "n")
        ]
        if not able:
            return None
        chosen = self.one(*able)
        if chosen.fans_out:
            if name == "n":
                return f"(tasks.{chosen.name}.counts.failed | default(0))"
            return f"(tasks.{chosen.name}.outputs | default([]) | compact | pluck('n'))" if name == "many" else None
        read = f"tasks.{chosen.name}.output.{name}"
        return read if self.often(3) else f"({read} | default({otherwise}))"

    def number(self, task: _Task) -> str:
        read = self._read(task, "n", "0")
        choices = ["params.n", "7", "(params.many | length)", "(params.n * 2 - 1)"]
        return str(self.one(*choices, *([read] * 4 if read else [])))

    def text(self, task: _Task) -> str:
        read = self._read(task, "text", "'none'")
        states = [f"tasks.{name}.status" for name in sorted(task.readable)]
        errors = [f"(tasks.{name}.error.kind | default('fine'))" for name in sorted(task.readable)]
        return str(self.one("params.colour", "'constant'", *([read] * 3 if read else []), *states[:2], *errors[:2]))

    def many(self, task: _Task) -> str:
        read = self._read(task, "many", "[]")
        return str(self.one("params.many", "[4, 5]", *([read] * 3 if read else [])))

    def condition(self, task: _Task) -> str:
        simple = [
            "params.flag",
            f"{self.number(task)} > {self.draw(st.integers(0, 3))}",
            f"{self.text(task)} == 'succeeded'",
            f"{self.draw(st.integers(1, 5))} in {self.many(task)}",
        ]
        first, second = self.one(*simple), self.one(*simple)
        return str(self.one(first, first, f"not ({first})", f"({first}) and ({second})", f"({first}) or ({second})"))


@st.composite
def flow_texts(draw: Any) -> str:
    """The text of a random flow; most of them validate, those that do not are for the checks to refuse."""
    return json.dumps(_Maker(draw).flow(), indent=1)


def _ends() -> st.SearchStrategy[Stub]:
    """One way for an attempt to end."""
    return st.builds(
        lambda name, duration: Stub(failure=None if name is None else failure_named(name), duration=duration),
        st.none() | st.sampled_from(FAILURES),
        st.sampled_from(DURATIONS),
    )


def _stubs() -> st.SearchStrategy[Stub]:
    return st.builds(
        lambda base, attempts, items: replace(base, attempts=tuple(attempts), items=items),
        _ends(),
        st.lists(_ends(), max_size=3),
        st.dictionaries(st.sampled_from(["0", "1"]), _ends(), max_size=2),
    )


def stub_sets() -> st.SearchStrategy[StubSet]:
    """How the attempts of a random flow end; the task of the called flow is among them."""
    names = [*(f"t{number}" for number in range(8)), "hooks.failure.tell", "hooks.start.prepare", "undo.t0", "undo.t1"]
    return st.builds(
        lambda tasks, called: StubSet({name: replace(stub, tasks={"double": called}) for name, stub in tasks.items()}),
        st.dictionaries(st.sampled_from(names), _stubs(), max_size=6),
        _stubs(),
    )
