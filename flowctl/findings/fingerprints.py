"""Names for findings that stay the same when lines move: of the code, the file and the path of keys."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

from specs.diagnostics import Diagnostic


class Fingerprints:
    """Fingerprints of the findings of one report, each of them unique in it."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def of(self, finding: Diagnostic, file: str) -> str:
        """The fingerprint of a finding in `file`. Where there is no path of keys the message stands for it; findings that
        are alike in all that are told apart by their order."""
        what = [*map(str, finding.path)] if finding.path else [finding.message]
        key = json.dumps([finding.code, file, *what])
        self._seen[key] += 1
        text = f"{key}#{self._seen[key]}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]
