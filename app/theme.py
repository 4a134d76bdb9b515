"""Dresses the application in one of its two looks, now and live: palette, style sheet, fonts and icons."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from PySide6.QtCore import QObject, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QIconEngine, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import QApplication

from app.colours import contrast, mix, translucent
from app.look import BODY_SIZE, DARK, GRID, LIGHT, MONO_FAMILIES, SMALL_SIZE, Theme
from app.style_sheet import style_sheet

ThemeChoice = Literal["dark", "light", "system"]
THEME_CHOICES: tuple[str, ...] = get_args(ThemeChoice)

__all__ = [
    "BODY_SIZE",
    "DARK",
    "GRID",
    "LIGHT",
    "SMALL_SIZE",
    "THEME_CHOICES",
    "Theme",
    "ThemeChoice",
    "apply_theme",
    "body_font",
    "contrast",
    "icon",
    "mix",
    "mono_font",
    "theme",
    "themes",
    "translucent",
]


class ThemeHolder(QObject):
    """The current theme and the signal by which widgets that cache colours follow it."""

    theme_changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.current = LIGHT
        self.choice: str = "system"
        self.app: QApplication | None = None

    def apply(self, app: QApplication, choice: str) -> None:
        """Dress `app`; `choice` "system" follows the desktop's setting, now and whenever it changes."""
        if choice not in THEME_CHOICES:
            raise ValueError(f"The theme {choice!r} is unknown; choose one of {', '.join(THEME_CHOICES)}.")
        self.choice = choice
        hints = app.styleHints()
        if self.app is not app:
            self.app = app
            app.setStyle("Fusion")
            app.setFont(body_font())
            hints.colorSchemeChanged.connect(self._on_color_scheme_changed)
        if choice == "system":
            hints.unsetColorScheme()
        else:
            hints.setColorScheme(Qt.ColorScheme.Dark if choice == "dark" else Qt.ColorScheme.Light)
        self._dress(_system_theme(app) if choice == "system" else DARK if choice == "dark" else LIGHT)

    def _dress(self, theme: Theme) -> None:
        assert self.app is not None
        self.current = theme
        self.app.setStyleSheet("")  # to put a sheet on where none is takes a fifth of the time of changing it
        self.app.setPalette(_palette(theme))
        self.app.setStyleSheet(style_sheet(theme))
        self.theme_changed.emit(theme)

    def _on_color_scheme_changed(self) -> None:
        if self.choice == "system" and self.app is not None and _system_theme(self.app) is not self.current:
            self._dress(_system_theme(self.app))


themes = ThemeHolder()


def theme() -> Theme:
    """The theme that the window wears now; painters ask for it at every paint."""
    return themes.current


def apply_theme(app: QApplication, choice: str) -> None:
    """Set style, palette, fonts and style sheet of the whole application: "dark", "light" or "system".

    Raises ValueError for any other choice.
    """
    themes.apply(app, choice)


def _system_theme(app: QApplication) -> Theme:
    return DARK if app.styleHints().colorScheme() is Qt.ColorScheme.Dark else LIGHT


def body_font(*, small: bool = False, bold: bool = False) -> QFont:
    """The desktop's own face in one of the two text sizes."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    font.setPixelSize(SMALL_SIZE if small else BODY_SIZE)
    font.setBold(bold)
    return font


def mono_font(*, small: bool = False, bold: bool = False) -> QFont:
    """The monospaced face for tokens, numbers and logs."""
    font = QFont(_mono_family())
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setPixelSize(SMALL_SIZE if small else BODY_SIZE)
    font.setBold(bold)
    return font


@cache
def _mono_family() -> str:
    """The first family at hand: a drawing that is exported names one family only."""
    known = set(QFontDatabase.families())
    system = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()
    return next((family for family in MONO_FAMILIES if family in known), system)


class ThemedIcon(QIconEngine):
    """Draws a glyph of the icon font in the colour that its token has at the moment of painting."""

    def __init__(self, glyph: str, colour: str) -> None:
        super().__init__()
        self.glyph, self.colour = glyph, colour

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        font = QFont(_icon_font()[0])
        font.setPixelSize(max(round(rect.height() * 0.9), 1))
        painter.setFont(font)
        painter.setPen(QColor(getattr(theme(), "disabled" if mode == QIcon.Mode.Disabled else self.colour)))
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, self.glyph)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return pixmap

    def clone(self) -> QIconEngine:
        return ThemedIcon(self.glyph, self.colour)


@cache
def _icon_font() -> tuple[str, dict[str, str]]:
    """The family and the glyphs by name of the Material Design icons that QtAwesome brings.

    Its files are read without importing it, as that loads qtpy and eleven more fonts: a quarter of the window's start.
    """
    spec = find_spec("qtawesome")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "fonts"
    number = QFontDatabase.addApplicationFont(str(next(folder.glob("materialdesignicons6-webfont*.ttf"))))
    names = json.loads(next(folder.glob("materialdesignicons6-webfont-charmap*.json")).read_bytes())
    return QFontDatabase.applicationFontFamilies(number)[0], {name: chr(int(code, 16)) for name, code in names.items()}


def icon(name: str, colour: str = "text") -> QIcon:
    """A Material Design icon ("play", "content-copy") in the colour of a theme token, which it follows by itself.

    Raises KeyError if there is no such icon.
    """
    return QIcon(ThemedIcon(_icon_font()[1][name], colour))


def _palette(theme: Theme) -> QPalette:
    role = QPalette.ColorRole
    colours = {
        role.Window: theme.background,
        role.WindowText: theme.text,
        role.Base: theme.surface,
        role.AlternateBase: theme.background,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.PlaceholderText: theme.muted,  # it tells what an empty field stands for
        role.Text: theme.text,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.BrightText: theme.bad,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.Link: theme.accent,
        role.LinkVisited: theme.accent,
        role.Accent: theme.accent,
        role.Light: theme.hover,
        role.Midlight: theme.hover,
        role.Mid: theme.border,
        role.Dark: theme.border,
        role.Shadow: theme.border,
    }
    palette = QPalette()
    for name, colour in colours.items():
        palette.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(theme.disabled))
    palette.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(theme.hover))
    return palette
