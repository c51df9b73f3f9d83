"""From a document to the typed model: inheritance and libraries applied, the schema checked, findings in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from pydantic import ValidationError

from specs.diagnostics import Diagnostic, Fix, Label, has_errors
from specs.findings import Findings, replacing, spanning
from specs.foreign import Bridge, bridge
from specs.includes import SECTIONS, Libraries, entries, library_keys
from specs.inheritance import Inheritance, Layer, check_inheritance, unknown_template
from specs.model import FlowSpec, TaskSpec
from specs.model.parts import RetrySpec
from specs.model.task import EDGE_KEYS
from specs.model.values import NAME_PATTERN
from specs.places import MergedPlaces
from specs.scalars import shortened, written_form
from specs.schema_errors import USED_UP, SchemaErrors
from specs.shapes import TASK_FIELDS, Shapes, add_empty, entry_removal
from specs.source import Document
from specs.suggest import did_you_mean, nearest

Path = tuple[Any, ...]


class Structure(Struct, frozen=True):
    """What the structure of a flow came to: the typed model unless there are errors, places, and findings."""

    flow: FlowSpec | None
    places: MergedPlaces
    diagnostics: tuple[Diagnostic, ...]


def check_structure(document: Document, libraries: Libraries) -> Structure:
    """Apply libraries, defaults and templates to a flow and check its form. Never raises for what an author wrote."""
    check = _StructureCheck(document, libraries)
    flow = check.run()
    found = tuple(check.findings.found)
    return Structure(None if has_errors(found) else flow, check.places, found)


class _StructureCheck:
    """One check, in the order its steps depend on each other."""

    def __init__(self, document: Document, libraries: Libraries) -> None:
        self.document = document
        self.libraries = libraries
        self.findings = Findings()
        self.findings.extend(libraries.findings)
        self.inheritance = Inheritance()
        self.places = MergedPlaces(document, self.inheritance)
        self._meant: frozenset[str] = frozenset()
        keys = [key for key in document.data if isinstance(key, str) and key not in _FLOW_FIELDS]
        self._templates_are_misspelt = "templates" not in keys and any(nearest(key, ("templates",)) for key in keys)
        self._shapes = Shapes(self.findings, self.places, self.inheritance)

    def run(self) -> FlowSpec | None:
        data = self._top_level()
        self._check_include()
        for library in self.libraries.documents.values():
            self._check_library(library)
        self._gather_inheritance()
        for section in ("connectors", "pools", "env"):
            self._borrow(data, section)
        self.findings.extend(check_inheritance(self.inheritance))
        self._check_layers()
        self._merge_tasks(data)
        try:
            flow = FlowSpec.model_validate(data)
        except ValidationError as error:
            reporter = SchemaErrors(data, places=self.places, findings=self.findings, meant=self._meant)
            reporter.report(error.errors(include_url=False))
            return None
        self._check_use_of_templates(flow)
        return flow

    def _check_use_of_templates(self, flow: FlowSpec) -> None:
        """FLOW603: every template of this file is extended, here or by another template."""
        hooks = (task for kind in type(flow.hooks).model_fields for task in getattr(flow.hooks, kind).values())
        used = {task.extends for task in (*flow.tasks.values(), *hooks)}
        used |= {layer.data.get("extends") for layer in self.inheritance.templates.values()}
        for name, layer in self.inheritance.templates.items():
            if name not in used and layer.document is self.document:
                key, value = (layer.document.place(layer.path, key=is_key) for is_key in (True, False))
                message, fix = f"template `{name}` is never used", entry_removal(key, value)
                self.findings.add("FLOW603", key, message, path=layer.path, help_="remove it, or use it", fix=fix)

    # --- the top of the file and of libraries ---

    def _top_level(self) -> dict[Any, Any]:
        data = {
            key: value
            for key, value in self.document.data.items()
            if key not in USED_UP and not (isinstance(key, str) and key.startswith("x-"))
        }
        self._meant = frozenset(found.rename for _, found in _foreign(data, "flow", _FLOW_FIELDS) if found.rename)
        data = self._bridged(data, (), self.document, level="flow", known=_FLOW_FIELDS)
        self._check_version(data, self.document)
        for key in [key for key, value in data.items() if value is None or value in ({}, [])]:
            if key == "tasks":
                data[key] = {}  # the schema says that a flow needs a task
            elif key in _FLOW_FIELDS:
                add_empty(self.findings, self.places, (key,), key)
                del data[key]
        return data

    def _check_version(self, data: dict[Any, Any], document: Document) -> None:
        """FLOW121 and FLOW112; what is wrong is set right, so that it is reported once."""
        version = data.get("version")
        if version is None:
            data.pop("version", None)
            return
        place = document.place(("version",))
        if isinstance(version, int) and not isinstance(version, bool) and version != 1:
            message = f"language version {written_form(version)} is not known"
            self.findings.add("FLOW121", place, message, path=("version",), help_="this flowctl knows version 1")
        elif type(version) is not int:
            message = f"expected the number 1, found `{shortened(place.source.text[place.start : place.end])}`"
            fix = replacing("write `1`", place, "1") if not isinstance(version, dict | list) else None
            self.findings.add("FLOW112", place, message, path=("version",), help_="write `version: 1`", fix=fix)
        data["version"] = 1

    def _check_include(self) -> None:
        for document in (self.document, *self.libraries.documents.values()):
            include = document.data.get("include")
            if include is None and "include" in document.data:
                add_empty(self.findings, document, ("include",), "include")
            elif isinstance(include, str):
                place = document.place(("include",))
                fix = replacing("make it a list", place, f"[{place.source.text[place.start : place.end]}]")
                message = f"expected a list, found the text `{shortened(include)}`"
                self.findings.add("FLOW112", place, message, path=("include",), help_="write `[FILE]`", fix=fix)
            elif include is not None:
                self._check_type(document, ("include",), include, list)
                for index, text in enumerate(include if isinstance(include, list) else ()):
                    self._check_type(document, ("include", index), text, str)

    def _check_library(self, library: Document) -> None:
        self._check_version(dict(library.data), library)
        known = library_keys()
        for key in library.data:
            if key not in known and not (isinstance(key, str) and key.startswith("x-")):
                place = library.place((key,), key=True)
                message = f"unknown key `{shortened(str(key))}` in a library"
                self.findings.add("FLOW110", place, message, path=(key,), help_=did_you_mean(str(key), known))
        for section in SECTIONS:
            if library.data.get(section) is not None:
                self._check_type(library, (section,), library.data[section], dict)

    def _check_type(self, document: Document, path: Path, value: Any, kind: type) -> bool:
        if isinstance(value, kind):
            return True
        words: dict[object, str] = {dict: "a map", list: "a list", str: "text"}
        found = words.get(type(value)) or ("nothing" if value is None else f"`{written_form(value)}`")
        self.findings.add("FLOW112", document.place(path), f"expected {words[kind]}, found {found}", path=path)
        return False

    # --- what is inherited and borrowed ---

    def _gather_inheritance(self) -> None:
        defaults = self.document.data.get("defaults")
        if defaults is None and "defaults" in self.document.data:
            add_empty(self.findings, self.document, ("defaults",), "defaults")
        elif defaults is not None and self._check_type(self.document, ("defaults",), defaults, dict):
            self.inheritance.defaults = self._layer(self.document, ("defaults",), defaults)
        for document in (self.document, *self.libraries.documents.values()):
            templates = document.data.get("templates")
            if templates is None:
                if "templates" in document.data:
                    add_empty(self.findings, document, ("templates",), "templates")
                continue
            # of a library this has been reported
            if isinstance(templates, dict) or self._check_type(document, ("templates",), templates, dict):
                self._gather_templates(document, templates)

    def _gather_templates(self, document: Document, templates: Any) -> None:
        for name, data in templates.items() if isinstance(templates, dict) else ():
            path = ("templates", name)
            if not isinstance(name, str) or not re.fullmatch(NAME_PATTERN, name):
                place = document.place(path, key=True)
                help_ = "write lower-case letters, digits, `_` and `-`, at most 63"
                self.findings.add("FLOW117", place, f"`{shortened(str(name))}` is not a name", path=path, help_=help_)
            elif name in self.inheritance.templates:
                first = self.inheritance.templates[name]
                self._twice(document, path, first.document.place(first.path, key=True))
            elif self._check_type(document, path, data, dict):
                self.inheritance.templates[name] = self._layer(document, path, data)

    def _layer(self, document: Document, path: Path, data: dict[Any, Any]) -> Layer:
        return Layer(document, path, self._bridged(data, path, document, level="task", known=TASK_FIELDS))

    def _borrow(self, data: dict[Any, Any], section: str) -> None:
        """Add the entries of libraries to a section of the flow."""
        own = data.get(section, {})
        if not isinstance(own, dict):
            return
        merged = dict(own)
        for library in self.libraries.documents.values():
            for name, value in entries(library, section).items():
                if name in merged:
                    self._twice(library, (section, name), self.places.place((section, name), key=True))
                else:
                    merged[name] = value
                    self.places.borrowed[section, name] = library
        if merged:
            data[section] = merged

    def _twice(self, document: Document, path: Path, first: Any) -> None:
        place = document.place(path, key=True)
        message = f"`{shortened(str(path[-1]))}` of `{path[0]}` is defined in another file already"
        self.findings.add("FLOW103", place, message, path=path, labels=(Label(first, "first here"),))

    def _check_layers(self) -> None:
        """The schema of `defaults` and templates by themselves, so that one nobody extends is checked too."""
        layers = [*([self.inheritance.defaults] if self.inheritance.defaults else ())]
        for layer in (*layers, *self.inheritance.templates.values()):
            written = {key: value for key, value in layer.data.items() if value is not None and key not in EDGE_KEYS}
            data = {**written, **_misnamed(layer.data)}
            try:
                TaskSpec.model_validate(data)
            except ValidationError as error:
                reporter = SchemaErrors(
                    data, places=layer.document, findings=self.findings, root=TaskSpec, prefix=layer.path
                )
                reporter.report(error.errors(include_url=False))

    # --- tasks ---

    def _merge_tasks(self, data: dict[Any, Any]) -> None:
        tasks = data.get("tasks")
        if isinstance(tasks, dict):
            data["tasks"] = {name: self._merged(("tasks", name), task) for name, task in tasks.items()}
        hooks = data.get("hooks")
        if isinstance(hooks, dict):
            data["hooks"] = {kind: self._merged_hook(kind, tasks) for kind, tasks in hooks.items()}

    def _merged_hook(self, kind: Any, tasks: Any) -> Any:
        if not isinstance(tasks, dict):
            return tasks
        return {name: self._merged(("hooks", kind, name), task) for name, task in tasks.items()}

    def _merged(self, path: Path, task: Any) -> Any:
        if not isinstance(task, dict):
            return task
        own = self._bridged(task, path, self.document, level="task", known=TASK_FIELDS)
        if "extends" in own and not self._templates_are_misspelt:
            self.findings.extend(unknown_template(self.inheritance, Layer(self.document, path, own)))
        merged = {**self.inheritance.merge(own), **_misnamed(own)}
        self._shapes.check_task(path, task, merged)
        return merged

    def _bridged(
        self, data: dict[Any, Any], path: Path, document: Document, *, level: str, known: frozenset[str]
    ) -> dict[Any, Any]:
        """`data` without the keys of other engines, each of which is reported with its one form (FLOW129)."""
        foreign = dict(_foreign(data, level, known))
        retry = data.get("retry") if level == "task" else None
        if isinstance(retry, dict) and not _RETRY_FIELDS.issuperset(retry):
            cleaned = self._bridged(retry, (*path, "retry"), document, level="retry", known=_RETRY_FIELDS)
            data = {**data, "retry": cleaned}
        for key, found in foreign.items():
            entry = (*path, key)
            at = document.place(entry, key=True)
            fix: Fix | None = None
            if found.rename is not None:
                fix = replacing(f"write `{found.rename}`", at, found.rename)
            elif found.entry is not None:
                fix = replacing(f"write `{found.entry}`", spanning(at, document.place(entry)), found.entry)
            message = f"`{key}` is not accepted; the one form is {found.one_form}"
            self.findings.add("FLOW129", at, message, path=entry, fix=fix)
        return {key: value for key, value in data.items() if key not in foreign} if foreign else data


def _misnamed(task: Mapping[Any, Any]) -> dict[Any, Any]:
    """The keys without a value that a task cannot have: a null takes nothing away there, and the schema has to see them."""
    return {key: None for key, value in task.items() if value is None and key not in TASK_FIELDS}


def _foreign(data: Mapping[Any, Any], level: str, known: frozenset[str]) -> Iterator[tuple[Any, Bridge]]:
    for key, value in data.items():
        if key not in known:
            found = bridge(key, value, data, level=level)
            if found is not None:
                yield key, found


def _written_keys(model: Any) -> frozenset[str]:
    return frozenset(field.alias or name for name, field in model.model_fields.items())


_FLOW_FIELDS = _written_keys(FlowSpec)
_RETRY_FIELDS = _written_keys(RetrySpec)
