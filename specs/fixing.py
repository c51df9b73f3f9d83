"""Applying the fixes of findings until none is left, and only those that make nothing worse. Pure: the caller checks."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from specs.check import Checked
from specs.diagnostics import Diagnostic, Edit, Severity

MOST_ROUNDS = 10
"""A fix may lead to another finding with a fix; so often findings are taken up again."""

Texts: TypeAlias = Mapping[str, str]
"""Changed texts by the name of their file; files that are not in it are as they were."""

Check: TypeAlias = Callable[[Texts], Checked]
"""Checks one flow with some of the files it reads changed."""


class DroppedFix(Struct, frozen=True):
    """A fix that was not applied because the file would have been worse, and the code of the new error."""

    finding: Diagnostic
    code: str


class Fixing(Struct, frozen=True):
    """What came of fixing a flow and the libraries it includes.

    Attributes:
        checked: the flow after it.
        before: the texts of changed files as they were, by the name of the file.
        texts: the changed texts, by the name of the file.
        applied: findings whose fixes were applied, in the order of that.
        dropped: fixes that would have made things worse.
        is_finished: whether another call would change nothing; else there were too many rounds.
    """

    checked: Checked
    before: Texts
    texts: Texts
    applied: tuple[Diagnostic, ...]
    dropped: tuple[DroppedFix, ...]
    is_finished: bool


def fix_flow(check: Check, *, rounds: int = MOST_ROUNDS) -> Fixing:
    """Apply all fixes that overlap no other and add no error, check again, and go on until nothing is left to do."""
    state = _State(check)
    finished = False
    for _ in range(rounds):
        chosen = _not_overlapping(state.candidates())
        if not chosen:
            finished = True
            break
        state.apply_all(chosen)
    texts = {name: text for name, text in state.texts.items() if text != state.before[name]}
    return Fixing(
        state.checked,
        {name: state.before[name] for name in texts},
        texts,
        tuple(state.applied),
        tuple(state.dropped),
        finished or not state.candidates(),
    )


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """`text` with edits that do not overlap; line breaks in them become those of the text."""
    newline = "\r\n" if "\r\n" in text else "\n"
    pieces: list[str] = []
    at = 0
    for edit in sorted(edits, key=_span):
        written = edit.text.replace("\r\n", "\n").replace("\n", newline)
        pieces += (text[at : edit.place.start], written)
        at = edit.place.end
    return "".join((*pieces, text[at:]))


class _State:
    """A flow on its way through the rounds."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self.checked = check({})
        self.before: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.applied: list[Diagnostic] = []
        self.dropped: list[DroppedFix] = []
        self._refused: set[tuple[str, str, tuple[str, ...]]] = set()

    def candidates(self) -> list[Diagnostic]:
        """Findings with a fix that has not been refused, in source order."""
        return [one for one in self.checked.diagnostics if one.fix is not None and _mark(one) not in self._refused]

    def apply_all(self, findings: Sequence[Diagnostic]) -> None:
        """Apply the fixes together; where that makes the flow worse, halves of them, down to single ones.

        Edits are spans of the texts as they were checked, so all that can be applied are collected first.
        """
        kept: list[Diagnostic] = []
        best: tuple[dict[str, str], Checked] | None = None
        waiting = deque([list(findings)])
        while waiting:
            group = waiting.popleft()
            texts = self._with([*kept, *group])
            after = self._check(texts)
            worse = new_error(self.checked, after)
            if worse is None:
                kept += group
                best = (texts, after)
            elif len(group) == 1:
                self._refused.add(_mark(group[0]))
                self.dropped.append(DroppedFix(group[0], worse))
            else:
                middle = len(group) // 2
                waiting.extendleft([group[middle:], group[:middle]])
        if best is not None:
            self.texts, self.checked = best
            self.applied += sorted(kept, key=lambda one: (one.place.source.name, one.place.start))

    def _with(self, findings: Iterable[Diagnostic]) -> dict[str, str]:
        edits: dict[str, dict[tuple[int, int, str], Edit]] = {}
        texts = dict(self.texts)
        for finding in findings:
            for edit in finding.fix.edits if finding.fix else ():
                source = edit.place.source
                self.before.setdefault(source.name, source.text)
                texts.setdefault(source.name, source.text)
                edits.setdefault(source.name, {})[(*_span(edit), edit.text)] = edit
        return {name: apply_edits(text, edits.get(name, {}).values()) for name, text in texts.items()}


def new_error(before: Checked, after: Checked) -> str | None:
    """The code of an error that `after` has and `before` had not, `None` if nothing got worse.

    A check goes in stages: the text, its structure, the rules. What a later stage finds in a file that did not get that
    far before was there, only hidden.
    """
    if _stage(after) > _stage(before):
        return None
    errors, known = _errors(after), _errors(before)
    return next((code for code, count in sorted(errors.items()) if count > known[code]), None)


def _stage(checked: Checked) -> int:
    if checked.context is not None:
        return 2
    is_unread = any(one.code.startswith("FLOW10") and one.severity is Severity.ERROR for one in checked.diagnostics)
    return 0 if is_unread else 1


def _errors(checked: Checked) -> Counter[str]:
    return Counter(one.code for one in checked.diagnostics if one.severity is Severity.ERROR)


def _not_overlapping(findings: Sequence[Diagnostic]) -> list[Diagnostic]:
    """As many findings, from the first on, as have fixes that touch different text."""
    taken: dict[str, list[tuple[int, int]]] = {}
    chosen = []
    for finding in findings:
        fix = finding.fix
        assert fix is not None  # noqa: S101 - candidates have one
        spans = [(edit.place.source.name, *_span(edit)) for edit in fix.edits]
        if not spans or any(_touches(taken.get(name, []), start, end) for name, start, end in spans):
            continue
        for name, start, end in spans:
            insort(taken.setdefault(name, []), (start, end))
        chosen.append(finding)
    return chosen


def _touches(taken: list[tuple[int, int]], start: int, end: int) -> bool:
    """Whether a span overlaps or adjoins one of those taken, which are sorted and apart from each other."""
    at = bisect_left(taken, (start, end))
    return (at > 0 and taken[at - 1][1] >= start) or (at < len(taken) and taken[at][0] <= end)


def _span(edit: Edit) -> tuple[int, int]:
    return edit.place.start, edit.place.end


def _mark(finding: Diagnostic) -> tuple[str, str, tuple[str, ...]]:
    """What stays the same of a finding when the text moves."""
    return finding.code, finding.message, tuple(str(part) for part in finding.path)
