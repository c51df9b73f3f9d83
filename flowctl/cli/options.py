"""Arguments and options that several commands have, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

FlowArgument: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="FLOW", help="Path of the flow, its name, or - for stdin.")
]
FileOption: TypeAlias = Annotated[
    str | None, typer.Option("-f", "--file", metavar="FLOW", help="The same as the argument.")
]
ParamOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("-p", "--param", metavar="NAME=VALUE", help="A parameter; may be repeated.")
]
ParamsFileOption: TypeAlias = Annotated[
    Path | None, typer.Option("--params-file", metavar="FILE", help="Parameters in YAML or JSON.")
]
EnvOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="A variable for the tasks; may be repeated.")
]
EnvFileOption: TypeAlias = Annotated[
    list[Path] | None, typer.Option("--env-file", metavar="FILE", help="Variables in a .env file; may be repeated.")
]
RunArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id, an end or start of it, or `latest`.")
]
