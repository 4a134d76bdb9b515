"""An entry of a legend: a coloured square, what it stands for, and how often that occurs."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.bidirectional import isolated
from app.theme import GRID, body_font, mix, theme

SIDE = 12


class Swatch(QWidget):
    """`colour` is a number of the series; what does not occur is muted."""

    def __init__(self, title: str, colour: int, parent: QWidget | None = None, **properties: Any) -> None:
        super().__init__(parent, **({"accessibleName": title} | properties))
        self.title, self.colour, self.count = title, colour, 0
        self.setFont(body_font())
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_count(self, count: int) -> None:
        self.count = count
        self.setAccessibleDescription(f"{count:,} times")
        self.updateGeometry()
        self.update()

    @property
    def words(self) -> str:
        return f"{isolated(self.title)}  {self.count:,}" if self.count else self.title

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(SIDE + GRID // 2 + metrics.horizontalAdvance(self.words) + GRID, metrics.height() + 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        series = QColor(t.series[self.colour % len(t.series)])
        box = QRectF(0.5, (self.height() - SIDE) / 2 + 0.5, SIDE - 1, SIDE - 1)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(series)
        painter.setBrush(mix(t.surface, series.name(), 0.36))
        painter.drawRoundedRect(box, 2, 2)
        painter.setPen(QColor(t.text if self.count else t.muted))
        left = SIDE + GRID // 2
        place = QRectF(left, 0, self.width() - left, self.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.words)
        painter.end()
