"""What each code means, with a wrong and a right example: read by `flowctl explain` and by the pages of the documentation.

The texts stand beside this file, one file for each group of codes. A section begins with `# CODE`; `--- wrong`, `--- right`
and `--- file NAME` begin its examples, which are flows without their first line. Words after `wrong` say what an example
needs: `needs=shellcheck`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from msgspec import Struct, field

from specs.codes import CODES, CodeInfo

FIRST_LINE = "version: 1\n"
MAIN = "flow.yaml"
"""The name an example has where other files speak of it."""


class Explanation(Struct, frozen=True):
    """A code explained.

    Attributes:
        text: one paragraph or several.
        wrong: a flow that has the finding, `None` where none can be shown in a text.
        right: the flow corrected.
        files: what stands beside both, by name.
        needs: a tool without which the finding is not made.
    """

    info: CodeInfo
    text: str
    wrong: str | None = None
    right: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    needs: str | None = None


def explanation(code: str) -> Explanation | None:
    """The explanation of a code; `None` when there is no such code."""
    return _of_group(code[4:5]).get(code) if code in CODES else None


def explanations() -> Iterator[Explanation]:
    """All explanations in the order of their codes."""
    for code in CODES:
        found = explanation(code)
        if found is not None:
            yield found


@cache
def _of_group(digit: str) -> Mapping[str, Explanation]:
    path = Path(__file__).parent / f"{digit}.txt"
    sections = ("\n" + path.read_text(encoding="utf-8")).split("\n# FLOW")[1:]
    found = (_section(section) for section in sections)
    return {one.info.code: one for one in found}


def _section(section: str) -> Explanation:
    head, *blocks = section.rstrip().split("\n--- ")
    number, _, text = head.partition("\n")
    wrong, right, needs = None, None, None
    files: dict[str, str] = {}
    for block in blocks:
        title, _, body = block.partition("\n")
        kind, *words = title.split()
        flow = body if body.startswith("version:") else FIRST_LINE + body
        flow += "\n"
        if kind == "file":
            files[words[0]] = flow
        elif kind == "right":
            right = flow
        else:
            wrong = flow
            needs = next((word.removeprefix("needs=") for word in words if word.startswith("needs=")), None)
    return Explanation(CODES[f"FLOW{number}"], text.strip(), wrong, right, files, needs)
