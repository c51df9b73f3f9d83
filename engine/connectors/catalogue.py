"""Which connectors there are: built in, installed as plug-ins, or named by the project. Imports no connector's code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from engine.connectors.plugins import installed_plugins
from engine.connectors.signatures import BUILT_IN
from specs.context import ActionSpec

UNKNOWN: Mapping[str, ActionSpec] = MappingProxyType({})
"""What `actions` gives for a type whose signature only its code knows: the type exists, any action of it is admitted, and
its fields and outputs are checked when it runs. A type that is known has at least one action, so empty means unknown."""


class InstalledCatalogue:
    """A `specs.context.Catalogue`. `project_types` maps names of `flowctl.yaml` to `package.module:Class`."""

    def __init__(
        self,
        project_types: Mapping[str, str] | None = None,
        plugin_names: Callable[[], tuple[str, ...]] | None = None,
    ) -> None:
        self._project = dict(project_types or {})
        self._find_plugins = plugin_names or installed_plugins
        self._plugins: tuple[str, ...] | None = None

    def types(self) -> tuple[str, ...]:
        """Names of connector types, sorted."""
        return tuple(sorted({*BUILT_IN, *self._project, *self._plugin_names()}))

    def actions(self, type_name: str) -> Mapping[str, ActionSpec] | None:
        """Actions of a type; `UNKNOWN` (empty) for plug-ins and the project's own, `None` when there is no such type."""
        if type_name in BUILT_IN:
            return BUILT_IN[type_name]
        if is_import_path(type_name) or type_name in self._project or type_name in self._plugin_names():
            return UNKNOWN
        return None

    def unconfigured(self) -> tuple[str, ...]:
        """Types usable without an entry in `connectors`: the built-in ones, and plug-ins, of which only their code
        knows whether they need one."""
        return tuple(sorted({*BUILT_IN, *self._plugin_names()}))

    def _plugin_names(self) -> tuple[str, ...]:
        if self._plugins is None:  # reading the metadata of all packages takes milliseconds: only when asked for
            self._plugins = self._find_plugins()
        return self._plugins


def is_import_path(type_name: str) -> bool:
    """Whether a type is written `package.module:Class`."""
    module, colon, name = type_name.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), *name.split(".")))
