"""What the catalogue tells the checks about connectors."""

from __future__ import annotations

import subprocess
import sys

from engine.connectors.catalogue import UNKNOWN, InstalledCatalogue
from engine.connectors.files import FileConnector
from engine.connectors.http import HttpConnector


def _catalogue() -> InstalledCatalogue:
    return InstalledCatalogue({"ours": "pkg.mod:Class"}, lambda: ("slack",))


def test_it_knows_built_in_installed_and_project_types() -> None:
    assert _catalogue().types() == ("file", "http", "ours", "slack")
    assert _catalogue().unconfigured() == ("file", "http", "slack")


def test_built_in_types_have_the_signature_of_the_language() -> None:
    actions = _catalogue().actions("http")
    assert actions is not None
    request = actions["request"]
    assert list(request.fields) == [
        "method", "url", "query", "headers", "json", "body", "expect", "timeout", "verify",
    ]  # fmt: skip
    assert request.fields["headers"].secret
    assert request.fields["url"].required
    assert request.outputs == {"status": "int", "headers": "map", "json": "json", "text": "string"}


def test_types_known_by_their_code_only_have_an_unknown_signature() -> None:
    for name in ("ours", "slack", "package.module:Class"):
        assert _catalogue().actions(name) is UNKNOWN
    assert len(UNKNOWN) == 0


def test_what_is_no_type_has_no_actions() -> None:
    for name in ("htpp", "", ":", "a b:C", "mod:"):
        assert _catalogue().actions(name) is None


def test_the_connectors_have_the_actions_of_the_catalogue() -> None:
    assert HttpConnector.actions is _catalogue().actions("http")
    assert FileConnector.actions is _catalogue().actions("file")


def test_asking_for_signatures_loads_no_connector_and_no_http_library() -> None:
    code = """
import sys
from engine.connectors.catalogue import InstalledCatalogue
InstalledCatalogue().actions("http"); InstalledCatalogue().types()
print([name for name in sys.modules if name in ("httpx", "asyncio", "engine.connectors.http", "engine.connectors.files")])
"""
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout == "[]\n"
