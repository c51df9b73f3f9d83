"""Small flows played in tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

from engine.compile import compile_flow
from engine.connectors.catalogue import InstalledCatalogue
from engine.outcomes import Json
from engine.parameters import bind_parameters
from engine.plan import Plan
from engine.simulation import Played, Setup, Stub, StubSet, play
from specs.check import check_text
from tests.specs.projects import MemoryFiles


def plan_of(text: str, **files: str) -> Plan:
    """The plan of a flow written without `version`; `files` are flows beside it."""
    beside = {f"{name}.yaml": f"version: 1\n{dedent(content)}" for name, content in files.items()}
    checked = check_text(
        f"version: 1\nname: flow\n{dedent(text)}".encode(),
        "flow.yaml",
        MemoryFiles(beside),
        catalogue=InstalledCatalogue({}, lambda: ()),
    )
    assert checked.ok, [f"{d.code}: {d.message}" for d in checked.diagnostics]
    return compile_flow(checked, base=Path("/flows"))


def played(
    plan: Plan, stubs: Mapping[str, Stub] | None = None, *, params: Mapping[str, Json] | None = None, **setup: Any
) -> Played:
    """The plan simulated."""
    bound = bind_parameters(plan.params, {}, params or {})
    catalogue = InstalledCatalogue({}, lambda: ())
    return play(Setup(plan, bound, stubs=StubSet(stubs or {}), catalogue=catalogue, **setup))


def state(done: Played, task: str) -> str:
    """The state in which a task ended."""
    return str(done.first.run.tasks[task].state)
