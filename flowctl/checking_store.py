"""Checking a store from its pages to its logs: what is wrong, run by run, without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from engine.errors import RunNotFound, StoreDamaged
from engine.ids import is_id, made_at
from engine.store import ddl
from flowctl.findings.text import count_of
from flowctl.history import StoredPlans
from flowctl.proving import every_id, proof_text, prove
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from engine.run_files import RunFiles
    from engine.store.reading import StoredRows
    from engine.store.upkeep import Upkeep

STEP = 5_000
"""Runs after which it is told how far the check has come."""


class Damage(Struct, frozen=True):
    """Something that is wrong, with the run it is wrong with where it is about one."""

    text: str
    run: str | None = None


class Checked(Struct):
    """What came of checking a store.

    Attributes:
        version: of its schema; `None` if it could not be read.
        runs: how many were folded and compared.
        notes: what an operator should know, and which is no damage.
    """

    version: int | None = None
    runs: int = 0
    damages: list[Damage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_store(upkeep: Upkeep, workspace: Workspace, *, tell: Callable[[int], None]) -> Checked:
    """Check everything; `tell` is called from time to time with the number of runs that were looked at.

    Raises:
        StoreUnavailable: there is no store, or it cannot be opened.
        StoreTooNew: a later flowctl has written it.
    """
    checked = Checked()
    try:
        checked.version = upkeep.version()
        checked.damages += [Damage(text) for text in upkeep.damages()]
    except StoreDamaged as damaged:
        checked.damages.append(Damage(str(damaged)))
        return checked
    if checked.version != ddl.VERSION:
        checked.notes.append(
            f"it is of an earlier flowctl (version {checked.version}): its runs are looked at once"
            " `flowctl db migrate` has brought it up to date"
        )
        return checked
    with upkeep.look() as rows:
        _check_rows(rows, StoredPlans(workspace, rows), checked, tell)
        if not checked.damages:
            checked.notes += _strangers(rows, workspace.run_files)
    return checked


def _check_rows(rows: StoredRows, plans: StoredPlans, checked: Checked, tell: Callable[[int], None]) -> None:
    try:
        checked.damages += [Damage(flaw.text, flaw.run_id) for flaw in rows.flaws()]
    except StoreDamaged as damaged:
        checked.damages.append(Damage(str(damaged)))
    known = {damage.run for damage in checked.damages}
    unproven = 0
    try:
        for run_id in every_id(rows):
            if run_id not in known:
                damage, is_proven = _check_run(rows, plans, run_id)
                checked.damages += damage
                unproven += not is_proven
            checked.runs += 1
            if checked.runs % STEP == 0:
                tell(checked.runs)
    except StoreDamaged as damaged:
        checked.damages.append(Damage(f"the list of runs cannot be read: {damaged}"))
    if unproven:
        checked.notes.append(
            f"{count_of(unproven, 'run')} could not be proven: the flow as it was stored cannot be compiled any more;"
            " `flowctl replay` tells why"
        )


def _check_run(rows: StoredRows, plans: StoredPlans, run_id: str) -> tuple[list[Damage], bool]:
    """What is wrong with a run, and whether its log could be folded at all."""
    try:
        proof = prove(rows, plans, run_id)
    except RunNotFound:  # removed meanwhile
        return [], True
    except StoreDamaged as damaged:
        return [Damage(str(damaged), run_id)], True
    if proof.difference is not None:
        return [Damage(proof_text(proof), run_id)], True
    return [], proof.unproven is None


def _strangers(rows: StoredRows, files: RunFiles) -> Iterator[str]:
    """Whether there are files of runs that are later than every run of the store: then it may not be what it was."""
    newest = rows.latest()
    if newest is None or not is_id(newest):
        return
    later = 0
    with suppress(OSError):
        for folder in Path(files.root).iterdir():
            if is_id(folder.name) and made_at(folder.name) > made_at(newest) and rows.run(folder.name) is None:
                later += 1
    if later:
        yield (
            f"`{files.root}` has the files of {count_of(later, 'run')} later than all in the store: it may be an older copy,"
            " or have lost the log beside it"
        )
