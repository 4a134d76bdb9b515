"""The two looks: readable everywhere, live, and without the heavy imports."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QImage, QPalette
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QPushButton,
    QRadioButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app import style_sheet
from app import theme as themes_module
from app.look import DARK, LIGHT, Theme
from app.theme import THEME_CHOICES, apply_theme, contrast, icon, mix, theme, themes
from app.widgets.colour_maps import levels, magnitude_map, rgb_to_oklab, signed_map
from app.widgets.token_strip import SHADE

LOOKS = [LIGHT, DARK]
TEXT_TOKENS = ("text", "muted", "accent", "good", "warning", "bad", "training")
GROUNDS = ("background", "surface", "raised")


@pytest.fixture(params=LOOKS, ids=lambda look: look.name)
def look(request: pytest.FixtureRequest, qapp: QApplication) -> Theme:
    apply_theme(qapp, request.param.name)
    return request.param


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("token", TEXT_TOKENS)
def test_text_is_readable(look: Theme, token: str, ground: str) -> None:
    assert contrast(getattr(look, token), getattr(look, ground)) >= 4.5


def test_text_on_colours_is_readable(look: Theme) -> None:
    assert contrast(look.on_accent, look.accent) >= 4.5
    for token in TEXT_TOKENS:
        assert contrast(getattr(look, token), look.hover) >= 4.5, token
    assert contrast(look.text, mix(look.surface, look.accent, SHADE).name()) >= 4.5
    for kind, fill in look.blocks.items():
        assert contrast(look.text, fill) >= 4.5, kind


def test_what_stands_in_an_empty_field_is_readable(look: Theme, qapp: QApplication) -> None:
    colour = qapp.palette().color(QPalette.ColorRole.PlaceholderText)
    assert contrast(colour.name(), look.surface) >= 4.5


@pytest.mark.parametrize("place", ["downloads", "it's", "Jörg 🙂", "a (b) #1 %20"])
def test_the_program_may_lie_anywhere(
    place: str, qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn() -> QImage:
        apply_theme(qapp, "light")
        box = QWidget()
        column = QVBoxLayout(box)
        for field in (QComboBox(), QSpinBox(), QCheckBox(checked=True)):
            column.addWidget(field)
        return box.grab().toImage()

    there = shutil.copytree(style_sheet.ICONS, tmp_path / place)
    expected = drawn()
    with monkeypatch.context() as moved:
        moved.setattr(style_sheet, "ICONS", there)
        assert drawn() == expected
    apply_theme(qapp, "light")


def test_lines_and_disabled_text_can_be_seen(look: Theme) -> None:
    for token in ("training", "validation", "disabled", "accent"):
        assert contrast(getattr(look, token), look.surface) >= 3, token


@pytest.mark.parametrize("kind", [QCheckBox, QRadioButton, QPushButton, QToolButton])
def test_what_is_checked_shows_that_it_hears_the_keys(look: Theme, kind: type[QAbstractButton], qtbot: QtBot) -> None:
    window = QWidget()
    button, other = kind(window, text="It", checkable=True, checked=True), QPushButton(window)
    other.move(0, 40)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    qtbot.addWidget(window)
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    other.setFocus()
    before = button.grab().toImage()
    button.setFocus()
    assert button.grab().toImage() != before


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_training_and_validation_have_colours_of_their_own(look: Theme) -> None:
    meanings = [look.accent, look.training, look.validation, look.good, look.warning, look.bad]
    assert len(set(meanings)) == len(meanings)
    assert len(set(look.series)) == 8


def test_the_palette_follows(look: Theme, qapp: QApplication) -> None:
    assert theme() is look
    assert qapp.palette().color(QPalette.ColorRole.Window) == QColor(look.background)
    assert look.accent in qapp.styleSheet()


def test_a_change_is_told_and_an_unknown_choice_refused(qapp: QApplication) -> None:
    seen: list[str] = []
    themes.theme_changed.connect(lambda look: seen.append(look.name))
    for choice in ("dark", "light"):
        apply_theme(qapp, choice)
    assert seen == ["dark", "light"]
    apply_theme(qapp, "system")
    assert theme() in LOOKS
    with pytest.raises(ValueError, match="sepia"):
        apply_theme(qapp, "sepia")
    assert set(THEME_CHOICES) == {"dark", "light", "system"}


def test_a_desktop_that_turns_dark_is_followed_only_if_asked(qapp: QApplication, monkeypatch) -> None:
    apply_theme(qapp, "light")
    monkeypatch.setattr(themes_module, "_system_theme", lambda app: DARK)
    themes._on_color_scheme_changed()
    assert theme() is LIGHT
    apply_theme(qapp, "system")
    assert theme() is DARK


def test_an_icon_takes_the_colour_of_the_moment(qapp: QApplication) -> None:
    sign = icon("play", "bad")
    for look in LOOKS:
        apply_theme(qapp, look.name)
        middle = sign.pixmap(32, 32).toImage().pixelColor(14, 16)
        assert middle.name() == look.bad
    disabled = sign.pixmap(32, 32, QIcon.Mode.Disabled).toImage().pixelColor(14, 16)
    assert disabled.name() == DARK.disabled
    with pytest.raises(KeyError):
        icon("no-such-icon")


def test_colour_maps_are_even_and_begin_at_the_surface(look: Theme) -> None:
    magnitude, signed = magnitude_map(), signed_map()
    assert magnitude.shape == signed.shape == (256, 3)
    surface = QColor(look.surface).getRgb()[:3]
    assert tuple(magnitude[0]) == surface
    assert np.abs(signed[127:129].astype(int) - surface).max() <= 1
    steps = np.linalg.norm(np.diff(rgb_to_oklab(magnitude / 255.0), axis=0), axis=1)
    assert steps.std() < 0.35 * steps.mean()
    assert len({tuple(colour) for colour in magnitude}) > 200


def test_levels_clip_and_take_what_is_no_number_for_the_least() -> None:
    values = np.array([[-1.0, 0.0, 0.5], [1.0, 2.0, np.nan]])
    assert levels(values, 0, 1).tolist() == [[0, 0, 128], [255, 255, 0]]
    assert levels(values, 3, 3).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_the_theme_loads_neither_plots_nor_icons_library() -> None:
    code = "import sys, app.theme; print([m for m in ('pyqtgraph', 'qtawesome', 'qtpy', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
