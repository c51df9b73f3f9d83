"""What all tests share: nothing of the machine's own projects, homes or colours reaches them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

OURS = ("FLOWCTL_", "XDG_")
COLOURS = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE")


@pytest.fixture(scope="session", autouse=True)
def plain_environment() -> Iterator[None]:
    """Run without the settings of whoever starts the tests."""
    unwanted = [name for name in os.environ if name.startswith(OURS) or name in COLOURS]
    with pytest.MonkeyPatch.context() as patch:
        for name in unwanted:
            patch.delenv(name)
        yield
