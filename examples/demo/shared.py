"""What the programs of this flow share: the list of changes in the run's folder, and how outputs are given."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

CHANGES = Path("changes.json")  # tasks start in the folder of their run
ORDERS = Path("orders")


def give(**outputs: Any) -> None:
    """Give this task's outputs: the engine checks them against what the flow declares."""
    Path(os.environ["FLOW_OUTPUT_JSON"]).write_text(json.dumps(outputs), encoding="utf-8")


def changes() -> list[dict[str, Any]]:
    """Every change of clocks: `zone`, `day`, `by_s`, `kind` (`forward`, `back`, `shift`) and the `rules` it came from."""
    found: list[dict[str, Any]] = json.loads(CHANGES.read_text(encoding="utf-8"))
    return found
