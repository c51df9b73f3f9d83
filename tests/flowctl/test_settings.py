"""Settings: flag, environment, project file, user file, default, in this order."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from engine.store.address import ServerAddress
from flowctl.settings import BadSettings, FileLimits, Settings, load_settings
from flowctl.terminal.colour import ColourChoice


def load(folder: Path, *, config: Path | None = None, flags: dict[str, str] | None = None, **environ: str) -> Settings:
    home = folder / "home"
    return load_settings(
        folder=folder, environ={"FLOWCTL_HOME": str(home), **environ}, flags=flags or {}, config=config
    )


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_defaults_need_no_file(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.store == tmp_path / "home" / "data" / "flowctl.db"
    assert settings.slots == 64
    assert settings.color is ColourChoice.AUTO
    assert settings.limits == FileLimits(file_bytes=8 << 20, nodes=1_000_000, depth=40)
    assert settings.project is None


def test_each_source_wins_over_the_next(tmp_path: Path) -> None:
    write(tmp_path / "home" / "config" / "config.yaml", "slots: 1\ncolor: never\n")
    assert load(tmp_path).slots == 1
    write(tmp_path / "flowctl.yaml", "slots: 2\n")
    assert (load(tmp_path).slots, load(tmp_path).color) == (2, ColourChoice.NEVER)
    assert load(tmp_path, FLOWCTL_SLOTS="3").slots == 3
    assert load(tmp_path, FLOWCTL_SLOTS="3", flags={"slots": "4"}).slots == 4


def test_it_is_told_where_a_value_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "flowctl.yaml", "slots: 2\nlimits: {depth: 50}\n")
    settings = load(tmp_path, FLOWCTL_COLOR="never")
    assert settings.origins == {"slots": "flowctl.yaml", "limits.depth": "flowctl.yaml", "color": "FLOWCTL_COLOR"}


def test_the_project_file_is_the_nearest_upward(tmp_path: Path) -> None:
    write(tmp_path / "flowctl.yaml", "slots: 2\n")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert (load(inner).slots, load(inner).project) == (2, tmp_path)
    write(tmp_path / "a" / "flowctl.yaml", "slots: 3\n")
    assert (load(inner).slots, load(inner).project) == (3, tmp_path / "a")


def test_paths_are_relative_to_the_file_that_holds_them(tmp_path: Path) -> None:
    write(tmp_path / "flowctl.yaml", "store: state/flow.db\nenv_files: [.env, ../shared.env]\n")
    inner = tmp_path / "flows"
    inner.mkdir()
    settings = load(inner)
    assert settings.store == tmp_path / "state" / "flow.db"
    assert settings.env_files == (tmp_path / ".env", tmp_path.parent / "shared.env")


def test_a_path_in_a_variable_is_relative_to_the_current_folder(tmp_path: Path) -> None:
    write(tmp_path / "flowctl.yaml", "store: state/flow.db\n")
    inner = tmp_path / "flows"
    inner.mkdir()
    assert load(inner, FLOWCTL_DB_URL="here.db").store == inner / "here.db"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sqlite:///here.db", "here.db"),
        ("sqlite:////var/lib/flow.db", "/var/lib/flow.db"),
        ("/tmp/a b.db", "/tmp/a b.db"),
    ],
)
def test_a_store_is_a_path_or_an_sqlite_url(tmp_path: Path, text: str, expected: str) -> None:
    assert load(tmp_path, FLOWCTL_DB_URL=text).store == tmp_path / expected


@pytest.mark.parametrize("text", ["sqlite:///:memory:", "sqlite://x.db", "sqlite:///"])
def test_other_stores_are_refused_with_the_form_to_write(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSettings) as caught:
        load(tmp_path, FLOWCTL_DB_URL=text)
    assert "`FLOWCTL_DB_URL`" in str(caught.value)
    assert "sqlite:///" in (caught.value.hint or "")


def test_an_unknown_key_is_an_error_with_its_place_and_the_nearest_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "flowctl.yaml", "slots: 2\nstroe: x.db\nlimits:\n  deph: 3\n")
    with pytest.raises(BadSettings) as caught:
        load(tmp_path)
    found = caught.value.diagnostics
    assert [(d.code, d.place.source.position(d.place.start), d.help) for d in found] == [
        ("FLOW110", (2, 1), "did you mean `store`?"),
        ("FLOW110", (4, 3), "did you mean `depth`?"),
    ]
    assert (caught.value.file, caught.value.line, caught.value.column) == ("flowctl.yaml", 2, 1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("slots: many", "FLOW112"),
        ("slots: true", "FLOW112"),
        ("slots: 0", "FLOW119"),
        ("color: pink", "FLOW113"),
        ("env_files: .env", "FLOW112"),
        ("env_files: [1]", "FLOW112"),
        ("connectors: {s3: boto}", "FLOW112"),
        ("connectors: [s3]", "FLOW112"),
        ("limits: {file: 5}", "FLOW112"),
        ("limits: {file: 5 apples}", "FLOW118"),
        ("limits: {file: 1GB}", "FLOW119"),
        ("limits: 5", "FLOW112"),
        ("store: [a]", "FLOW112"),
        ("a: b: c", "FLOW101"),
        ("slots: 1\nslots: 2", "FLOW103"),
        ("- slots", "FLOW112"),
    ],
)
def test_whatever_is_wrong_in_the_file_is_a_finding(tmp_path: Path, text: str, code: str) -> None:
    write(tmp_path / "flowctl.yaml", text)
    with pytest.raises(BadSettings) as caught:
        load(tmp_path)
    assert code in [finding.code for finding in caught.value.diagnostics]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_an_empty_file_only_marks_the_root(tmp_path: Path, text: str) -> None:
    write(tmp_path / "flowctl.yaml", text)
    settings = load(tmp_path)
    assert settings.project == tmp_path
    assert settings.origins == {}


def test_a_file_named_with_config_is_read_instead_and_must_exist(tmp_path: Path) -> None:
    write(tmp_path / "flowctl.yaml", "slots: 2\n")
    other = write(tmp_path / "other.yaml", "slots: 5\n")
    assert load(tmp_path, config=other).slots == 5
    assert load(tmp_path, FLOWCTL_CONFIG="other.yaml").slots == 5
    with pytest.raises(BadSettings, match="there is no such file"):
        load(tmp_path, config=tmp_path / "missing.yaml")


def test_connectors_and_limits_are_read(tmp_path: Path) -> None:
    write(
        tmp_path / "flowctl.yaml", "connectors: {slack: my.package:Slack}\nlimits: {file: 1MiB, nodes: 10, depth: 5}\n"
    )
    settings = load(tmp_path)
    assert settings.connectors == {"slack": "my.package:Slack"}
    assert settings.limits == FileLimits(file_bytes=1 << 20, nodes=10, depth=5)


def test_a_variable_that_is_no_number_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="`FLOWCTL_SLOTS`: expected a whole number, found text"):
        load(tmp_path, FLOWCTL_SLOTS="lots")


URL = "postgresql://ada:p%40ss@db.example:6543/flows?sslmode=require&password=hush"


def test_a_store_may_be_a_database(tmp_path: Path) -> None:
    write(tmp_path / "flowctl.yaml", f"store: {URL}\ndb: {{schema: flows, prefix: a_, patience: 90s}}\n")
    settings = load(tmp_path)
    assert settings.store == ServerAddress(URL, schema="flows", prefix="a_")
    assert settings.db.patience == timedelta(seconds=90)
    assert load(tmp_path, flags={"store": "other.db"}).store == tmp_path / "other.db"
    assert load(tmp_path, FLOWCTL_DB_URL="postgres:///x").store == ServerAddress("postgres:///x", "flows", "a_")


def test_the_text_of_a_store_never_holds_a_password(tmp_path: Path) -> None:
    settings = load(tmp_path, FLOWCTL_DB_URL=URL)
    assert str(settings.store) == "postgresql://ada@db.example:6543/flows"
    assert "p%40ss" not in repr(settings)
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://ada:secret@host:port/db", "the URL of the store cannot be read"),
        ("postgresql://ada:secret@[host/db", "the URL of the store cannot be read"),
        ("mysql://ada:secret@host/db", "there is no store for `mysql`"),
    ],
)
def test_a_url_that_is_none_is_refused_without_being_quoted(tmp_path: Path, url: str, problem: str) -> None:
    with pytest.raises(BadSettings) as caught:
        load(tmp_path, FLOWCTL_DB_URL=url)
    assert str(caught.value) == f"`FLOWCTL_DB_URL`: {problem}"
    assert "secret" not in f"{caught.value}{caught.value.hint}"


def test_a_url_may_be_in_a_file(tmp_path: Path) -> None:
    file = write(tmp_path / "run" / "url", f"{URL}\n")
    assert load(tmp_path, FLOWCTL_DB_URL_FILE=str(file)).store == ServerAddress(URL)
    with pytest.raises(BadSettings, match="exclude each other"):
        load(tmp_path, FLOWCTL_DB_URL_FILE=str(file), FLOWCTL_DB_URL=URL)
    with pytest.raises(BadSettings, match="cannot read"):
        load(tmp_path, FLOWCTL_DB_URL_FILE=str(tmp_path / "none"))


@pytest.mark.parametrize("key", ["schema", "prefix"])
@pytest.mark.parametrize("text", ['""', "7", '"a\\0"', "x" * 64])
def test_names_in_a_database_are_such_that_the_server_keeps_them(tmp_path: Path, key: str, text: str) -> None:
    write(tmp_path / "flowctl.yaml", f"db: {{{key}: {text}}}\n")
    with pytest.raises(BadSettings):
        load(tmp_path)


def test_a_lease_must_outlast_a_late_beat(tmp_path: Path) -> None:
    write(tmp_path / "flowctl.yaml", "recovery: {beat: 10s, lease: 15s}\n")
    with pytest.raises(BadSettings, match="shorter than two beats"):
        load(tmp_path)
    write(tmp_path / "flowctl.yaml", "recovery: {beat: 10s, lease: 20s, take_over: false}\n")
    recovery = load(tmp_path).recovery
    assert (recovery.beat, recovery.lease, recovery.take_over) == (timedelta(seconds=10), timedelta(seconds=20), False)
