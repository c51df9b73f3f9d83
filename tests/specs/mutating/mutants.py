"""A broken flow as it is written down: its text, and those of files beside it, with «» around what the finding is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

OPEN, CLOSE = "«", "»"


class Change(Struct, frozen=True):
    """`new` in place of what a text has from `start` to `end`."""

    start: int
    end: int
    new: str


class Mutant(Struct, frozen=True):
    """A broken flow.

    Attributes:
        main: the file to check.
        texts: by name, every file that is not as it is in the folder, `main` among them.
        name: the file in which the one finding is expected.
        start: where it is expected to begin.
        end: where it is expected to end.
    """

    main: str
    texts: Mapping[str, str]
    name: str
    start: int
    end: int

    @property
    def text(self) -> str:
        """The text in which the finding is expected."""
        return self.texts[self.name]

    @property
    def marked(self) -> str:
        """What the finding is about."""
        return self.text[self.start : self.end]


def unmarked(main: str, texts: Mapping[str, str]) -> Mutant:
    """The mutant of texts of which one has the marks."""
    (name,) = (name for name, text in texts.items() if OPEN in text)
    start, end = texts[name].index(OPEN), texts[name].index(CLOSE) - len(OPEN)
    plain = {name: text.replace(OPEN, "").replace(CLOSE, "") for name, text in texts.items()}
    return Mutant(main, plain, name, start, end)


def marks(start: int, end: int) -> tuple[Change, ...]:
    """The changes that mark what stands from `start` to `end`."""
    if start == end:
        return (Change(start, start, OPEN + CLOSE),)
    return Change(start, start, OPEN), Change(end, end, CLOSE)


def changed(text: str, changes: Iterable[Change]) -> str:
    """`text` with all changes made; of those at one place a closing mark comes first and an opening one last."""
    for change in sorted(changes, key=_order, reverse=True):
        text = text[: change.start] + change.new + text[change.end :]
    return text


def _order(change: Change) -> tuple[int, int]:
    return change.start, {CLOSE: 0, OPEN + CLOSE: 0, OPEN: 2}.get(change.new, 1)
