"""A forecast for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import groupby

from engine.calendar import zone_of
from engine.drawing.captions import TIMES
from engine.drawing.labels import ascii_only, clean, columns, duration, trim
from engine.forecast.model import CriticalPath, Forecast, ParameterForecast, Setting, StartForecast, TaskForecast
from specs.quantities import format_duration

DETAILED_TASKS = 200
NAMES_SHOWN = 8
NOT_RUN_SHOWN = 30
CHAIN_SHOWN = 24
WAVES_SHOWN = 60
NARROWEST = 40

_NEEDS = {
    "after": "after",
    "after_start": "after start of",
    "after_end": "after end of",
    "after_failure": "after failure of",
}


def to_text(forecast: Forecast, *, width: int = 100, unicode: bool = True) -> str:
    """The forecast as lines of at most `width` columns (40 at least), each ended by a line break."""
    width = max(width, NARROWEST)
    lines: list[str] = [_title(forecast)]
    lines += _section("parameters", (_parameter(parameter) for parameter in forecast.parameters))
    lines += _section("started by", (line for start in forecast.starts for line in _start(start, width)))
    lines += _tasks(forecast, width)
    lines += _section("will not run", _not_run(forecast))
    lines += _critical(forecast.critical, width)
    return "".join(f"{_written(line, width, unicode=unicode)}\n" for line in lines)


def _written(line: str, width: int, *, unicode: bool) -> str:
    return trim(line, width) if unicode else ascii_only(trim(ascii_only(line), width))


def _title(forecast: Forecast) -> str:
    count, waves = sum(map(len, forecast.waves)), len(forecast.waves)
    tasks = f"{count:,} task{'s' if count != 1 else ''} in {waves:,} wave{'s' if waves != 1 else ''}"
    return f"{clean(forecast.flow, 60)}: {tasks}, digest {forecast.digest[:12]}"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    """A title and its lines, indented; nothing at all when there are no lines."""
    body = [f"  {line}" for line in lines]
    return ["", title, *body] if body else []


def _parameter(parameter: ParameterForecast) -> str:
    if parameter.source == "missing":
        return f"{parameter.name}  required, not given ({parameter.type})"
    value = "***" if parameter.sensitive else json.dumps(parameter.value, ensure_ascii=False, default=str)
    return f"{parameter.name}  {clean(value, 80)}" + (" (default)" if parameter.source == "default" else "")


def _start(start: StartForecast, width: int) -> Iterator[str]:
    zone = f" {start.timezone}" if start.timezone else ""
    problem = f": {start.problem}" if start.problem else ""
    yield f"{clean(start.name, 40)}  {start.kind} {clean(start.text, 60)}{zone}{problem}"
    if start.fires:
        local = zone_of(start.timezone)
        times = [at.astimezone(local).strftime("%a %Y-%m-%d %H:%M%z") for at in start.fires]
        yield from _wrapped("next: ", times, width - 6)


# --- tasks ------------------------------------------------------------------------------------------------------------


def _tasks(forecast: Forecast, width: int) -> list[str]:
    own = [task for task in forecast.tasks if task.wave is not None]
    if len(own) > DETAILED_TASKS:
        return _summed_up(forecast)
    known = {task.id: task for task in own}
    lines: list[str] = []
    for number, wave in enumerate(forecast.waves, start=1):
        lines += _section(f"wave {number}", (line for id_ in wave for line in _task(known[id_], width)))
    beside = [task for task in forecast.tasks if task.wave is None]
    return lines + _section("beside the waves", (line for task in beside for line in _task(task, width)))


def _task(task: TaskForecast, width: int) -> Iterator[str]:
    size = f" {TIMES}{task.size}" if task.size else ""
    took = f" (took {duration(task.duration_s)})" if task.duration_s is not None else ""
    yield f"{clean(task.id, 80)}{size}  {task.kind}: {task.summary}{took}"
    room = width - 6
    if task.not_run:
        yield f"    will not run: {clean(task.not_run, 120)}"
    yield from _wrapped("", _needs(task), room)
    yield from (f"    {clean(condition, 160)}" for condition in task.conditions)
    for place, group in groupby(task.inputs, key=lambda given: given.place):
        entries = [f"{clean(given.name, 60)}={given.value}" if given.name else given.value for given in group]
        yield from _wrapped(f"{place}: ", entries, room)
    told = [_setting(one) for one in task.settings if one.source != "default"]
    yield from _wrapped("set: ", told, room)
    usual = [_setting(one) for one in task.settings if one.source == "default"]
    yield from _wrapped("defaults: ", usual, room)


def _setting(setting: Setting) -> str:
    told = setting.value if setting.name == "retry" else f"{setting.name} {setting.value}"
    return f"{told} (from a descendant)" if setting.source == "descendants" else told


def _needs(task: TaskForecast) -> list[str]:
    texts = []
    told = [need for need in task.needs if need.kind != "arm"]  # a condition says which arm it is
    for kind, group in groupby(told, key=lambda need: need.kind):
        names = []
        for need in group:
            limit = f" (within {_limit(need.timeout_s)}, else {need.on_timeout})" if need.timeout_s is not None else ""
            names.append(clean(need.upstream, 80) + limit)
        texts.append(f"{_NEEDS.get(kind, kind)} {', '.join(names)}")
    return texts


def _limit(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds))


def _wrapped(title: str, parts: list[str], room: int) -> Iterator[str]:
    """The parts joined by `; `, on as many lines as they need, under the title."""
    line = title
    for index, part in enumerate(parts):
        piece = part + ("; " if index < len(parts) - 1 else "")
        if line.strip() and line != title and columns(line) + columns(piece.rstrip()) > room:
            yield "    " + line.rstrip()
            line = " " * columns(title)
        line += piece
    if line.strip() and parts:
        yield "    " + line.rstrip()


def _summed_up(forecast: Forecast) -> list[str]:
    numbered = [(f"wave {number}", wave) for number, wave in enumerate(forecast.waves, start=1)]
    shown = numbered if len(numbered) <= WAVES_SHOWN else numbered[: WAVES_SHOWN - 10]
    lines = ["", *(_wave(name, wave) for name, wave in shown)]
    if len(shown) < len(numbered):
        hidden = numbered[len(shown) : -10]
        lines.append(f"… {len(hidden):,} waves with {sum(len(wave) for _, wave in hidden):,} tasks")
        lines += [_wave(name, wave) for name, wave in numbered[-10:]]
    return [*lines, "each task with its settings: `-o json`"]


def _wave(name: str, wave: tuple[str, ...]) -> str:
    names = ", ".join(clean(id_, 40) for id_ in wave[:NAMES_SHOWN])
    return (
        f"{name}: {len(wave):,} task{'s' if len(wave) != 1 else ''}: {names}{', …' if len(wave) > NAMES_SHOWN else ''}"
    )


def _not_run(forecast: Forecast) -> Iterator[str]:
    ruled_out = [task for task in forecast.tasks if task.not_run]
    for task in ruled_out[:NOT_RUN_SHOWN]:
        yield f"{clean(task.id, 60)}  {clean(task.not_run or '', 120)}"
    if len(ruled_out) > NOT_RUN_SHOWN:
        yield f"… and {len(ruled_out) - NOT_RUN_SHOWN:,} more"


def _critical(path: CriticalPath, width: int) -> list[str]:
    if not path.tasks:
        return []
    unknown = set(path.unknown)
    names = [
        clean(id_, 40) + (" (time unknown)" if id_ in unknown and path.duration_s is not None else "")
        for id_ in path.tasks
    ]
    if len(names) > CHAIN_SHOWN:
        half = CHAIN_SHOWN // 2
        names = [*names[:half], f"… {len(names) - 2 * half:,} tasks …", *names[-half:]]
    if path.duration_s is None:
        told = f"{len(path.tasks):,} task{'s' if len(path.tasks) != 1 else ''}, times unknown"
    else:
        told = f"{'at least ' if unknown else ''}{duration(path.duration_s)}"
    return ["", f"longest way: {told}", *_arrows(names, width)]


def _arrows(names: list[str], width: int) -> Iterator[str]:
    line = "  "
    for index, name in enumerate(names):
        piece = name if index == 0 else f" → {name}"
        if line.strip() and columns(line) + columns(piece) > width:
            yield line
            line = "   "
        line += piece
    yield line
