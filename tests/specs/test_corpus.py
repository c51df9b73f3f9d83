"""Flows as people write them, of many kinds, in which there is nothing to complain about: a finding is a mistake of a rule.

What this engine does not honour yet (FLOW190) and what other programs say of scripts (FLOW702, FLOW704) are left out; the
rest counts from a warning on, the codes about names that are never used included.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.connectors.catalogue import InstalledCatalogue
from flowctl.scripts import ScriptChecks
from specs.check import check_text
from specs.diagnostics import Diagnostic, Severity
from specs.model.task import ACTIONS, EDGE_KEYS
from specs.model.triggers import KINDS
from specs.source import read_document
from tests.specs.projects import FolderFiles, concise

CORPUS = Path(__file__).parent / "corpus"
FLOWS = sorted(CORPUS.glob("*.yaml"))
PATH = f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}"
ASKED_FOR = frozenset({"FLOW601", "FLOW602", "FLOW603", "FLOW604"})
BESIDE_THE_POINT = frozenset({"FLOW190", "FLOW702", "FLOW704"})
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def complaints(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """What an author would have to answer."""
    return [one for one in found if one.severity is not Severity.INFO and one.code not in BESIDE_THE_POINT]


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_a_flow_of_the_corpus_is_clean(path: Path) -> None:
    checked = check_text(
        path.read_bytes(),
        path.name,
        FolderFiles(CORPUS),
        catalogue=InstalledCatalogue({}, lambda: ()),
        opt_in=ASKED_FOR,
        now=NOW,
        more_rules=ScriptChecks({"PATH": PATH}).rules,
    )
    assert checked.context is not None
    assert [concise(one, path.name) for one in complaints(checked.diagnostics)] == []


def test_the_corpus_is_large_and_of_many_kinds() -> None:
    seen: set[str] = set()
    for path in FLOWS:
        document = read_document(path.read_bytes(), path.name).document
        assert document is not None
        assert document.data["name"] == path.stem
        for part in (*document.data["tasks"].values(), *document.data.get("triggers", {}).values()):
            seen.update(part)
    assert len(FLOWS) >= 55
    assert seen.issuperset({*ACTIONS, *EDGE_KEYS} - {"after_complete"})  # the long name of `after`
    assert seen.issuperset(set(KINDS) - {"queue"})  # brokers are no built-in connectors
    assert seen.issuperset({"fan_out", "repeat", "retry", "retry_upstream", "undo", "service", "lock", "pool"})
