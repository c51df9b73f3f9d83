"""Findings as text for people: a headline, the line it is about with a mark under the place, and the way out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from flowctl.findings.excerpt import excerpt
from flowctl.terminal.colour import Style, paint
from flowctl.terminal.sanitise import visible
from specs.diagnostics import Diagnostic, Place, Severity

MOST_LABELS = 20
"""Second places shown with one finding; a cycle may have thousands of edges, and its message names them."""

STYLES = {Severity.ERROR: Style.ERROR, Severity.WARNING: Style.WARNING, Severity.INFO: Style.INFO}


class Look(Struct, frozen=True):
    """How text is to look: colours or none, columns to fill, and whether more than ASCII can be shown."""

    colour: bool = False
    columns: int = 100
    unicode: bool = True

    def paint(self, text: str, style: Style) -> str:
        """`text` in `style` if there are colours."""
        return paint(text, style, colour=self.colour)

    def text(self, text: str) -> str:
        """A message of ours on one line; its arrows and dots are spelled in ASCII where that is all there is."""
        shown = visible(text)
        return shown if self.unicode else shown.replace("→", "->").replace("…", "...")

    @property
    def ellipsis(self) -> str:
        """What stands for the part of a line that is not shown."""
        return "…" if self.unicode else "..."


def full(finding: Diagnostic, look: Look) -> str:
    """A finding over several lines, without a line feed at the end."""
    places = [(finding.place, "^", ""), *((label.place, "-", label.text) for label in finding.labels[:MOST_LABELS])]
    gutter = max(len(str(place.source.position(place.start)[0])) for place, _, _ in places)
    lines = [_headline(finding, look)]
    shown_in = ""
    for place, mark, text in places:
        if place.source.name != shown_in:
            lines.append(_arrow(place, "::: " if shown_in else "--> ", gutter=gutter, look=look))
            shown_in = place.source.name
        lines += _lines(place, mark=mark, text=text, gutter=gutter, look=look)
    if finding.help:
        lines += _help(finding.help, gutter=gutter, look=look)
    return "\n".join(lines)


def concise(finding: Diagnostic, look: Look) -> str:
    """A finding on one line, in the form editors turn into a link; the way out is left away."""
    line, column = finding.place.source.position(finding.place.start)
    kind = look.paint(f"{finding.severity}[{finding.code}]", STYLES[finding.severity])
    return f"{visible(finding.place.source.name)}:{line}:{column}: {kind}: {look.text(finding.message)}"


def summary(findings: Iterable[Diagnostic], *, files: int) -> str:
    """One line: `2 errors, 1 warning in 3 files`."""
    counts = dict.fromkeys(Severity, 0)
    for finding in findings:
        counts[finding.severity] += 1
    words = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
    parts = [count_of(number, words[severity]) for severity, number in counts.items() if number]
    return f"{', '.join(parts) or 'no findings'} in {count_of(files, 'file')}"


def count_of(number: int, word: str, many: str | None = None) -> str:
    """`1 file`, `3 files`, `1,000 files`; `many` where the plural is not the word with an s."""
    return f"1 {word}" if number == 1 else f"{number:,} {many or f'{word}s'}"


def _headline(finding: Diagnostic, look: Look) -> str:
    kind = look.paint(f"{finding.severity}[{finding.code}]", STYLES[finding.severity])
    return f"{kind}{look.paint(f': {look.text(finding.message)}', Style.STRONG)}"


def _arrow(place: Place, arrow: str, *, gutter: int, look: Look) -> str:
    line, column = place.source.position(place.start)
    return f"{' ' * gutter}{look.paint(arrow, Style.PLACE)}{visible(place.source.name)}:{line}:{column}"


def _lines(place: Place, *, mark: str, text: str, gutter: int, look: Look) -> Iterator[str]:
    """The line of source and the mark below it; nothing for a place in an empty file."""
    if not place.source.text:
        return
    edge = look.paint("|", Style.PLACE)
    found = excerpt(place, columns=look.columns - gutter - 3, ellipsis=look.ellipsis)
    note = f" {look.text(text)}" if text else ""
    style = Style.ERROR if mark == "^" else Style.PLACE
    yield f"{' ' * gutter} {edge}"
    yield f"{look.paint(str(found.line).rjust(gutter), Style.PLACE)} {edge} {found.text}".rstrip()
    yield f"{' ' * gutter} {edge} {' ' * found.indent}{look.paint(mark * found.length + note, style)}"


def _help(text: str, *, gutter: int, look: Look) -> Iterator[str]:
    lead = f"{' ' * gutter} = help: "
    for number, line in enumerate(text.splitlines()):
        painted = f"{' ' * gutter} {look.paint('=', Style.PLACE)} {look.paint('help', Style.HELP)}: "
        yield (painted if number == 0 else " " * len(lead)) + look.text(line)
