"""What the server answers, in the protocol's types: each function takes the desk, a file and a position."""

from __future__ import annotations

from pathlib import Path

from lsprotocol import types

from flowctl.lsp import completion as completing
from flowctl.lsp import hover as hovering
from flowctl.lsp import occurrences as occurring
from flowctl.lsp.cursor import cursor_at
from flowctl.lsp.desk import Analysis, Desk
from flowctl.lsp.outline import Outlined, outline
from flowctl.lsp.positions import Positions, place_range
from specs.diagnostics import Diagnostic, Severity
from specs.expressions.scope import tasks_of
from specs.files import beside
from specs.formatting import FormattingError, format_flow
from specs.source import read_document

MOST_PROPOSALS = 2000

_SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFO: types.DiagnosticSeverity.Information,
}
_COMPLETION_KINDS: dict[completing.Kind, types.CompletionItemKind] = {
    "field": types.CompletionItemKind.Field,
    "word": types.CompletionItemKind.EnumMember,
    "task": types.CompletionItemKind.Function,
    "name": types.CompletionItemKind.Reference,
    "variable": types.CompletionItemKind.Variable,
    "filter": types.CompletionItemKind.Operator,
    "file": types.CompletionItemKind.File,
}
_SYMBOL_KINDS = {
    "section": types.SymbolKind.Namespace,
    "task": types.SymbolKind.Function,
    "name": types.SymbolKind.Variable,
}
_UNNECESSARY = frozenset({"FLOW126", "FLOW601", "FLOW602", "FLOW603", "FLOW604", "FLOW605"})
"""Codes of what is never used: editors show it faded."""


def diagnostics(analysis: Analysis, encoding: str) -> list[types.Diagnostic]:
    """The findings in the file itself; those of a library at the top, with the place in it as related."""
    positions = Positions(analysis.text, encoding)
    name = analysis.checked.name
    return [_diagnostic(one, name, positions, encoding) for one in analysis.checked.diagnostics]


def _diagnostic(finding: Diagnostic, name: str, positions: Positions, encoding: str) -> types.Diagnostic:
    is_own = finding.place.source.name == name
    place = finding.place
    labels = [(label.place, label.text) for label in finding.labels[:20]]
    if not is_own:
        labels.insert(0, (place, "here"))
    related = [
        types.DiagnosticRelatedInformation(
            location=types.Location(uri=Path(each.source.name).as_uri(), range=place_range(each, encoding)),
            message=text,
        )
        for each, text in labels
        if Path(each.source.name).is_absolute()
    ]
    return types.Diagnostic(
        range=positions.range(place.start, place.end) if is_own else positions.range(0, 0),
        message=hovering.finding_text(finding),
        severity=_SEVERITIES[finding.severity],
        code=finding.code,
        source="flowctl",
        tags=[types.DiagnosticTag.Unnecessary] if finding.code in _UNNECESSARY else None,
        related_information=related or None,
    )


def completion(desk: Desk, path: Path, position: types.Position, encoding: str) -> list[types.CompletionItem]:
    """What can be written at a position."""
    text = desk.text(path)
    if text is None:
        return []
    positions = Positions(text, encoding)
    offset = positions.offset(position)
    cursor = cursor_at(text, offset)
    files = desk.flows_beside(path) if cursor.path[-1:] == ("flow",) else ()
    around = completing.Surroundings(text, desk.known_context(path, position.line), files)
    found = completing.completions(cursor, around)[:MOST_PROPOSALS]
    return [
        types.CompletionItem(
            label=one.label,
            kind=_COMPLETION_KINDS[one.kind],
            detail=one.detail or None,
            documentation=types.MarkupContent(types.MarkupKind.Markdown, one.text) if one.text else None,
            sort_text=f"{number:05}",
            filter_text=one.label,
            text_edit=types.TextEdit(range=positions.range(one.start, offset), new_text=one.insert),
        )
        for number, one in enumerate(found)
    ]


def hover(desk: Desk, path: Path, position: types.Position, encoding: str) -> types.Hover | None:
    """What there is to say of a position."""
    text = desk.text(path)
    if text is None:
        return None
    analysis = desk.analysis(path)
    positions = Positions(text, encoding)
    is_current = analysis is not None and analysis.text == text
    context = analysis.context if analysis is not None and is_current else None
    found = list(analysis.found) if analysis is not None and is_current else []
    offset = positions.offset(position)
    about = hovering.hover(text, offset, context, found)
    findings = _findings_at(analysis, offset) if analysis is not None and is_current else []
    parts = [about.text] if about is not None else []
    parts += [hovering.code_text(code) for code in dict.fromkeys(one.code for one in findings)]
    if not parts:
        return None
    place = findings[0].place if findings else None
    start, end = (about.start, about.end) if about is not None else (place.start, place.end) if place else (0, 0)
    contents = types.MarkupContent(types.MarkupKind.Markdown, "\n\n---\n\n".join(parts))
    return types.Hover(contents=contents, range=positions.range(start, end))


def _findings_at(analysis: Analysis, offset: int) -> list[Diagnostic]:
    """The findings whose place an offset is in; one at the top of the file is about all of it."""
    name = analysis.checked.name
    return [
        one
        for one in analysis.checked.diagnostics
        if one.place.source.name == name and one.place.start <= offset < one.place.end
    ]


