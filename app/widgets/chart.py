"""The area of a live plot: its axes, its crosshair, its markers, and the range on show."""

from __future__ import annotations

import sys
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetricsF, QPainter
from PySide6.QtWidgets import QWidget

from app.theme import GRID, body_font, theme, themes, translucent
from tfmcore import units

Extent = tuple[float, float]
LINE = 12
"""The pixels that a number on an axis needs from the one above."""
LABEL = 0.94
"""How high in the area the labels of markers stand, as a share of its height."""
MOST_LABELS = 4
"""So many stand below each other."""

Levels = list[tuple[float | None, list[float]]]


class Ticks(pg.AxisItem):
    """An axis whose numbers are easy to read: "25,000", "0.0005"."""

    def logTickValues(self, minVal: float, maxVal: float, size: float, stdTicks: Levels) -> Levels:
        """Within a decade 1, 2 and 5: all others would stand upon each other; where few of those are in sight, also
        others that have room."""
        levels: Levels = super().logTickValues(minVal, maxVal, size, stdTicks)
        few = [[value for value in values if round(10 ** (value % 1)) in (1, 2, 5, 10)] for _, values in levels]
        apart = LINE * (maxVal - minVal) / max(size, 1.0)
        for (spacing, values), chosen in zip(levels, few, strict=True):
            if spacing is None and len(chosen) <= 2:
                for value in values:
                    if all(abs(value - other) >= apart for other in chosen):
                        chosen.append(value)
        return [
            (spacing, chosen if spacing is None else values)
            for (spacing, values), chosen in zip(levels, few, strict=True)
        ]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.logMode:  # whose range is that of the plain axis until the plot has found its own
            return [units.number(10**value, 3) if value <= sys.float_info.max_10_exp else "" for value in values]
        every = self._every(values, spacing) if self.orientation == "bottom" else 1
        shown = [not spacing or round(value / spacing) % every == 0 for value in values]
        return [plain(value) if told else "" for value, told in zip(values, shown, strict=True)]

    def generateDrawSpecs(self, p: QPainter) -> tuple[Any, list[Any], list[Any]] | None:
        """Of numbers that would stand upon each other only the first."""
        specs = super().generateDrawSpecs(p)
        if specs is None:
            return None
        line, ticks, texts = specs
        told: list[Any] = []
        for text in texts:
            if not any(text[0].intersects(other[0]) for other in told):
                told.append(text)
        return line, ticks, told

    def _every(self, values: list[float], spacing: float) -> int:
        """Of how many numbers in a row one is told, so that they do not touch."""
        low, high = self.range
        apart = spacing * self.geometry().width() / ((high - low) or 1.0)
        metrics = QFontMetricsF(body_font(small=True))
        widest = max((metrics.horizontalAdvance(plain(value)) for value in values), default=0.0) + GRID
        return next((every for every in (1, 2, 5, 10, 20) if every * apart >= widest), 50)


def plain(value: float) -> str:
    """ "25,000", "−0.5"."""
    return f"{value:,.6g}".replace("-", "−")


