"""Settings of the program: flags, then the environment, then the project's file, then the user's, then defaults.

The project's file is the nearest `flowctl.yaml` upward, the user's is `config.yaml` in the configuration folder. Both
hold the keys of `KEYS`; relative paths in them start from their own folder. No settings library: its import alone costs
more than a `validate`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from engine.operations.retention import Retention
from engine.store.address import ServerAddress, StoreAddress
from flowctl.places import Folders, user_folders
from flowctl.problems import UsageProblem
from flowctl.reading import SPEC_BYTES, Unreadable, read_regular, shown_path
from flowctl.setting_keys import KEYS
from flowctl.setting_values import Wrong
from flowctl.terminal.colour import ColourChoice
from specs.diagnostics import Diagnostic, in_source_order
from specs.policy import AS_WRITTEN, Policy
from specs.suggest import did_you_mean, listed

if TYPE_CHECKING:
    from specs.source import Document

PROJECT_FILE = "flowctl.yaml"
USER_FILE = "config.yaml"
LARGEST = 1 << 20
SECRET_BYTES = 1 << 16


class FileLimits(Struct, frozen=True):
    """What one file of a flow may cost to read (`LANGUAGE.md` 15)."""

    file_bytes: int = SPEC_BYTES
    nodes: int = 1_000_000
    depth: int = 40


class Database(Struct, frozen=True):
    """How a store in a database is used.

    Attributes:
        schema: of its tables; `None` for the one that the server takes first.
        prefix: what the names of its tables begin with.
        patience: how long a run waits for a server that is away.
    """

    schema: str | None = None
    prefix: str = ""
    patience: timedelta = timedelta(minutes=10)


class Recovery(Struct, frozen=True):
    """How engines hold their runs, and what becomes of those of an engine that is gone.

    Attributes:
        beat: how often an engine renews its lease, and looks for runs that nobody drives any more.
        lease: how long it holds what it drives without being heard of.
        take_over: an engine takes over such runs by itself; otherwise only `flowctl resume` does.
    """

    beat: timedelta = timedelta(seconds=5)
    lease: timedelta = timedelta(seconds=15)
    take_over: bool = True


class Settings(Struct, frozen=True):
    """Everything that is set, as it holds.

    Attributes:
        store: the SQLite file, whose folder may not exist yet, or the address of a database.
        slots: how many attempts the engine makes at a time.
        recovery: how engines hold their runs, and what becomes of those of an engine that is gone.
        cache: whether compiled plans are kept and taken again.
        env_files: files of variables to read before a run, each of which must exist.
        connectors: connector types of the project: name -> `package.module:Class`.
        retention: how long what has ended stays, where `gc` is not told otherwise.
        checks: what findings weigh here, which are accepted, and which are asked for.
        project: folder of the project's file, `None` without one.
        folders: where files of the user live.
        origins: for each key that is not at its default, where its value comes from.
    """

    store: StoreAddress
    folders: Folders
    slots: int = 64
    cache: bool = True
    recovery: Recovery = Recovery()
    env_files: tuple[Path, ...] = ()
    connectors: Mapping[str, str] = field(default_factory=dict)
    color: ColourChoice = ColourChoice.AUTO
    limits: FileLimits = FileLimits()
    db: Database = Database()
    retention: Retention = Retention()
    checks: Policy = AS_WRITTEN
    project: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict)


class BadSettings(UsageProblem):
    """A settings file, a variable or a flag is wrong; `diagnostics` has what is wrong in files."""

    code = "bad_settings"

    def __init__(self, message: str, *, hint: str | None = None, diagnostics: tuple[Diagnostic, ...] = ()) -> None:
        first = diagnostics[0].place if diagnostics else None
        line, column = first.source.position(first.start) if first else (None, None)
        super().__init__(message, hint=hint, file=first.source.name if first else None, line=line, column=column)
        self.diagnostics = diagnostics


def environment() -> Mapping[str, str]:
    """The environment the program was started with; nothing else asks the system for it."""
    return os.environ


def load_settings(
    *,
    folder: Path,
    environ: Mapping[str, str],
    flags: Mapping[str, str],
    config: Path | None = None,
    named: Path | None = None,
) -> Settings:
    """The settings for somebody who stands in `folder`. Raises `BadSettings`.

    `flags` has texts by key, like variables do. `config` is read instead of the nearest `flowctl.yaml`, and must exist.
    Who stands in no project works in that of `named`, the flow or folder named first.
    """
    folders = user_folders(environ)
    given = config or (Path(environ["FLOWCTL_CONFIG"]) if environ.get("FLOWCTL_CONFIG") else None)
    project_file = folder / given if given else find_upward(folder, PROJECT_FILE)
    if project_file is None and named is not None:
        project_file = find_upward(Path(os.path.normpath(folder / named)), PROJECT_FILE)
    found: dict[str, Any] = {}
    origins: dict[str, str] = {}
    diagnostics: list[Diagnostic] = []
    for path, must_exist in ((folders.config / USER_FILE, False), (project_file, True)):
        if path is not None and (must_exist or path.exists()):
            values = _read_file(path, diagnostics)
            found.update(values)
            origins.update(dict.fromkeys(values, shown_path(path)))
    if diagnostics:
        names = ", ".join(dict.fromkeys(f"`{d.place.source.name}`" for d in diagnostics))
        raise BadSettings(f"the settings in {names} are not valid", diagnostics=tuple(in_source_order(diagnostics)))
    for key, origin, text in (*_from_environment(environ), *((key, f"--{key}", text) for key, text in flags.items())):
        found[key], origins[key] = _from_text(key, text, origin=origin, folder=folder), origin
    return _settings(found, origins, folders=folders, project=project_file.parent if project_file else None)


def find_upward(folder: Path, name: str) -> Path | None:
    """The nearest `name` in `folder` or above it."""
    for candidate in (folder, *folder.parents):
        if os.path.lexists(candidate / name):
            return candidate / name
    return None


def _settings(
    found: Mapping[str, Any], origins: Mapping[str, str], *, folders: Folders, project: Path | None
) -> Settings:
    flat = {key: value for key, value in found.items() if "." not in key}
    limits, checks, db, recovery, retention = (
        {KEYS[key].name: value for key, value in found.items() if key.startswith(group)}
        for group in ("limits.", "checks.", "db.", "recovery.", "retention.")
    )
    database = Database(**db)
    store = flat.setdefault("store", folders.data / "flowctl.db")
    if isinstance(store, ServerAddress):
        flat["store"] = replace(store, schema=database.schema, prefix=database.prefix)
    return Settings(
        folders=folders,
        project=project,
        limits=FileLimits(**limits),
        db=database,
        checks=Policy(**checks),
        recovery=_recovery(recovery),
        retention=Retention(**retention),
        origins=origins,
        **flat,
    )


def _recovery(found: Mapping[str, Any]) -> Recovery:
    recovery = Recovery(**found)
    if recovery.lease < 2 * recovery.beat:
        raise BadSettings(
            "`recovery.lease` is shorter than two beats, so that one late beat would lose every run",
            hint="make it at least twice `recovery.beat`; three times is usual",
        )
    return recovery


# --- variables and flags -----------------------------------------------------------------------------------------


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for key, spec in KEYS.items():
        text = environ.get(spec.variable, "") if spec.variable else ""
        file = environ.get(f"{spec.variable}_FILE", "") if spec.is_secret else ""
        if text and file:
            raise BadSettings(f"`{spec.variable}` and `{spec.variable}_FILE` exclude each other")
        if text:
            yield key, spec.variable, text
        elif file:
            yield key, f"{spec.variable}_FILE", _secret_in(Path(file))


def _secret_in(path: Path) -> str:
    try:
        return read_regular(path, most=SECRET_BYTES, follow=True).decode().strip()
    except (Unreadable, UnicodeDecodeError) as error:
        raise BadSettings(f"cannot read `{shown_path(path)}`: {error}") from error


def _from_text(key: str, text: str, *, origin: str, folder: Path) -> Any:
    spec = KEYS[key]
    try:
        return spec.read(spec.parse(text), folder)
    except Wrong as wrong:
        raise BadSettings(f"`{origin}`: {wrong}", hint=wrong.help) from wrong


# --- files -------------------------------------------------------------------------------------------------------


def _read_file(path: Path, diagnostics: list[Diagnostic]) -> dict[str, Any]:
    """The values of a settings file by key; what is wrong with it goes to `diagnostics`."""
    try:
        data = read_regular(path, most=LARGEST, follow=True)
    except Unreadable as error:
        raise BadSettings(f"cannot read the settings in `{shown_path(path)}`: {error}") from error
    if _says_nothing(data):
        return {}  # an empty file marks the root of a project
    from specs.source import read_document

    reading = read_document(data, shown_path(path))
    diagnostics.extend(reading.diagnostics)
    if reading.document is None:
        return {}
    values: dict[str, Any] = {}
    for keys, value in _flat(reading.document.data):
        name = ".".join(keys)
        if name not in KEYS:
            diagnostics.append(_unknown(keys, reading.document))
            continue
        try:
            values[name] = KEYS[name].read(value, path.absolute().parent)
        except Wrong as wrong:
            for one in (wrong, *wrong.also):
                place = reading.document.place((*keys, *one.path), key=one.at_key)
                diagnostics.append(Diagnostic(one.code, place, str(one), help=one.help, path=(*keys, *one.path)))
    return values


def _unknown(keys: tuple[str, ...], document: Document) -> Diagnostic:
    if _known(keys):
        message, help_ = f"expected a map for `{keys[-1]}`", f"known in it: {listed(_known(keys))}"
        return Diagnostic("FLOW112", document.place(keys), message, help=help_, path=keys)
    help_line = did_you_mean(keys[-1], _known(keys[:-1]))
    return Diagnostic("FLOW110", document.place(keys, key=True), f"unknown key `{keys[-1]}`", help=help_line, path=keys)


def _says_nothing(data: bytes) -> bool:
    return all(not line.strip() or line.lstrip().startswith(b"#") for line in data.splitlines())


def _flat(data: Mapping[Any, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Keys and values, those of a group (`limits`) one by one."""
    groups = {key.partition(".")[0] for key in KEYS if "." in key}
    for key, value in data.items():
        if key in groups and isinstance(value, dict):
            yield from (((str(key), str(inner)), item) for inner, item in value.items())
        else:
            yield (str(key),), value


def _known(parents: tuple[str, ...]) -> list[str]:
    prefix = "".join(f"{parent}." for parent in parents)
    inside = (key.removeprefix(prefix).partition(".")[0] for key in KEYS if key.startswith(prefix))
    return list(dict.fromkeys(inside))
