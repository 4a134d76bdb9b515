"""What the window remembers survives a restart; damage costs the settings, never the start."""

import os
from pathlib import Path

import pytest

from app.settings import Settings


@pytest.mark.parametrize("value", ["dark", 7, 0.5, True, [300, 900], ["a", "ü 🙂"]])
def test_every_kind_of_value_is_remembered(tmp_path: Path, value: object) -> None:
    path = tmp_path / "settings.toml"
    Settings(path).set("window.thing", value)
    assert Settings(path).get("window.thing", type(value)()) == value  # type: ignore[call-arg]
    assert [item.name for item in tmp_path.iterdir()] == ["settings.toml"]


def test_a_value_of_another_type_gives_the_default(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    Settings(path).set("train.splitter", "wide")
    assert Settings(path).get("train.splitter", [1, 2]) == [1, 2]


def test_a_list_of_other_things_gives_the_default(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    Settings(path).set("train.splitter", ["a", "b"])
    assert Settings(path).get("train.splitter", [1, 2]) == [1, 2]


def test_a_choice_that_there_is_not_gives_the_first(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.toml")
    for value, choice in (("dark", "dark"), ("solarized", "system"), (7, "system")):
        settings.set("window.theme", value)
        assert settings.choice("window.theme", ("system", "light", "dark")) == choice


def test_what_an_editor_of_windows_saves_is_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b'\xef\xbb\xbf"window.theme" = "dark"\r\n')
    assert Settings(path).get("window.theme", "system") == "dark"


@pytest.mark.fault(32)
@pytest.mark.parametrize("damage", [b"\xff\xfe\x00garbage", b"a = ", b"[" * 5000, b"x = 1\nx = 2"])
def test_damaged_settings_are_kept_aside_and_said(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(damage)
    settings = Settings(path)
    assert settings.get("window.theme", "system") == "system"
    assert "settings.damaged.toml" in settings.notice
    assert (tmp_path / "settings.damaged.toml").read_bytes() == damage
    settings.set("window.theme", "light")
    assert Settings(path).get("window.theme", "system") == "light"


def test_a_folder_in_its_place_is_no_reason_to_fall(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.mkdir()
    settings = Settings(path)
    assert settings.notice
    settings.set("window.theme", "light")
    assert settings.get("window.theme", "system") == "light"


def test_a_place_that_cannot_be_written_is_said_and_remembered_for_now(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "gone" / "settings.toml")
    settings.set("window.theme", "light")
    assert settings.get("window.theme", "system") == "light"
    assert "cannot be written" in settings.notice
    assert os.listdir(tmp_path) == []
