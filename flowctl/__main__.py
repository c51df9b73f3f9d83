"""`python -m flowctl`: the same program as the `flowctl` command."""

from __future__ import annotations

import sys

from flowctl.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
