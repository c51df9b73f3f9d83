"""Findings that an author has answered in the file: `# flow: ignore[FLOW230]`, on the line of the finding or above it.

Warnings and information are silenced by their code alone. Of the errors only judgements are (`specs.codes.JUDGEMENTS`),
and like warnings that the project has raised to errors only with a reason: `# flow: ignore[FLOW414] -- a sample key`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct, field

from specs.codes import CODES, JUDGEMENTS
from specs.diagnostics import Diagnostic, Edit, Fix, Place, Severity, Source
from specs.policy import AS_WRITTEN, Policy
from specs.scalars import shortened
from specs.series import MOST_OF_ONE_CODE, in_short
from specs.suggest import nearest

REMARKS = frozenset({"FLOW903", "FLOW904", "FLOW905", "FLOW906"})
"""Findings about silences, which no silence answers."""

_SILENCE = re.compile(
    r"""(?<!\S)\#[ \t]*flow:[ \t]*ignore(?![\w-])
        (?:\[(?P<codes>[^\]\n]*)\])?
        (?P<rest>(?:(?!\#[ \t]*flow:)[^\n])*)""",
    re.VERBOSE,
)
_REASON = re.compile(r"[ \t]*--[ \t]*\S")
_COMMENT_LINE = re.compile(r"[ \t]*#")
_WORD = re.compile(r"[^\s,]+")


class Silence(Struct, frozen=True):
    """One comment: the codes it names with their places, the lines it speaks of, and whether it gives a reason."""

    place: Place
    codes: tuple[tuple[str, Place], ...]
    lines: tuple[int, ...]
    has_reason: bool


class _Read(Struct, frozen=True):
    """What a file says: its silences, and by line and code whether one that speaks of it gives a reason."""

    source: Source
    silences: tuple[Silence, ...]
    answers: dict[int, dict[str, bool]]


class Silences(Struct):
    """The silences of the files that findings are in, and which of them were needed; `policy` says what codes weigh."""

    policy: Policy = AS_WRITTEN
    _read: dict[int, _Read] = field(default_factory=dict)
    _used: set[tuple[int, int, str]] = field(default_factory=set)

    def answer(self, found: Diagnostic) -> bool:
        """Whether a silence in the file answers the finding."""
        source = found.place.source
        answers = self._of(source).answers
        if not answers or found.code in REMARKS:
            return False
        line = source.position(found.place.start)[0]
        has_reason = answers.get(line, {}).get(found.code)
        if has_reason is None:
            return False
        self._used.add((id(source), line, found.code))
        return self._refusal(found.code, has_reason=has_reason) is None

    def mistakes(self, source: Source) -> Iterator[Diagnostic]:
        """Silences of the file that name no code, one that does not exist, or one that they cannot silence."""
        hints = 0
        for silence in self._of(source).silences:
            if not silence.codes:
                help_ = "name the code of the finding: `# flow: ignore[FLOW230]`"
                yield _remark("FLOW905", silence.place, "a silence without a code silences nothing", help_)
            for code, place in silence.codes:
                if code not in CODES:
                    hints += 1
                    near = nearest(code, CODES) if hints <= MOST_OF_ONE_CODE else None
                    yield _unknown(code, place, near)
                    continue
                refusal = self._refusal(code, has_reason=silence.has_reason)
                if refusal is not None:
                    yield _remark("FLOW906", place, *refusal)

    def unused(self, source: Source, judged: Callable[[str], bool]) -> Iterator[Diagnostic]:
        """Silences of the file that no finding needed, of the codes that are `judged` now."""
        fixes = 0
        for silence in self._of(source).silences:
            for code, place in silence.codes:
                if code not in CODES or not judged(code):
                    continue
                is_used = any((id(source), line, code) in self._used for line in silence.lines)
                if not is_used and self._refusal(code, has_reason=silence.has_reason) is None:
                    message = f"nothing here is a {code} that would have to be silenced"
                    fixes += 1  # only so many findings are shown, and a fix costs as much as its comment is long
                    fix = _without(silence, code) if fixes <= MOST_OF_ONE_CODE else None
                    yield _remark("FLOW903", place, message, "remove it", fix)

    def _refusal(self, code: str, *, has_reason: bool) -> tuple[str, str] | None:
        """Why a silence does not hold for a code, and the way out; `None` when it does."""
        if CODES[code].severity is Severity.ERROR and code not in JUDGEMENTS:
            return f"{code} is an error that no silence answers", "correct what it says"
        if self.policy.severity(code) is Severity.ERROR and not has_reason:
            return f"{code} is an error: silencing it needs a reason", f"write `# flow: ignore[{code}] -- REASON`"
        return None

    def _of(self, source: Source) -> _Read:
        known = self._read.get(id(source))
        if known is None:
            known = self._read[id(source)] = _read(source)
        return known


def settled(found: Iterable[Diagnostic], policy: Policy, root: str, silences: Silences) -> Iterator[Diagnostic]:
    """The findings as the project at `root` weighs them, without those that are answered, accepted or not asked for."""
    for one in found:
        weighed = policy.weighed(one)
        if not silences.answer(weighed) and policy.reports(one.code) and not policy.accepts(one, root):
            yield weighed


def listed(found: Iterable[Diagnostic], policy: Policy, root: str) -> tuple[Diagnostic, ...]:
    """Findings that were made apart from the check of a file, settled and in order."""
    return in_short(settled(found, policy, root, Silences(policy)))


def _read(source: Source) -> _Read:
    matches = list(_SILENCE.finditer(source.text)) if "flow:" in source.text else []
    below: dict[int, int] = {}  # by line of a silence, from the last to the first, so that each line is looked at once
    silences = tuple(_silence(source, match, below) for match in reversed(matches))[::-1]
    answers: dict[int, dict[str, bool]] = {}
    for silence in silences:
        for line in silence.lines:
            codes = answers.setdefault(line, {})
            for code, _ in silence.codes:
                codes[code] = codes.get(code, False) or silence.has_reason
    return _Read(source, silences, answers)


def _silence(source: Source, match: re.Match[str], below: dict[int, int]) -> Silence:
    first = match.start("codes")
    codes = tuple(
        (word[0], Place(source, first + word.start(), first + word.end()))
        for word in _WORD.finditer(match["codes"] or "")
    )
    end = match.start() + len(match[0].rstrip())
    line, column = source.position(match.start())
    lines: tuple[int, ...] = (line,)
    if _COMMENT_LINE.match(source.text, match.start() - column + 1):
        below[line] = _line_below(source, line, below)
        lines = (line, below[line])
    return Silence(Place(source, match.start(), end), codes, lines, bool(_REASON.match(match["rest"])))


def _line_below(source: Source, line: int, below: dict[int, int]) -> int:
    """The first line below that is more than a comment, so that silences can stand one above the other."""
    line += 1
    while line < len(source.line_starts) and _COMMENT_LINE.match(source.text, source.line_starts[line - 1]):
        if line in below:
            return below[line]
        line += 1
    return line


def _unknown(code: str, place: Place, near: str | None) -> Diagnostic:
    fix = Fix(f"write `{near}`", (Edit(place, near),)) if near else None
    help_ = f"did you mean `{near}`?" if near else "codes look like `FLOW230`"
    return _remark("FLOW904", place, f"there is no code `{shortened(code, 40)}`", help_, fix)


def _without(silence: Silence, code: str) -> Fix:
    """Take a code out of the list, or the comment away when it is the only one."""
    text, place = silence.place.source.text, silence.place
    left = [name for name, _ in silence.codes if name != code]
    if left:
        inside = Place(place.source, silence.codes[0][1].start, silence.codes[-1][1].end)
        return Fix(f"silence only {', '.join(left)}", (Edit(inside, ", ".join(left)),))
    line_start = text.rfind("\n", 0, place.start) + 1
    before = text[line_start : place.start]
    start = line_start if not before.strip() else line_start + len(before.rstrip())
    end = place.end
    if start == line_start:
        line_end = text.find("\n", end)
        end = len(text) if line_end < 0 else line_end + 1
    return Fix("remove the silence", (Edit(Place(place.source, start, end), ""),))


def _remark(code: str, place: Place, message: str, help_: str | None, fix: Fix | None = None) -> Diagnostic:
    return Diagnostic(code, place, message, help_, CODES[code].severity, fix=fix)
