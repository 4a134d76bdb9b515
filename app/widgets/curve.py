"""One series on a live plot: its lines, its points and its button in the legend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QToolButton

from app.bidirectional import isolated
from app.theme import GRID, body_font, theme, translucent
from app.widgets.series import Series, decimate
from tfmcore import units

FEW_POINTS = 200
BOLD = 2
DOT, RING = 6, 12
"""The widths of a point in pixels."""
LONGEST = 28 * GRID
"""Of a title in the legend; the whole one is in its tooltip."""


def colour_of(name: str) -> QColor:
    """That of a theme token, of "series:3" in the palette, or of "#rrggbb"."""
    t = theme()
    if name.startswith("series:"):
        return QColor(t.series[int(name.removeprefix("series:")) % len(t.series)])
    return QColor(name if name.startswith("#") else getattr(t, name))


@dataclass(frozen=True)
class CurveStyle:
    """`colour` is a theme token, "series:3" of the palette, or "#rrggbb"; `planned` is faint and dashed.

    `smoothed` draws the moving average bold over the faint raw line; `bold` suits curves without noise; `ring` goes
    around one point of another curve.
    """

    colour: str
    smoothed: bool = False
    bold: bool = False
    points: bool = False
    planned: bool = False
    ring: bool = False


class Curve:
    """Draws a `Series`. Pens of two pixels are slow, so only lines of one mean a column are drawn bold."""

    def __init__(self, name: str, title: str, style: CurveStyle, plot: pg.PlotItem, smoothing: float) -> None:
        self.name, self.title, self.short, self.style = name, title, title, style
        self.series = Series(smoothing if style.smoothed else 0.0)
        self.band: tuple[np.ndarray, np.ndarray] | None = None
        """The least and the greatest of what this is the mean of, at each point of the series."""
        self.area = pg.PlotCurveItem(fillLevel="enclosed", pen=None, connect="finite", skipFiniteCheck=False)
        self.raw = pg.PlotCurveItem(connect="finite", antialias=True, skipFiniteCheck=False)
        self.line = pg.PlotCurveItem(connect="finite", antialias=True, skipFiniteCheck=False)
        self.dots = pg.ScatterPlotItem(size=RING if style.ring else DOT, pxMode=True)
        self.line.setZValue(1 if style.planned else 3)
        self.dots.setZValue(4)
        for item in self._items:
            plot.addItem(item, ignoreBounds=True)
        self.button = QToolButton(checkable=True, checked=True, toolTip=f"Show or hide {title}", accessibleName=title)
        self.button.setProperty("kind", "legend")
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setFont(body_font(small=True))
        self.button.setIconSize(QSize(10, 10))
        self.button.toggled.connect(self.recolour)
        self.show_value(None)

    @property
    def _items(self) -> tuple[Any, ...]:
        return self.area, self.raw, self.line, self.dots

    @property
    def shown(self) -> bool:
        return self.button.isChecked()

    @property
    def _smooth(self) -> bool:
        return self.style.smoothed and self.series.smoothing > 0

    @property
    def colour(self) -> QColor:
        return colour_of(self.style.colour)

    def remove(self, plot: pg.PlotItem) -> None:
        for item in self._items:
            plot.removeItem(item)
        self.button.setParent(None)
        self.button.deleteLater()

    def draw(self, low: float, high: float, columns: int, log: bool) -> tuple[float, float] | None:
        """Show what is visible of [low, high] in `columns` pixels; the least and greatest y of it, if any."""
        if not self.shown or not self.series.length:
            for item in self._items:
                item.setData([], [])
            return None
        smooth = self._smooth
        x, y = self._visible(self.series.y, low, high, columns, log)
        bold = smooth or self.style.bold
        # A band of strokes side by side looks the same without antialiasing, and paints several times faster.
        self.raw.setData(*((x, y) if smooth else ([], [])), antialias=len(x) <= columns)
        self.line.setData(
            *(self._visible(self.series.smoothed, low, high, columns, log, mean=True) if bold else (x, y))
        )
        known = np.isfinite(y)
        lonely = known.sum() == 1  # a line of one point would be invisible
        dotted = lonely or (self.style.points and known.sum() <= FEW_POINTS)
        self.dots.setData(*((x[known], y[known]) if dotted else ([], [])))
        extents = [y, *self._draw_band(low, high, columns, log)]
        values = np.concatenate([extent[np.isfinite(extent)] for extent in extents])
        return (float(values.min()), float(values.max())) if len(values) else None

    def _draw_band(self, low: float, high: float, columns: int, log: bool) -> list[np.ndarray]:
        """Fill what lies between its borders; their y."""
        if self.band is None:
            return []
        (x, least), (_, greatest) = (self._visible(border, low, high, columns, log, mean=True) for border in self.band)
        self.area.setData(np.concatenate([x, x[::-1]]), np.concatenate([least, greatest[::-1]]))
        return [least, greatest]

    def columns(self, title: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """What a table has of it where it is called `title`: headings, x and y."""
        borders = zip(("least", "greatest"), self.band or (), strict=False)
        found = [(f"{title}, {which}", self.series.x, border) for which, border in borders]
        return [(title, self.series.x, self.series.y), *found]

    def _visible(
        self, y: np.ndarray, low: float, high: float, columns: int, log: bool, *, mean: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        x, y = decimate(self.series.x, y, low, high, columns, mean=mean)
        if log:
            y = np.log10(y, out=np.full_like(y, np.nan), where=y > 0)
        return x, np.where(np.isfinite(y), y, np.nan)

    def show_value(self, at: int | None) -> None:
        """Write the value at a point, or the last one, beside the title."""
        short = self.button.fontMetrics().elidedText(self.short, Qt.TextElideMode.ElideMiddle, LONGEST)
        words = isolated(short).replace("&", "&&")
        if self.series.length and not self.style.planned:
            words += f" {units.number(float(self.series.y[-1 if at is None else at]))}"
        self.button.setText(words)

    def recolour(self) -> None:
        """Take pens and brushes from the theme anew."""
        colour = self.colour
        pen = pg.mkPen(translucent(colour.name(), 0.6) if self.style.planned else colour, width=1)
        pen.setWidth(BOLD if self._smooth or self.style.bold else 1)
        pen.setStyle(Qt.PenStyle.DashLine if self.style.planned else Qt.PenStyle.SolidLine)
        self.line.setPen(pen)
        self.raw.setPen(pg.mkPen(translucent(colour.name(), 0.35), width=1))
        self.area.setBrush(translucent(colour.name(), 0.15))
        self.dots.setBrush(None if self.style.ring else colour)
        self.dots.setPen(pg.mkPen(colour, width=BOLD) if self.style.ring else None)
        self.button.setIcon(dot(colour, filled=self.shown, dashed=self.style.planned))


def dot(colour: QColor, *, filled: bool = True, dashed: bool = False) -> QIcon:
    """The mark of a curve in its legend, and wherever else it is named."""
    pixmap = QPixmap(20, 20)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(colour)
    painter.setBrush(colour if filled else Qt.BrushStyle.NoBrush)
    if dashed:
        for left in (0, 12):
            painter.drawRect(left, 8, 7, 3)
    else:
        painter.drawEllipse(3, 3, 13, 13)
    painter.end()
    return QIcon(pixmap)