def definition(desk: Desk, path: Path, position: types.Position, encoding: str) -> list[tuple[str, types.Range]]:
    """Where what is named at a position is defined, as file and range."""
    analysis = desk.analysis(path)
    if analysis is None or analysis.context is None:
        return []
    offset = Positions(analysis.text, encoding).offset(position)
    here = occurring.at(list(analysis.found), offset, analysis.checked.name)
    if here is None:
        return _sub_flow(analysis, offset)
    return [
        (one.place.source.name, place_range(one.place, encoding))
        for one in analysis.found
        if one.is_definition and one.symbol == here.symbol
    ]


def _sub_flow(analysis: Analysis, offset: int) -> list[tuple[str, types.Range]]:
    """The file of the flow that is called at an offset."""
    cursor = cursor_at(analysis.text, offset)
    context = analysis.context
    if context is None or cursor.path[-1:] != ("flow",) or len(cursor.path) < 3:
        return []
    hook = str(cursor.path[1]) if cursor.path[0] == "hooks" else ""
    task = tasks_of(context.flow, hook).get(str(cursor.path[-2]))
    child = context.children.get(task.flow) if task is not None and task.flow is not None else None
    if child is None:
        return []
    top = types.Range(types.Position(0, 0), types.Position(0, 0))
    return [(beside("", child.name), top)]


def references(
    desk: Desk, path: Path, position: types.Position, encoding: str, *, with_definition: bool
) -> list[tuple[str, types.Range]]:
    """Every place that names what is named at a position, as file and range."""
    analysis = desk.analysis(path)
    here = _occurrence(analysis, position, encoding)
    if analysis is None or here is None:
        return []
    return [
        (one.place.source.name, place_range(one.place, encoding))
        for one in occurring.of_symbol(list(analysis.found), here.symbol)
        if with_definition or not one.is_definition
    ]


def _occurrence(analysis: Analysis | None, position: types.Position, encoding: str) -> occurring.Occurrence | None:
    if analysis is None:
        return None
    offset = Positions(analysis.text, encoding).offset(position)
    return occurring.at(list(analysis.found), offset, analysis.checked.name)


def renamable(desk: Desk, path: Path, position: types.Position, encoding: str) -> types.Range | None:
    """The range of the name of a task at a position, `None` where there is none."""
    here = _occurrence(desk.analysis(path), position, encoding)
    if here is None or here.symbol.kind != "task":
        return None
    return place_range(occurring.unquoted(here.place), encoding)


def rename(desk: Desk, path: Path, position: types.Position, encoding: str, *, new: str) -> list[types.TextEdit]:
    """The edits that rename the task at a position; raises `CannotRename`."""
    analysis = desk.analysis(path)
    if analysis is None or analysis.context is None:
        raise occurring.CannotRename("the flow has errors in its structure; repair them first")
    here = _occurrence(analysis, position, encoding)
    if here is None:
        raise occurring.CannotRename("there is no task here")
    positions = Positions(analysis.text, encoding)
    edits = occurring.rename(analysis.context, here.symbol, new)
    return [types.TextEdit(positions.range(each.place.start, each.place.end), each.text) for each in edits]


def symbols(desk: Desk, path: Path, encoding: str) -> list[types.DocumentSymbol]:
    """The outline of a file; empty while it is no YAML."""
    text = desk.text(path)
    document = read_document(text.encode("utf-8", "surrogatepass"), path.as_posix()).document if text else None
    if text is None or document is None:
        return []
    positions = Positions(text, encoding)
    return [_symbol(one, positions) for one in outline(document)]


def _symbol(one: Outlined, positions: Positions) -> types.DocumentSymbol:
    return types.DocumentSymbol(
        name=one.name,
        kind=_SYMBOL_KINDS[one.kind],
        detail=one.detail or None,
        range=positions.range(one.whole.start, one.whole.end),
        selection_range=positions.range(one.key.start, one.key.end),
        children=[_symbol(child, positions) for child in one.children],
    )


def code_actions(
    desk: Desk, path: Path, wanted: types.Range, encoding: str
) -> list[tuple[str, types.Diagnostic, list[types.TextEdit]]]:
    """The fixes of findings that touch a range: title, finding, edits."""
    analysis = desk.analysis(path)
    if analysis is None:
        return []
    positions = Positions(analysis.text, encoding)
    start, end = positions.offset(wanted.start), positions.offset(wanted.end)
    name = analysis.checked.name
    return [
        (
            one.fix.title,
            _diagnostic(one, name, positions, encoding),
            [types.TextEdit(positions.range(each.place.start, each.place.end), each.text) for each in one.fix.edits],
        )
        for one in analysis.checked.diagnostics
        if one.fix is not None and one.place.source.name == name and one.place.start <= end and start <= one.place.end
        if all(each.place.source.name == name for each in one.fix.edits)
    ]


def formatting(desk: Desk, path: Path, encoding: str) -> list[types.TextEdit]:
    """The edit that brings a file into its one form; none where it is, or is no YAML."""
    text = desk.text(path)
    if text is None:
        return []
    try:
        found = format_flow(text.encode("utf-8", "surrogatepass"), path.as_posix())
    except FormattingError:
        return []
    if found.text is None or not found.is_changed:
        return []
    return [types.TextEdit(Positions(text, encoding).range(0, len(text)), found.text)]
