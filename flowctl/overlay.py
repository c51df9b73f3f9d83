"""Files of a project of which some are not what is on the disk: fixed but not yet written, or open in an editor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flowctl.reading import absolute
from specs.files import Files


class OverlaidFiles:
    """The files `beneath`, with the contents of `texts` (by absolute path) in place of what they hold."""

    def __init__(self, beneath: Files, texts: Mapping[Path, str]) -> None:
        self._beneath = beneath
        self._texts = texts

    def read(self, path: str) -> bytes:
        """The content of a file; raises `FileProblem`."""
        text = self._texts.get(absolute(Path(path)))
        if text is None:
            return self._beneath.read(path)
        return text.encode("utf-8", "surrogatepass")

    def root_of(self, path: str) -> str:
        """The project root of a file."""
        return self._beneath.root_of(path)

    def siblings(self, path: str) -> list[str]:
        """Names of the files beside `path`, sorted."""
        return self._beneath.siblings(path)
