"""How each state looks, in every drawing and on every page: colours, and a sign for those who cannot tell them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from engine.states import TaskState


class Look(Struct, frozen=True):
    """Colours as `#rrggbb`; `sign` and `ascii_sign` are one column wide and different for each state.

    `line` is the style of a border (`solid`, `dashed`, `dotted`), `sgr` the parameters of a terminal's colour sequence.
    """

    fill: str
    border: str
    text: str
    sign: str
    ascii_sign: str
    sgr: str
    line: str = "solid"


S = TaskState
LOOKS: Mapping[TaskState, Look] = {
    S.PENDING: Look("#f6f8fa", "#8c959f", "#424a53", "○", ".", "2"),
    S.QUEUED: Look("#e8eafd", "#6366f1", "#312e81", "◔", "q", "36"),
    S.RUNNING: Look("#dbeafe", "#1d4ed8", "#1e3a8a", "▶", ">", "34"),
    S.RETRYING: Look("#fef3c7", "#b45309", "#713f12", "↻", "r", "33"),
    S.WAITING: Look("#f3e8ff", "#7e22ce", "#581c87", "◷", "w", "35"),
    S.COMPLETING: Look("#cffafe", "#0e7490", "#164e63", "◕", "c", "36"),
    S.SUCCEEDED: Look("#dcfce7", "#15803d", "#14532d", "✓", "+", "32"),
    S.FAILED: Look("#fee2e2", "#b91c1c", "#7f1d1d", "✗", "x", "1;31"),
    S.SKIPPED: Look("#fafafa", "#9ca3af", "#57606a", "\u2013", "-", "2", line="dashed"),
    S.BLOCKED: Look("#ffedd5", "#c2410c", "#7c2d12", "⊘", "!", "31", line="dashed"),
    S.CANCELLED: Look("#e5e7eb", "#4b5563", "#1f2937", "■", "#", "2;31", line="dotted"),
}

PLAIN = Look("#eef3fa", "#5b7594", "#1f2937", "•", "*", "0")
"""A task of a plan that has not run."""

PAPER = "#ffffff"
INK = "#1f2937"
FAINT = "#57606a"
LINE = "#64748b"
DANGER = "#b91c1c"
FRAME = "#cbd5e1"
