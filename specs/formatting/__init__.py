"""The one form of a flow's text: same values, same comments, one way to lay them out."""

from specs.formatting.formatter import Formatted, FormattingError, format_flow

__all__ = ["Formatted", "FormattingError", "format_flow"]
