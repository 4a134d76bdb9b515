"""Horizontal bars for shares of one: a label, a bar and the value at the right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, body_font, mono_font, theme
from app.widgets.export import Exporter
from app.widgets.focus import reveal
from app.widgets.tokens import visible
from tfmcore import units

ROW, MAX_LABEL, VALUE = 24, 160.0, 60.0


class ProbabilityBars(QWidget):
    """Bars of 0 to 1; `clicked(index)` as one is chosen by mouse or Enter. `tokens` writes the labels as tokens."""

    clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None, *, tokens: bool = False, **properties: Any) -> None:
        super().__init__(parent, **({"accessibleName": "Probabilities"} | properties))
        self.tokens = tokens
        self.bars: list[tuple[str, float]] = []
        self.highlighted: int | None = None
        self._hovered: int | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.exporter = Exporter(self, name="probabilities", paint=self.paint_figure, table=self.table)

    def set_bars(self, bars: Sequence[tuple[str, float]], highlighted: int | None = None) -> None:
        """Show (label, share) pairs in this order; `highlighted` stands out."""
        self.bars, self.highlighted, self._hovered = list(bars), highlighted, None
        self.setAccessibleDescription(", ".join(f"{label} {units.percent(share)}" for label, share in self.bars[:8]))
        self.setMinimumHeight(self.sizeHint().height())
        self.updateGeometry()
        self.update()

    def table(self) -> Iterable[Sequence[object]]:
        return [["label", "probability"], *self.bars]

    def sizeHint(self) -> QSize:
        return QSize(280, max(len(self.bars), 1) * ROW)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, max(len(self.bars), 1) * ROW)

    def paint_figure(self, painter: QPainter, size: QSizeF) -> None:
        """Paint every bar."""
        t = theme()
        font = mono_font() if self.tokens else body_font()
        metrics = QFontMetricsF(font)
        labels = [visible(label) if self.tokens else label for label, _ in self.bars]
        column = min(max((metrics.horizontalAdvance(label) for label in labels), default=0.0), MAX_LABEL)
        column = min(column, size.width() * 0.45)
        room = max(size.width() - column - VALUE - 2 * GRID, 8.0)
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignAbsolute
        for row, (label, (_, share)) in enumerate(zip(labels, self.bars, strict=True)):
            top, marked = row * ROW, row in (self._hovered, self.highlighted)
            painter.setFont(font)
            painter.setPen(QColor(t.text))
            text = metrics.elidedText(label, Qt.TextElideMode.ElideRight, column)
            painter.drawText(QRectF(0, top, column, ROW), middle | Qt.AlignmentFlag.AlignLeft, text)
            track = QRectF(column + GRID, top + 7, room, ROW - 14)
            painter.fillRect(track, QColor(t.raised))
            filled = QRectF(track.topLeft(), QSizeF(room * min(max(share, 0.0), 1.0), track.height()))
            painter.fillRect(filled, QColor(t.accent if marked else t.muted))
            painter.setFont(mono_font(small=True))
            painter.setPen(QColor(t.text if marked else t.muted))
            painter.drawText(
                QRectF(size.width() - VALUE, top, VALUE, ROW),
                middle | Qt.AlignmentFlag.AlignRight,
                units.percent(share),
            )

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.paint_figure(painter, QSizeF(self.size()))
        if self.hasFocus() and self._hovered is not None:
            painter.setPen(QPen(QColor(theme().accent), 1))
            painter.drawRect(0, self._hovered * ROW, self.width() - 1, ROW - 1)
        painter.end()

    def _point_at(self, index: int | None) -> None:
        if index != self._hovered:
            self._hovered = index
            self.update()

    def _index_at(self, y: float) -> int | None:
        return int(y // ROW) if 0 <= y < len(self.bars) * ROW else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point_at(self._index_at(event.position().y()))

    def leaveEvent(self, event: QEvent) -> None:
        self._point_at(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self._index_at(event.position().y())
        if index is not None and event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(index)

    def focusInEvent(self, event: QFocusEvent) -> None:
        if self.bars and event.reason() != Qt.FocusReason.MouseFocusReason:
            self._go_to(self.highlighted or 0)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._point_at(None)

    def _go_to(self, index: int) -> None:
        """By the keys: what stands there is said."""
        label, share = self.bars[index]
        self._point_at(index)
        reveal(self, QRectF(0, index * ROW, self.width(), ROW))
        self.setAccessibleDescription(f"{label} {units.percent(share)}, {index + 1} of {len(self.bars)}")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if self.bars and event.key() in steps:
            index = 0 if self._hovered is None else self._hovered + steps[Qt.Key(event.key())]
            self._go_to(min(max(index, 0), len(self.bars) - 1))
        elif self._hovered is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit(self._hovered)
        else:
            super().keyPressEvent(event)
