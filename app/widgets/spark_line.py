"""A loss curve as small as a word, for a row of a list."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from app.theme import theme
from app.widgets.series import decimate

Points = tuple[Sequence[float] | np.ndarray, Sequence[float] | np.ndarray]


def draw_spark_line(painter: QPainter, rect: QRectF, training: Points, validation: Points = ((), ())) -> None:
    """Paint both curves, training in blue and validation in orange, to one scale into `rect`. Each is (x, y) with x in
    order; what is not a number is passed over, and a curve of one point is a dot."""
    t = theme()
    curves = [(_known(training), t.training), (_known(validation), t.validation)]
    curves = [(points, colour) for points, colour in curves if points.size]
    if not curves:
        return
    every = np.concatenate([points for points, _ in curves], axis=1)
    (left, low), (right, high) = every.min(axis=1), every.max(axis=1)
    box = rect.adjusted(2, 3, -2, -3)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for points, colour in curves:
        x, y = decimate(points[0], points[1], left, right, max(int(box.width()), 8), mean=True)
        across = box.left() + (x - left) / ((right - left) or 1.0) * box.width()
        down = box.bottom() - (y - low) / ((high - low) or 1.0) * box.height()
        line = [QPointF(*at) for at in zip(across.tolist(), down.tolist(), strict=True)]
        painter.setPen(QPen(QColor(colour), 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(line))
        if len(line) == 1:
            painter.setBrush(QColor(colour))
            painter.drawEllipse(line[0], 1.5, 1.5)
    painter.restore()


def _known(points: Points) -> np.ndarray:
    """(2, N) of the points whose y is a number."""
    both = np.array(points, dtype=np.float64).reshape(2, -1)
    return both[:, np.isfinite(both[1])]
