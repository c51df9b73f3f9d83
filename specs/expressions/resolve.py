"""Compiled values to JSON, to text for an environment, to arguments of a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specs.expressions.budget import DEFAULT_BUDGET
from specs.expressions.errors import EvaluationError
from specs.expressions.evaluate import evaluate
from specs.expressions.nodes import Template
from specs.expressions.operations import kind_of, to_json, written
from specs.expressions.values import CompiledValue, Fixed, Json, ListValue, MapValue


def resolve(compiled: CompiledValue, names: Mapping[str, object]) -> Json:
    """The value: exactly one `${{ }}` keeps the type of its expression, mixed with text it is written into it.

    Raises:
        EvaluationError: as `evaluate`, and for none, a list or a map inside a text.
    """
    match compiled:
        case Fixed():
            return to_json(compiled.value)
        case Template():
            return evaluate(compiled.single, names) if compiled.single else _written_out(compiled, names)
        case ListValue():
            return [resolve(element, names) for element in compiled.elements]
        case MapValue():
            return {key: resolve(entry, names) for key, entry in compiled.entries}


def resolve_text(compiled: CompiledValue, names: Mapping[str, object]) -> str:
    """The text of a value where only a text can stand, as in `env`; numbers of the file keep their written form.

    Raises:
        EvaluationError: for none, a list or a map.
    """
    if isinstance(compiled, Template):
        return _written_out(compiled, names)
    if isinstance(compiled, Fixed) and compiled.text is not None:
        return compiled.text
    kind = (
        kind_of(compiled.value) if isinstance(compiled, Fixed) else "list" if isinstance(compiled, ListValue) else "map"
    )
    raise EvaluationError(f"a text is needed here, this is a {kind}; write `| tojson`")


def resolve_arguments(sequence: Sequence[CompiledValue], names: Mapping[str, object]) -> list[str]:
    """The arguments of a program: one for each element, and each item of an element that is one expression giving a list.

    Raises:
        EvaluationError: for none, a map or a list inside a list.
    """
    arguments: list[str] = []
    for element in sequence:
        expression = element.single if isinstance(element, Template) else None
        if expression is None:
            arguments.append(resolve_text(element, names))
            continue
        value = evaluate(expression, names)
        arguments.extend(_argument(item) for item in (value if isinstance(value, list) else [value]))
    return arguments


def _argument(value: Json) -> str:
    if isinstance(value, dict | list) or value is None:
        raise EvaluationError(f"an argument is a text, this is a {kind_of(value)}; write `| tojson`")
    return written(value)


def _written_out(template: Template, names: Mapping[str, object]) -> str:
    pieces: list[str] = []
    size = 0
    for part in template.parts:
        piece = part if isinstance(part, str) else written(evaluate(part, names))
        size += len(piece)
        if size > DEFAULT_BUDGET.result_bytes:
            raise EvaluationError(f"the text is larger than {DEFAULT_BUDGET.result_bytes} bytes")
        pieces.append(piece)
    return "".join(pieces)
