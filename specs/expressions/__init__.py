"""Expressions of the language: Jinja2's grammar, a tree of our own, a total evaluator (`LANGUAGE.md` 13).

Importing this package does not load Jinja2; reading the first expression that is more than a path does.
"""

from specs.expressions.budget import Budget
from specs.expressions.errors import EvaluationError, ExpressionError
from specs.expressions.evaluate import evaluate, evaluate_condition
from specs.expressions.nodes import Expression, Template
from specs.expressions.parse import parse
from specs.expressions.references import Reference, references
from specs.expressions.resolve import resolve, resolve_arguments, resolve_text
from specs.expressions.templates import compile_value, contains_template, parse_template
from specs.expressions.values import CompiledValue, Fixed, Json, ListValue, MapValue

__all__ = [
    "Budget",
    "CompiledValue",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "Fixed",
    "Json",
    "ListValue",
    "MapValue",
    "Reference",
    "Template",
    "compile_value",
    "contains_template",
    "evaluate",
    "evaluate_condition",
    "parse",
    "parse_template",
    "references",
    "resolve",
    "resolve_arguments",
    "resolve_text",
]