class Chart(pg.PlotWidget):
    """Signals: `pointed(x or None)` as the mouse moves, `moved` by hand, `x_changed` by anyone, `reset_wanted`."""

    pointed = Signal(object)
    moved = Signal()
    x_changed = Signal()
    reset_wanted = Signal()

    def __init__(self, parent: QWidget | None = None, *, x_name: str = "step") -> None:
        super().__init__(parent, background=None, axisItems={side: Ticks(side) for side in ("left", "bottom")})
        self.setFrameShape(Chart.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the plot around it hears the keys
        self.setMenuEnabled(False)
        self.hideButtons()
        self.plot = self.getPlotItem()
        self.box = self.plot.getViewBox()
        self.box.disableAutoRange()
        self.axes = {side: self.plot.getAxis(side) for side in ("left", "bottom")}
        self.axes["left"].setWidth(52)
        self.axes["bottom"].setStyle(maxTextLevel=0)  # numbers between them would stand at unequal steps
        for axis in self.axes.values():
            axis.enableAutoSIPrefix(False)
            axis.setTickDensity(0.7)
        self.markers: list[tuple[pg.InfiniteLine, str]] = []
        self._framed = False
        self._late = QTimer(self, singleShot=True, interval=0)
        self._late.timeout.connect(self._thin_labels)
        where = {"position": 0.03, "anchors": [(0, 1), (1, 1)]}
        self.crosshair = pg.InfiniteLine(angle=90, label=" ", labelOpts=where)
        self.crosshair.label.setFont(body_font(small=True))
        self.crosshair.hide()
        self.name_x(x_name)
        self.plot.addItem(self.crosshair, ignoreBounds=True)
        self.box.sigRangeChangedManually.connect(lambda *_: self.moved.emit())
        self.box.sigXRangeChanged.connect(lambda *_: self.x_changed.emit())
        self.box.sigResized.connect(lambda *_: self.x_changed.emit())
        self.x_changed.connect(self._thin_labels)
        self.scene().sigMouseMoved.connect(self._on_mouse_moved)
        self.scene().sigMouseClicked.connect(self._on_mouse_clicked)
        themes.theme_changed.connect(self._recolour)
        self._recolour()

    def paint(self, painter: QPainter, area: QRectF) -> None:
        """Paint what is on show into `area`: of dots their shapes, which on screen are pixmaps."""
        self.point_at(None)
        dots = [item for item in self.plot.items if isinstance(item, pg.ScatterPlotItem)]
        for each in dots:
            each.setExportMode(True, {"antialias": True})
        self.render(painter, area, self.rect(), Qt.AspectRatioMode.IgnoreAspectRatio)
        for each in dots:
            each.setExportMode(False)

    @property
    def x_range(self) -> Extent:
        low, high = self.box.viewRange()[0]
        return low, high

    @property
    def columns(self) -> int:
        """The width of the area in pixels."""
        return max(int(self.box.width()), 16)

    def x_at(self, point: QPoint) -> float:
        """What stands at a point of this widget."""
        return float(self.box.mapSceneToView(self.mapToScene(point)).x())

    def frame_area(self, framed: bool) -> None:
        """Show that the plot hears the keys."""
        self._framed = framed
        self.box.setBorder(theme().accent if framed else None)

    def name_x(self, name: str) -> None:
        """What the crosshair calls its place."""
        self.crosshair.label.setFormat(f"{name} {{value:,.10g}}")

    def show_x(self, low: float, high: float, pad: float = 0.0) -> None:
        """Show [low, high] with a share `pad` of it at each end."""
        around = (high - low) * pad or (0.0 if high > low else 1.0)
        if self.x_range != (low - around, high + around):
            self.box.setXRange(low - around, high + around, padding=0)

    def show_y(self, low: float, high: float) -> None:
        """Show [low, high] with some room around it."""
        around = (high - low) * 0.06 or max(abs(low) * 0.1, 1e-6)
        self.box.setYRange(low - around, high + around, padding=0)

    def point_at(self, x: float | None) -> None:
        """Put the crosshair there; None takes it away."""
        self.crosshair.setVisible(x is not None)
        if x is not None:
            self.crosshair.setPos(x)
            self.crosshair.label.valueChanged()  # as while it was hidden it did not listen

    def add_marker(self, x: float, label: str, colour: str) -> None:
        options = {"position": LABEL, "anchors": [(0, 0.5), (1, 0.5)]}
        line = pg.InfiniteLine(pos=x, angle=90, label=label, labelOpts=options)
        line.label.setFont(body_font(small=True))
        self.plot.addItem(line, ignoreBounds=True)
        self.markers.append((line, colour))
        _colour_marker(line, colour)
        self._late.start()  # once for all that come together

    def _thin_labels(self) -> None:
        """Labels that would stand upon each other stand below each other, but the same words only once; zooming in
        brings the others back."""
        low, high = self.x_range
        taken: list[tuple[float, float, int, str]] = []
        for line, _ in sorted(self.markers, key=lambda marker: float(marker[0].value())):
            area, at = line.label.boundingRect(), (line.value() - low) / (high - low) * self.columns
            width = area.width()
            left = at if at < self.columns / 2 else at - width  # which side of its line a label stands on
            words, touched = line.label.format, [each for each in taken if left < each[1] and each[0] < left + width]
            place = min(set(range(len(touched) + 1)) - {each[2] for each in touched})
            free = place < MOST_LABELS and words not in [each[3] for each in touched]
            line.label.setVisible(free)
            if free:
                line.label.setPosition(LABEL - place * area.height() / max(self.box.height(), 1.0))
                taken.append((left, left + width, place, words))

    def clear_markers(self) -> None:
        for line, _ in self.markers:
            self.plot.removeItem(line)
        self.markers.clear()

    def _recolour(self) -> None:
        t = theme()
        self.resetCachedContent()  # pyqtgraph keeps the painted background
        for axis in self.axes.values():
            axis.setPen(t.border)
            axis.setTextPen(t.muted)
            axis.setTickFont(body_font(small=True))
            axis.setGrid(48)
        self.crosshair.setPen(pg.mkPen(t.muted, width=1))
        self.crosshair.label.setColor(t.muted)
        self.frame_area(self._framed)
        for line, colour in self.markers:
            _colour_marker(line, colour)

    def _on_mouse_moved(self, at: QPointF) -> None:
        inside = self.plot.sceneBoundingRect().contains(at)
        self.pointed.emit(self.box.mapSceneToView(at).x() if inside else None)

    def _on_mouse_clicked(self, event: Any) -> None:
        if event.double():
            self.reset_wanted.emit()

    def leaveEvent(self, event: Any) -> None:
        super().leaveEvent(event)
        self.pointed.emit(None)


def _colour_marker(line: pg.InfiniteLine, colour: str) -> None:
    found = getattr(theme(), colour)
    line.setPen(pg.mkPen(translucent(found, 0.7), width=1, style=Qt.PenStyle.DashLine))
    line.label.setColor(found)
