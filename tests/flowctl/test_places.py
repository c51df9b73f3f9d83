"""Where the user's files live."""

from __future__ import annotations

from pathlib import Path

from flowctl.places import user_folders


def test_without_variables_the_folders_are_the_defaults_of_the_xdg_specification() -> None:
    folders = user_folders({"HOME": "/home/ann"})
    assert folders.config == Path("/home/ann/.config/flowctl")
    assert folders.data == Path("/home/ann/.local/share/flowctl")
    assert folders.state == Path("/home/ann/.local/state/flowctl")
    assert folders.cache == Path("/home/ann/.cache/flowctl")
    assert folders.runtime is None


def test_xdg_variables_move_a_folder() -> None:
    folders = user_folders({"HOME": "/home/ann", "XDG_DATA_HOME": "/data", "XDG_RUNTIME_DIR": "/run/user/7"})
    assert folders.data == Path("/data/flowctl")
    assert folders.runtime == Path("/run/user/7/flowctl")


def test_a_relative_xdg_value_is_ignored() -> None:
    assert user_folders({"HOME": "/home/ann", "XDG_CACHE_HOME": "tmp"}).cache == Path("/home/ann/.cache/flowctl")


def test_one_variable_puts_everything_under_one_folder() -> None:
    folders = user_folders({"HOME": "/home/ann", "XDG_DATA_HOME": "/data", "FLOWCTL_HOME": "/srv/flowctl"})
    everything = (folders.config, folders.data, folders.state, folders.cache, folders.runtime)
    assert all(folder is not None and folder.is_relative_to("/srv/flowctl") for folder in everything)
    assert len(set(everything)) == 5
