"""The command line: `python -m bench [run|growth|setup|profile|page|list]`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from bench.compare import Comparison, Options, Status, compare
from bench.contender import ROOT, Contender, Kind
from bench.contenders import CONTENDERS
from bench.growth import Grown, grow
from bench.growth_report import as_json as growth_json
from bench.growth_report import table as growth_table
from bench.machine import load
from bench.peers import INSTALLABLE, install, reasons_known
from bench.report import as_json, heading, table, versions_of
from bench.series import SERIES
from bench.shapes import SHAPES, Shape

RESULTS = ROOT / "bench" / "results" / "latest.json"
GROWTH = ROOT / "bench" / "results" / "growth.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments ask for; return the exit code.

    1 if flowctl or a floor failed, or a peer could not be installed; 2 for wrong arguments; else 0.
    """
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what is being measured is ended, too
    try:
        return _do(arguments)
    except KeyboardInterrupt:
        tell("broken off")
        return 130


def _do(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "setup":
            wanted = [INSTALLABLE[name] for name in arguments.peer or INSTALLABLE]
            return 0 if install(wanted, tell) else 1
        case "profile":
            from bench.profile import profile

            return profile(arguments.count, tell=print)
        case "growth":
            return _grow(arguments)
        case "list":
            return _list()
        case "page":
            from bench.markdown import page

            print("\n".join(page(arguments.file)))
            return 0
        case _:
            return _run(arguments)


def tell(text: str) -> None:
    """Say what is going on, beside the data."""
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure flowctl beside floors and peers.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure, print a table, write JSON")
    run.add_argument("shape", nargs="*", type=_one_of([shape.name for shape in SHAPES]), help="only these shapes")
    run.add_argument(
        "--only",
        action="append",
        type=_one_of([one.name for one in CONTENDERS]),
        metavar="CONTENDER",
        help="only this contender and flowctl; may be repeated",
    )
    run.add_argument("--floors", action="store_true", help="only flowctl and the floors, and who `--only` names")
    run.add_argument("--quick", action="store_true", help="small sizes: to see that everything works")
    run.add_argument("--rounds", type=int, default=3, help="runs of each contender, 3 if not told")
    run.add_argument(
        "--limit", type=float, default=60.0, metavar="SECONDS", help="cut slow contenders off, 60 if not told"
    )
    run.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="where the results go")
    growth = commands.add_parser("growth", help="measure how flowctl's own cost grows with size")
    growth.add_argument("series", nargs="*", type=_one_of([one.name for one in SERIES]), help="only these series")
    growth.add_argument("--most", type=int, metavar="SIZE", help="leave larger sizes out")
    growth.add_argument("--rounds", type=int, default=3, help="runs of each size, 3 if not told")
    growth.add_argument("--limit", type=float, default=120.0, metavar="SECONDS", help="longest run, 120 if not told")
    growth.add_argument("--json", type=Path, default=GROWTH, metavar="FILE", help="where the results go")
    setup = commands.add_parser("setup", help="install peers under bench/.peers")
    setup.add_argument("peer", nargs="*", type=_one_of(INSTALLABLE), help="only these")
    profiled = commands.add_parser("profile", help="show where flowctl's own time goes")
    profiled.add_argument("--count", type=int, default=1_000, help="tasks of the run that is taken apart")
    paged = commands.add_parser("page", help="print results as tables in Markdown")
    paged.add_argument("file", nargs="*", type=Path, default=[RESULTS], help="results, the latest if not told")
    commands.add_parser("list", help="name the shapes and the contenders")
    return parser


def _one_of(names: Iterable[str]) -> Callable[[str], str]:
    """For `argparse`, whose `choices` refuse an empty list of arguments."""
    known = list(names)

    def read(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f"`{text}` is not known; one of {', '.join(known)}")
        return text

    return read


def _list() -> int:
    for shape in SHAPES:
        print(f"{shape.name:<16} {shape.title}{'' if shape.usual else ' (only when named)'}")
    print()
    for one in CONTENDERS:
        print(f"{one.name:<16} {one.kind.value}, {one.version() or 'not installed'}")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    options = Options(max(1, arguments.rounds), arguments.limit, quick=arguments.quick)
    shapes = [shape for shape in SHAPES if (shape.name in arguments.shape if arguments.shape else shape.usual)]
    chosen = [one for one in CONTENDERS if _is_chosen(one, arguments)]
    versions, missing = versions_of(chosen, reasons_known())
    before = load()
    for name, reason in missing.items():
        tell(f"{name} is missing: {reason}")
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    comparisons: list[Comparison] = []
    for comparison in _measure(shapes, [one for one in chosen if one.name in versions], options):
        comparisons.append(comparison)
        loads = {"before": before, "after": load()}
        found = as_json(comparisons, options, versions=versions, missing=missing, load=loads)
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    tell(f"results are in {arguments.json}")
    ended = [result for one in comparisons for result in one.results if result.status is Status.FAILED]
    return 1 if any(result.contender.kind is not Kind.PEER for result in ended) else 0


def _grow(arguments: argparse.Namespace) -> int:
    options = Options(max(1, arguments.rounds), arguments.limit)
    chosen = [one for one in SERIES if not arguments.series or one.name in arguments.series]
    before = load()
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    grown: list[Grown] = []
    with tempfile.TemporaryDirectory(prefix="flowctl-bench-") as folder:
        for one in grow(chosen, options, Path(folder), most=arguments.most, tell=tell):
            print("\n".join(["", *growth_table(one)]), flush=True)
            grown.append(one)
            found = growth_json(grown, options, load={"before": before, "after": load()})
            arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    tell(f"results are in {arguments.json}")
    points = [point for one in grown for growth in one.growths for point in growth.points]
    return 1 if any(point.status is Status.FAILED for point in points) else 0


def _is_chosen(one: Contender, arguments: argparse.Namespace) -> bool:
    if one.kind is Kind.OURSELVES:
        return True
    if one.kind is Kind.FLOOR:
        return arguments.floors or not arguments.only
    return one.name in arguments.only if arguments.only else not arguments.floors


def _measure(shapes: list[Shape], contenders: list[Contender], options: Options) -> Iterator[Comparison]:
    """Compare and print; what has been measured is there even if the rest is broken off."""
    with tempfile.TemporaryDirectory(prefix="flowctl-bench-") as folder:
        print(heading())
        for comparison in compare(shapes, contenders, options, Path(folder), tell=tell):
            print("\n".join(["", *table(comparison)]), flush=True)
            yield comparison


if __name__ == "__main__":
    sys.exit(main())
