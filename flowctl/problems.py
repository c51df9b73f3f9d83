"""What can be wrong with what the user asked for, apart from a flow itself: the faces' own branch of `FlowctlError`.

FlowctlError
└── UsageProblem             what was asked for cannot be done as asked
    ├── HomeUnknown          no folder of the user's is known (`places`)
    ├── BadSettings          a settings file or variable is wrong; carries diagnostics (`settings`)
    └── BadEnvironmentFile   a `.env` file is missing or wrong (`cli.dotenv`)
"""

from __future__ import annotations

from engine.errors import FlowctlError


class UsageProblem(FlowctlError):
    """What was asked for on the command line, or a file or setting it leads to, cannot be used.

    `file`, `line` and `column` (from 1) tell where, as far as it is known.
    """

    code = "usage"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.line = line
        self.column = column
