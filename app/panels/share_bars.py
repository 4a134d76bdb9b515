"""Amounts of one whole as rows: a name, a bar as long as its share, and the amount."""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, body_font, mix, mono_font, theme

ROW, NAME, AMOUNT = 20, 18 * GRID, 8 * GRID


class ShareBars(QWidget):
    """`words` writes an amount, such as units.count or units.size."""

    def __init__(self, *, words: Callable[[float], str], **properties: Any) -> None:
        super().__init__(**properties)
        self._words = words
        self.rows: list[tuple[str, float]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_rows(self, rows: Sequence[tuple[str, float]]) -> None:
        """Show (name, amount) rows; amounts are at least 0."""
        self.rows = list(rows)
        self.setAccessibleDescription(", ".join(f"{name} {self._words(amount)}" for name, amount in self.rows))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(NAME + AMOUNT + 4 * GRID, max(len(self.rows), 1) * ROW)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        t, painter = theme(), QPainter(self)
        whole = sum(amount for _, amount in self.rows) or 1.0
        room = self.width() - NAME - AMOUNT - 2 * GRID
        middle = Qt.AlignmentFlag.AlignVCenter
        for index, (name, amount) in enumerate(self.rows):
            top = index * ROW
            painter.setFont(body_font())
            painter.setPen(QColor(t.text))
            text = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, NAME)
            painter.drawText(QRectF(0, top, NAME, ROW), middle | Qt.AlignmentFlag.AlignLeft, text)
            painter.fillRect(QRectF(NAME + GRID, top + 7, room, 6), QColor(t.raised))
            painter.fillRect(QRectF(NAME + GRID, top + 7, room * amount / whole, 6), mix(t.surface, t.accent, 0.65))
            painter.setFont(mono_font(small=True))
            painter.setPen(QColor(t.muted))
            right = QRectF(self.width() - AMOUNT, top, AMOUNT, ROW)
            painter.drawText(right, middle | Qt.AlignmentFlag.AlignRight, self._words(amount))
        painter.end()
