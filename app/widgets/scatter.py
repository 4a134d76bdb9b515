"""Points of runs, or of whatever has a name, each to be pointed at and clicked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.theme import theme, themes
from app.widgets.chart import Chart
from app.widgets.curve import colour_of

SIZE, MARKED, BAR = 8, 13, 28
PAD = 0.08


@dataclass(frozen=True)
class Point:
    """`words` are its tool tip, `colour` a token of the theme or "series:3"."""

    key: str
    x: float
    y: float
    words: str = ""
    colour: str = "muted"


@dataclass(frozen=True)
class Scale:
    """What the x of points are: logarithms (to base 10), or places of which only those of `ticks` mean something;
    beyond the first and the last one there is `room` for their words."""

    log: bool = False
    ticks: tuple[tuple[float, str], ...] = ()
    room: float = 0.0


class Scatter(QWidget):
    """`clicked(key)` by the mouse. All points are on show until the view is moved by hand."""

    clicked = Signal(str)

    def __init__(self, parent: QWidget | None = None, **properties: Any) -> None:
        super().__init__(parent, **properties)
        self.points: list[Point] = []
        self.marked = ""
        self._scale = Scale()
        self._follow = True
        self.chart = Chart(self)
        self.dots = pg.ScatterPlotItem(pxMode=True, hoverable=True, hoverSize=MARKED, tip=_words)
        self.bars = pg.ScatterPlotItem(pxMode=True, symbol="_", size=BAR, pen=None)
        for item in (self.bars, self.dots):
            self.chart.plot.addItem(item, ignoreBounds=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.chart)
        self.dots.sigClicked.connect(lambda _, dots, *__: self.clicked.emit(dots[0].data().key))
        self.chart.reset_wanted.connect(self.show_all)
        self.chart.moved.connect(self._on_moved)
        themes.theme_changed.connect(self._draw)

    def set_points(
        self, points: Sequence[Point], scale: Scale, marked: str = "", bars: Sequence[tuple[float, float]] = ()
    ) -> None:
        """Draw these, the one whose key is `marked` larger and above the others; `bars` (x, y) lie behind them."""
        self._follow |= scale != self._scale
        self.points, self._scale, self.marked = sorted(points, key=lambda point: point.key == marked), scale, marked
        axis = self.chart.axes["bottom"]
        axis.setLogMode(scale.log)
        axis.setTicks([scale.ticks] if scale.ticks else None)
        self.bars.setData(pos=np.array(bars).reshape(-1, 2))
        self._draw()
        if self._follow:
            self.show_all()

    def show_all(self) -> None:
        """All points, and some room around them."""
        self._follow = True
        if self.points:
            x, y = ([getattr(point, name) for point in self.points] for name in "xy")
            self.chart.show_x(min(x) - self._scale.room, max(x) + self._scale.room, pad=PAD)
            self.chart.show_y(min(y), max(y))

    def _on_moved(self) -> None:
        self._follow = False

    def _draw(self) -> None:
        brushes = {colour: pg.mkBrush(colour_of(colour)) for colour in {point.colour for point in self.points}}
        self.dots.setData(
            x=np.array([point.x for point in self.points]),
            y=np.array([point.y for point in self.points]),
            size=[MARKED if point.key == self.marked else SIZE for point in self.points],
            brush=[brushes[point.colour] for point in self.points],
            pen=pg.mkPen(theme().surface, width=1),
            data=self.points,
        )
        self.bars.setBrush(theme().text)

    def sizeHint(self) -> QSize:
        return QSize(420, 240)


def _words(x: float, y: float, data: Point) -> str:
    return data.words
