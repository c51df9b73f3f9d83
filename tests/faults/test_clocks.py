"""The system's clock is set while a run goes on: no attempt ends early, no retry is held up, no duration is negative."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.faults.rig import PATIENCE_S, Rig

pytestmark = pytest.mark.slow

LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
)

FLOW = """
version: 1
name: clocks
tasks:
  jump:
    run: |
      printf '%%s\\n' "$SHIFT" > "$FAKETIME_TIMESTAMP_FILE"
      [ "$FLOW_ATTEMPT" = 3 ] || exit 7
    retry: {attempts: 3, delay: 200ms}
    env: {SHIFT: "${{ ['+3600', '-86400', '+2592000'][task.attempt - 1] }}", FAKETIME_TIMESTAMP_FILE: "%(ledger)s.shift"}
    timeout: 1m
  after: {run: "true", after: [jump], timeout: 1m}
"""


def test_setting_the_clock_changes_nothing_but_what_it_shows(tmp_path: Path) -> None:
    library = next(name for name in LIBRARIES if Path(name).exists())
    shift = tmp_path / "ledger.shift"
    shift.write_text("+0\n")
    rig = Rig(
        tmp_path,
        environ={
            "LD_PRELOAD": library,
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_TIMESTAMP_FILE": str(shift),
        },
    )
    shown = subprocess.run(["date", "+%s"], env=rig.environ, capture_output=True, text=True, check=True).stdout
    code = rig.start("run", str(rig.flow(FLOW)), "--json").wait(PATIENCE_S)
    assert code == 0, rig.told()
    late = subprocess.run(["date", "+%s"], env=rig.environ, capture_output=True, text=True, check=True).stdout
    assert int(late) - int(shown) > 2_500_000, "the clock was not set, so nothing was tested"
    rig.environ.pop("LD_PRELOAD")
    moments = [at for (at,) in rig.rows("SELECT at FROM events ORDER BY run_id, seq")]
    assert moments == sorted(moments)
    assert moments[-1] - moments[0] < PATIENCE_S * 1_000_000
    assert rig.rows("SELECT count(*) FROM attempts WHERE task = 'jump'") == [(3,)]
