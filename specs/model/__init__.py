"""The typed model of the language: pydantic, frozen, strict, unknown keys refused."""

import specs.model.loading  # noqa: F401 - comes before anything imports pydantic
from specs.model.flow import FlowSpec
from specs.model.parts import ParamSpec
from specs.model.task import TaskSpec

__all__ = ["FlowSpec", "ParamSpec", "TaskSpec"]
