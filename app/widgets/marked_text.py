"""A text with coloured spans in it, each followed by a word about it: what was tagged, what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QMouseEvent,
    QPainter,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextOption,
)
from PySide6.QtWidgets import QTextEdit, QWidget

from app.bidirectional import plain
from app.theme import GRID, body_font, mix, theme, themes
from app.widgets.export import Exporter

SHADE, STRONG = 0.28, 0.36
"""How much of a span's colour lies under its text, and under the words about it."""


LINE_HEIGHT = 140
"""Percent: so that the shades of neighbouring lines do not touch."""


@dataclass(frozen=True)
class Mark:
    """Characters from `start` to before `end`; `words` stand behind them; `colour` is a number of the series."""

    start: int
    end: int
    words: str = ""
    colour: int = 0
    tip: str = ""


class MarkedText(QTextEdit):
    """Read-only, selectable; `hovered(index or -1)` and `clicked(index)` tell the mark under the pointer.

    Marks are painted in the order of the text; one that begins before the one before has ended begins where that ends.
    """

    hovered = Signal(int)
    clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None, *, name: str = "text", **properties: Any) -> None:
        super().__init__(parent, readOnly=True, **({"accessibleName": "Marked text"} | properties))
        self.text = ""
        self.marks: list[Mark] = []
        self._places: list[tuple[int, int]] = []
        self._hovered = -1
        self.setFont(body_font())
        self.setTabChangesFocus(True)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.document().setDocumentMargin(GRID)
        self.viewport().setMouseTracking(True)
        self.exporter = Exporter(self, name=name, paint=self.paint_figure, size=self._figure_size, table=self.table)
        themes.theme_changed.connect(self._draw)

    def set_text(self, text: str, marks: Sequence[Mark] = ()) -> None:
        """Show `text`, marked; the place that was scrolled to stays."""
        self.text, self.marks = text, sorted(marks, key=lambda mark: (mark.start, mark.end))
        self.setAccessibleDescription(", ".join(f"{text[m.start : m.end]} {m.words}" for m in self.marks[:20]))
        self._draw()

    def reveal(self, index: int) -> None:
        """Scroll no further than it takes to show a mark."""
        cursor = self.textCursor()
        for place in reversed(self._places[index]):
            cursor.setPosition(place)
            self.setTextCursor(cursor)
        self.ensureCursorVisible()

    def table(self) -> Iterable[Sequence[object]]:
        marks = [(mark.start, mark.end, self.text[mark.start : mark.end], plain(mark.words)) for mark in self.marks]
        return [("start", "end", "text", "about"), *marks]

    def paint_figure(self, painter: QPainter, size: QSizeF) -> None:
        """Paint the whole text, as wide as it is shown."""
        self.document().drawContents(painter)

    def _figure_size(self) -> QSize:
        return self.document().size().toSize()

    # Drawing

    def _draw(self) -> None:
        """Write text, marks and words anew in the colours of the theme."""
        scrolled = self.verticalScrollBar().value()
        self.clear()
        cursor = QTextCursor(self.document())
        cursor.beginEditBlock()
        spaced = QTextBlockFormat()
        spaced.setLineHeight(LINE_HEIGHT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        cursor.setBlockFormat(spaced)
        done, self._places = 0, []
        for mark in self.marks:
            start = min(max(mark.start, done), len(self.text))
            end = min(max(mark.end, start), len(self.text))
            cursor.insertText(self.text[done:start], _plain())
            begin = cursor.position()
            cursor.insertText(self.text[start:end], _shaded(mark.colour, SHADE))
            if mark.words and end > start:
                cursor.insertText(f"\u202f{mark.words}\u202f".replace(" ", "\u00a0"), _about(mark.colour))
            self._places.append((begin, cursor.position()))
            done = end
        cursor.insertText(self.text[done:], _plain())
        cursor.endEditBlock()
        self.verticalScrollBar().setValue(scrolled)

    # Reacting

    def index_at(self, event: QMouseEvent) -> int:
        """The mark under the pointer, or -1."""
        at = self.cursorForPosition(event.position().toPoint())
        place = at.position()
        beside = self.cursorRect(at).adjusted(-2 * GRID, 0, 2 * GRID, 0)
        if not beside.contains(event.position().toPoint()):
            return -1  # right of a line, or beneath the text
        return next((number for number, (begin, end) in enumerate(self._places) if begin <= place <= end), -1)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if (index := self.index_at(event)) != self._hovered:
            self._hovered = index
            self.setToolTip(self.marks[index].tip if index >= 0 else "")
            self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if index >= 0 else Qt.CursorShape.IBeamCursor)
            self.hovered.emit(index)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        index = self.index_at(event)
        if index >= 0 and event.button() == Qt.MouseButton.LeftButton and not self.textCursor().hasSelection():
            self.clicked.emit(index)


def _plain() -> QTextCharFormat:
    found = QTextCharFormat()
    found.setForeground(QColor(theme().text))
    return found


def _shaded(colour: int, share: float) -> QTextCharFormat:
    found, series = _plain(), theme().series
    found.setBackground(mix(theme().surface, series[colour % len(series)], share))
    return found


def _about(colour: int) -> QTextCharFormat:
    """The words behind a span: small and bold on a stronger shade."""
    found = _shaded(colour, STRONG)
    found.setFont(body_font(small=True))
    found.setFontWeight(QFont.Weight.DemiBold)
    return found
