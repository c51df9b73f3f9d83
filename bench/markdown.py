"""Tables for a page of documentation, from one or more files of results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.growth_report import page as growth_page

MEGA = 1e6


def page(paths: Sequence[Path]) -> Iterator[str]:
    """The lines of a table for each shape of each file, below what they were measured with."""
    for path in paths:
        found = json.loads(path.read_text(encoding="utf-8"))
        yield from ("", _measured_with(found), "")
        if "series" in found:
            yield from growth_page(found)
            continue
        yield "| work | contender | wall | x flowctl | CPU | peak | |"
        yield "| --- | --- | ---: | ---: | ---: | ---: | --- |"
        for shape in found["shapes"]:
            title = f"{shape['title']}{_budget(shape)}"
            for result in sorted(shape["results"], key=lambda one: one["wall_s"] or float("inf")):
                yield f"| {title} | {' | '.join(_cells(result))} |"
                title = ""


def _measured_with(found: dict[str, Any]) -> str:
    machine, options, load = found["machine"], found["options"], found["load"]
    facts = (
        found["measured_at"][:10],
        f"commit `{found['commit']}`" + (" with changes" if found["changed"] else ""),
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / 1e9:.0f} GB",
        machine["system"],
        f"Python {machine['python']}, SQLite {machine['sqlite']}",
        f"medians of {options['rounds']}, limit {options['limit_s']:g} s",
        f"load average {load['before'][0]} before and {load['after'][0]} after",
    )
    return "; ".join(facts) + "."


def _budget(shape: dict[str, Any]) -> str:
    asked = [
        f"{shape['budget_s']:g} s" if shape["budget_s"] else "",
        f"{shape['budget_mb']:g} MB" if shape["budget_mb"] else "",
    ]
    named = ", ".join(filter(None, asked))
    return f" (budget {named})" if named else ""


def _cells(result: dict[str, Any]) -> tuple[str, ...]:
    name = f"**{result['contender']}**" if result["kind"] == "ourselves" else result["contender"]
    if result["wall_s"] is None:
        told = result["note"].strip().rpartition("\n")[2][:80].replace("|", "\\|")
        return name, "", "", "", "", told
    ratio = f"{result['ratio']:.2f}" if result["ratio"] else ""
    peak = f"{result['peak_rss_bytes'] / MEGA:.0f} MB"
    return name, f"{result['wall_s']:.2f} s", ratio, f"{result['cpu_s']:.2f} s", peak, result["note"]
