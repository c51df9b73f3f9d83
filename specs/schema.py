"""The JSON Schema of the language (draft 2020-12), made from the model: for completion and hover in editors.

It says what the form of a file can say. What is settled by more than one key, such as the one action of a task after
inheritance, is left to `flowctl validate`.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from specs.descriptions import DESCRIPTIONS, LIBRARY_DESCRIPTIONS
from specs.model import FlowSpec
from specs.model.parts import RetrySpec
from specs.model.task import EDGE_KEYS
from specs.model.values import ENVIRONMENT_PATTERN, ID_PATTERN, NAME_PATTERN
from specs.rules.structure import SHELLS

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_NULL: Schema = {"type": "null"}
_ID: Schema = {"type": "string", "pattern": f"^{ID_PATTERN}$"}
_ENVIRONMENT = f"^{ENVIRONMENT_PATTERN}$"
_OWN_ENVIRONMENT = f"^(?!FLOW_){ENVIRONMENT_PATTERN}$"
_NEVER_NULL = frozenset({"version", "tasks"})


def language_schema() -> Schema:
    """The schema of a flow file; equal on each call, and the caller's to change."""
    schema: Schema = FlowSpec.model_json_schema(by_alias=True)
    definitions: Schema = schema.pop("$defs")
    definitions["FlowSpec"] = schema
    _describe(definitions)
    for definition in definitions.values():
        for each in _parts(definition):
            _tidy(each)
    _write_short_forms(definitions)
    _name_shells(definitions["TaskSpec"]["properties"]["shell"])
    _allow_removal(definitions)
    flow = definitions.pop("FlowSpec")
    _add_file_keys(flow, definitions)
    head = {"$schema": DRAFT, "title": "flow", "description": "A flow of flowctl."}
    return {**head, **flow, "$defs": dict(sorted(definitions.items()))}


def _describe(definitions: Schema) -> None:
    """Give each key its line, and take away what is said of the classes of the model."""
    for model, lines in DESCRIPTIONS.items():
        definition = definitions[model.__name__]
        definition.pop("description", None)
        for key, line in lines.items():
            definition["properties"][key] = {"description": line, **_beside_reference(definition["properties"][key])}


def _beside_reference(value: Schema) -> Schema:
    return value if "$ref" not in value else {"allOf": [value]}


def _parts(schema: Schema) -> Iterator[Schema]:
    """A schema and every schema in it."""
    waiting: list[Any] = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _tidy(schema: Schema) -> None:
    if isinstance(schema.get("title"), str):
        del schema["title"]
    if "default" in schema and schema["default"] is None:
        del schema["default"]
    patterns = schema.get("patternProperties")
    if isinstance(patterns, dict):
        schema["additionalProperties"] = False
        if _ENVIRONMENT in patterns:
            patterns[_OWN_ENVIRONMENT] = patterns.pop(_ENVIRONMENT)
    if schema.get("pattern") == _ENVIRONMENT:
        schema["pattern"] = _OWN_ENVIRONMENT


def _write_short_forms(definitions: Schema) -> None:
    """An edge may be an id, a retry the name of a preset."""
    definitions["EdgeSpec"] = {"anyOf": [deepcopy(_ID), definitions["EdgeSpec"]]}
    preset = next(
        part for part in definitions["RetrySpec"]["properties"]["preset"]["anyOf"] if part.get("type") == "string"
    )
    description = DESCRIPTIONS[RetrySpec]["preset"]
    definitions["RetrySpec"] = {"anyOf": [{**preset, "description": description}, definitions["RetrySpec"]]}


def _name_shells(shell: Schema) -> None:
    """A text names one of the shells that are known; any other program is a list."""
    text = next(part for part in shell["anyOf"] if part.get("type") == "string")
    text["enum"] = list(SHELLS)


def _allow_removal(definitions: Schema) -> None:
    """`null` takes away what is inherited, and an empty key is a warning."""
    for name in ("FlowSpec", "TaskSpec"):
        properties = definitions[name]["properties"]
        for key, value in properties.items():
            if key not in _NEVER_NULL:
                properties[key] = _or_null(value)
    outputs = definitions["TaskSpec"]["properties"]["outputs"]
    for part in _parts(outputs):
        for pattern, value in part.get("patternProperties", {}).items():
            part["patternProperties"][pattern] = _or_null(value)


def _or_null(schema: Schema) -> Schema:
    description = {"description": schema["description"]} if "description" in schema else {}
    plain = {key: value for key, value in schema.items() if key != "description"}
    alternatives = plain.get("anyOf", [plain])
    if plain in ({}, {"allOf": [{}]}) or _NULL in alternatives:
        return schema
    rest = {key: value for key, value in plain.items() if key != "anyOf"} if "anyOf" in plain else {}
    return {**description, **rest, "anyOf": [*alternatives, dict(_NULL)]}


def _add_file_keys(flow: Schema, definitions: Schema) -> None:
    """The keys that are used up before the model sees a flow, and those of an author's own."""
    part = deepcopy(definitions["TaskSpec"])
    for key in EDGE_KEYS:
        del part["properties"][key]
    definitions["TemplateSpec"] = part
    default = deepcopy(part)
    del default["properties"]["extends"]
    definitions["DefaultsSpec"] = default
    templates = {
        "type": "object",
        "patternProperties": {f"^{NAME_PATTERN}$": {"$ref": "#/$defs/TemplateSpec"}},
        "additionalProperties": False,
    }
    shapes: Schema = {
        "include": {"type": "array", "items": {"type": "string"}},
        "defaults": {"$ref": "#/$defs/DefaultsSpec"},
        "templates": templates,
    }
    for key, shape in shapes.items():
        described = {"description": LIBRARY_DESCRIPTIONS[key], **_beside_reference(shape)}
        flow["properties"][key] = _or_null(described)
    flow["patternProperties"] = {"^x-": {}}
