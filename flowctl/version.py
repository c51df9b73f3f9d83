"""The version of this program, kept as a constant because reading package metadata costs more than printing it."""

from __future__ import annotations

VERSION = "0.1.0"
