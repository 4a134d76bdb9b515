"""How long the texts are, with the context length as a line and what stands beyond it said in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, body_font, mix, theme
from app.widgets.export import Exporter
from tfmcore import units

AXIS, HEAD, BAR = 20.0, 40.0, 6.0
"""Heights of the axis and the heading; the least width of a bar."""


class Histogram(QWidget):
    """Counts of integer lengths; `noun` names what is counted and `measure` what it is measured in."""

    def __init__(
        self, parent: QWidget | None = None, *, noun: str = "texts", measure: str = "tokens", **properties: Any
    ) -> None:
        super().__init__(parent, **({"accessibleName": f"Lengths of the {noun}"} | properties))
        self.noun, self.measure = noun, measure
        self.values, self.counts = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        self.limit: int | None = None
        self.limit_name = "context"
        self._hovered: float | None = None
        self.setMouseTracking(True)
        self.setMinimumSize(200, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.exporter = Exporter(self, name="lengths", paint=self.paint_figure, table=self.table)

    def set_lengths(self, lengths: Sequence[int] | np.ndarray) -> None:
        """Count these lengths (N,), which may be millions."""
        self.values, self.counts = np.unique(np.asarray(lengths, dtype=np.int64), return_counts=True)
        self._say()

    def set_limit(self, limit: int | None, name: str = "context") -> None:
        """Draw a line at this length and tell what is longer."""
        self.limit, self.limit_name = limit, name
        self._say()

    @property
    def sentence(self) -> str:
        """What the picture shows, in words."""
        total = int(self.counts.sum())
        if not total:
            return f"No {self.noun} yet."
        if self.limit is None:
            middle = int(self.values[np.searchsorted(np.cumsum(self.counts), total / 2)])
            return f"{units.count(total)} {self.noun}, half of them up to {middle:,} {self.measure}."
        longer = int(self.counts[self.values > self.limit].sum())
        fits = f"the {self.limit_name} of {self.limit:,} {self.measure}"
        if not longer:
            return f"All {units.count(total)} {self.noun} fit {fits}."
        return f"{units.percent(longer / total)} of {units.count(total)} {self.noun} are longer than {fits}."

    def table(self) -> Iterable[Sequence[object]]:
        return [[self.measure, self.noun], *zip(self.values.tolist(), self.counts.tolist(), strict=True)]

    def sizeHint(self) -> QSize:
        return QSize(360, 160)

    def _say(self) -> None:
        self.setAccessibleDescription(self.sentence)
        self.update()

    # Painting

    def paint_figure(self, painter: QPainter, size: QSizeF) -> None:
        """Paint the sentence, the bars, the axis and the limit."""
        t = theme()
        painter.setFont(body_font())
        painter.setPen(QColor(t.text))
        painter.drawText(QRectF(0, 0, size.width(), HEAD), Qt.TextFlag.TextWordWrap.value, self.sentence)
        if not self.counts.size:
            return
        area = QRectF(0, HEAD, size.width(), size.height() - HEAD - AXIS)
        top, step, bins = self._bins(area)
        scale = area.height() / max(int(bins.max()), 1)
        for index, num in enumerate(bins.tolist()):
            beyond = self.limit is not None and index * step >= self.limit
            colour = t.warning if beyond else t.accent
            left, right = (area.width() * edge * step / top for edge in (index, index + 1))
            height = max(num * scale, 1.0) if num else 0.0
            bar = QRectF(left, area.bottom() - height, max(right - left - 1, 1.0), height)
            hovered = self._hovered is not None and left <= self._hovered < right
            painter.fillRect(bar, mix(t.surface, colour, 1.0 if hovered else 0.65))
        painter.setPen(QPen(QColor(t.border), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        self._draw_axis(painter, area, top, step, bins)

    def _bins(self, area: QRectF) -> tuple[int, int, np.ndarray]:
        """The axis' end, the width of a bin and the counts: round bins, as many as there is room for, each with its
        upper end, so that what just fits stands before the limit."""
        top = max(int(self.values[-1]), int((self.limit or 0) * 1.1)) + 1
        step = next(s for s in _round_numbers() if top / s <= max(area.width() / BAR, 4))
        at = np.maximum(self.values - 1, 0) // step
        bins = np.bincount(at, weights=self.counts, minlength=-(-top // step))
        return len(bins) * step, step, bins

    def _draw_axis(self, painter: QPainter, area: QRectF, top: int, step: int, bins: np.ndarray) -> None:
        t = theme()
        painter.setFont(body_font(small=True))
        metrics = painter.fontMetrics()
        below = QRectF(0, area.bottom() + 2, area.width(), AXIS - 2)
        if self._hovered is not None:
            at = min(int(self._hovered / area.width() * len(bins)), len(bins) - 1)
            first, last = at * step + 1 if at else 0, (at + 1) * step
            span = f"{first:,}–{last:,}" if first < last else f"{last:,}"
            painter.setPen(QColor(t.text))
            painter.drawText(
                below, Qt.AlignmentFlag.AlignCenter, f"{span} {self.measure}: {int(bins[at]):,} {self.noun}"
            )
        else:
            painter.setPen(QColor(t.muted))
            painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "0")
            painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{top:,} {self.measure}")
        if self.limit is not None:
            x = area.width() * self.limit / top
            painter.setPen(QPen(QColor(t.text), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            text = f"{self.limit_name} {self.limit:,}"
            width = metrics.horizontalAdvance(text)
            left = x + GRID / 2 if x + width + GRID < area.width() else x - width - GRID / 2
            painter.setPen(QColor(t.text))
            painter.drawText(QPointF(left, area.top() + metrics.ascent()), text)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.paint_figure(painter, QSizeF(self.size()))
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hovered = event.position().x()
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = None
        self.update()


def _round_numbers() -> Iterator[int]:
    """1, 2, 5, 10, 20, 50, …"""
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10
