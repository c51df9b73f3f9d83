"""Pages of the documentation as tests read them: their fenced blocks, in order, and their links.

What follows the language of a fence says how a block is tested:

- `yaml` that begins with `version: 1` is a flow and must validate without errors; `expect=FLOW201` names the one error code
  it must have instead;
- `run` runs it, which must succeed; `run=fail` expects a failed run; `p=NAME=VALUE` gives a parameter;
- `file=PATH` writes the block to a file of the page's own folder;
- `console` runs each line after `$ ` in that folder and finds the lines below it in what is printed, in their order
  within the streams; `…` stands for anything; `exit=N` is the expected exit code of the last command, 0 without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")), ROOT / "examples" / "demo" / "README.md")

_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```[ \t]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, what its tags say, its text and the line it starts at."""

    language: str
    tags: dict[str, str]
    params: tuple[str, ...]
    text: str
    line: int

    @property
    def is_flow(self) -> bool:
        """Whether this is a whole flow and not a part of one."""
        return self.language == "yaml" and self.text.startswith("version: 1\n") and "tasks:" in self.text


def blocks_of(text: str) -> Iterator[Block]:
    """The fenced blocks of a page in order."""
    for match in _FENCE.finditer(text):
        language, *words = match[2].split() or [""]
        params = tuple(word.removeprefix("p=") for word in words if word.startswith("p="))
        tags = {key: value for key, _, value in (word.partition("=") for word in words) if key != "p"}
        indent = match[1]
        body = "".join(line.removeprefix(indent) for line in match[3].splitlines(keepends=True))
        yield Block(language, tags, params, body, text.count("\n", 0, match.start()) + 2)


def links_of(text: str) -> list[str]:
    """The targets of the links of a page, code left out."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text)))


def anchors_of(text: str) -> set[str]:
    """The anchors that the headings of a page make, as GitHub makes them."""
    titles = (re.sub(r"[`*]", "", title) for title in _HEADING.findall(_FENCE.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
