"""`bench` is the package of the repository's root here, whatever modules of that name other tests keep beside them.

pytest puts the folders of tests before everything else on the path, so the package is loaded before it meets more of them.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
importlib.import_module("bench")
