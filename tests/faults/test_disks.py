"""Disks that are full, broken, slow, or lose their power: loud, never a false success, and whole again afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.rig import PATIENCE_S, Rig

pytestmark = pytest.mark.slow

POWER_CUTS = int(os.environ.get("FLOWCTL_TEST_POWER_CUTS", "4"))
"""`make soak` asks for 20."""


def run_with(rig: Rig, flow: Path, inject: str) -> int:
    """Run a flow under a tracer that changes what the system answers the engine; the exit code."""
    calls = inject.partition(":")[0]
    before = ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={inject}"]
    return rig.start("run", str(flow), "--json", before=before).wait(PATIENCE_S)


def require_told(rig: Rig, code: int) -> None:
    """An engine that could not go on says why, in a line and not in a traceback."""
    told = rig.told()
    assert "Traceback" not in told, told
    if code != 0:
        assert '"message": ' in told, told


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_a_store_that_cannot_be_written_loses_nothing_that_was_acknowledged(tmp_path: Path, error: str) -> None:
    rig = Rig(tmp_path)
    flow = rig.flow()
    hits = 0
    for number in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144):
        rig.clean()
        code = run_with(rig, flow, f"pwrite64:error={error}:when={number}+")
        require_told(rig, code)
        hits += code != 0
        assert rig.settle() == 0, (number, rig.told())
        rig.judge()
    assert hits > 3, "the engine writes more often than that"


def test_a_disk_that_cannot_sync_is_not_believed(tmp_path: Path) -> None:
    """After an `fdatasync` that failed nothing more is acknowledged by that engine."""
    rig = Rig(tmp_path)
    flow = rig.flow()
    for number in (1, 2, 3, 4, 6, 8, 10, 12):
        rig.clean()
        code = run_with(rig, flow, f"fdatasync:error=EIO:when={number}")
        require_told(rig, code)
        assert rig.settle() == 0, (number, rig.told())
        rig.judge()


def test_a_slow_disk_only_takes_longer(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert run_with(rig, rig.flow(), "fdatasync:delay_enter=300000") == 0, rig.told()
    rig.judge()


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[None]:
    """A file system in a file, whose journal is written every five minutes and not before."""
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop,commit=300", str(image), str(at)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def require_mounting(folder: Path) -> None:
    """Skip where the machine does not let us mount: a container, or somebody who is not root."""
    image, at = folder / "probe", folder / "probe.d"
    at.mkdir()
    subprocess.run(["truncate", "-s", "4M", str(image)], check=True)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    tried = subprocess.run(["mount", "-o", "loop", str(image), str(at)], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"this machine does not allow mounting: {tried.stderr.strip()}")
    subprocess.run(["umount", str(at)], check=True)


def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """The engine is killed and the disk copied in that moment, as it is without what was not synced; then it goes on there."""
    require_mounting(tmp_path)
    for number in range(POWER_CUTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        image, crashed = folder / "image", folder / "crashed"
        subprocess.run(["truncate", "-s", "32M", str(image)], check=True)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
        disk = folder / "disk"
        rig = Rig(folder, environ={"FLOWCTL_HOME": str(disk / "home")})
        rig.home, rig.store = disk / "home", disk / "home" / "data" / "flowctl.db"
        flow = rig.flow()
        with mounted(image, disk):
            rig.run_until_killed(flow, 0.06 * number, acknowledged=True)
            shutil.copyfile(image, crashed)
            rig.settle()  # so that what was started does not outlive the disk it is on
        rig.ledger.write_text("")
        with mounted(crashed, disk):
            assert rig.settle() == 0, rig.told()
            rig.judge()
