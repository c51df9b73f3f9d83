"""What comes out of the cache is what compiling makes, for every flow there is to try it with."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.errors import InvalidFlow
from flowctl.files import ProjectFiles
from flowctl.plan_cache.plans import Compiled, Conditions, PlanCache
from flowctl.settings import load_settings
from flowctl.workspace import Workspace
from specs.diagnostics import Diagnostic, Source
from tests.engine.test_plan_codec import FLOWS, spelled

REFUSED = frozenset(
    """
    access_review access_review_one backup_postgres batch_mail chaos_drill check_infrastructure ci
    compile_firmware dataset_publish deliver_one delivery deploy_with_fallback election_night etl gitops_sync
    heartbeat_sites integration_services license_check media monthly_report password_audit payroll
    podcast_episodes queue_orders release_approval render_video room_booking runbook satellite_tiles
    schema_migration scrape_prices train_model transcode_one vacuum_tables webhook_push
    """.split()  # noqa: SIM905 - one line for each name would hide the tests
)
"""Flows that this engine does not honour yet."""


def workspace_of(path: Path, *, home: Path) -> Workspace:
    """The workspace in which a flow is compiled."""
    return Workspace(load_settings(folder=path.parent, environ={"FLOWCTL_HOME": str(home)}, flags={}, named=path), {})


def kept(workspace: Workspace, path: Path) -> Compiled | None:
    """What is in the cache of a flow."""
    settings = workspace.settings
    told = Conditions(
        path.as_posix(), str(Path.cwd()), settings.limits, settings.checks.for_runs(), settings.connectors
    )
    files = ProjectFiles((path,), most=settings.limits.file_bytes)
    return PlanCache(settings.folders.cache / "plans").find(told, files)


def as_shown(warnings: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """Warnings with what a run prints of them, which is all but the way to fix them."""
    return tuple(replace(one, fix=None) for one in warnings)


@pytest.mark.parametrize("path", [path for path in FLOWS if path.stem not in REFUSED], ids=lambda path: path.stem)
def test_a_plan_from_the_cache_is_the_one_that_was_compiled(path: Path, tmp_path: Path) -> None:
    workspace = workspace_of(path, home=tmp_path)
    compiled = workspace.compile(str(path))
    found = kept(workspace, path)
    assert found is not None
    assert spelled(found.plan) == spelled(compiled.plan)
    assert found.warnings == as_shown(compiled.warnings)


@pytest.mark.parametrize("path", [path for path in FLOWS if path.stem in REFUSED], ids=lambda path: path.stem)
def test_what_is_refused_is_not_kept(path: Path, tmp_path: Path) -> None:
    workspace = workspace_of(path, home=tmp_path)
    with pytest.raises(InvalidFlow):
        workspace.compile(str(path))
    assert kept(workspace, path) is None


FORMS = {
    "a mark": b"\xef\xbb\xbfversion: 1\ntasks: {a: {run: 'true'}}\n",
    "other line ends": b"version: 1\r\ntasks:\r\n  a: {run: 'true'}\r\n",
    "letters": "version: 1\ndescription: Gr\u00fc\u00dfe \U0001f600\ntasks: {a: {run: 'true'}}\n".encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_texts_are_read_as_a_check_reads_them(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(FORMS[form])
    workspace = Workspace(
        load_settings(folder=tmp_path, environ={"FLOWCTL_HOME": str(tmp_path / "home")}, flags={}), {}
    )
    compiled = workspace.compile(str(path))
    found = kept(workspace, path)
    assert found is not None
    assert spelled(found.plan) == spelled(compiled.plan)


def test_warnings_come_back_with_their_places(tmp_path: Path) -> None:
    (tmp_path / "flowctl.yaml").write_text("")
    (tmp_path / "lib.yaml").write_text("version: 1\nenv: {A: 0755}\n")
    path = tmp_path / "a.yaml"
    path.write_text(
        "version: 1\ninclude: [lib.yaml]\ntasks: {a: {run: 'true'}, b: {after: [a], join: any, run: 'true'}}\n"
    )
    workspace = Workspace(
        load_settings(folder=tmp_path, environ={"FLOWCTL_HOME": str(tmp_path / "home")}, flags={}), {}
    )
    compiled = workspace.compile(str(path))
    found = kept(workspace, path)
    assert found is not None
    assert [one.code for one in found.warnings] == ["FLOW214", "FLOW122"]
    assert found.warnings == as_shown(compiled.warnings)
    assert isinstance(found.warnings[1].place.source, Source)
    assert found.warnings[1].place.source.name.endswith("lib.yaml")
