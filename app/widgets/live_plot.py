"""A plot of curves that grow while one watches: smooth at a million points, honest about gaps and outliers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, QSizeF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QFocusEvent, QKeyEvent, QPainter, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app.actions import make_action
from app.theme import GRID, body_font, icon, theme, themes
from app.widgets.chart import Chart
from app.widgets.curve import RING, Curve, CurveStyle
from app.widgets.elided_label import ElidedLabel
from app.widgets.export import Exporter
from app.widgets.flow import Flow
from app.widgets.focus import put_in_order

VIEW_MS, DATA_MS = 16, 100
"""How long after a movement, and after a new point, a frame is drawn: together with whatever else came meanwhile."""
APART_MS = 25
"""So far apart linked plots draw new points, for all at once would keep the window busy for longer than a frame."""
AHEAD = 4
"""So many times as far as has been drawn is shown of what is planned."""
LEGEND_LINE = 2 * GRID
ZOOM = 1.25
NARROW = 28 * GRID
RESET_ICON = "fit-to-screen-outline"
DEFAULT_STYLES: dict[str, CurveStyle] = {
    "training": CurveStyle(colour="training", smoothed=True),
    "validation": CurveStyle(colour="validation", points=True),
    "planned": CurveStyle(colour="training", planned=True),
    "learning_rate": CurveStyle(colour="training", bold=True),
    "scale": CurveStyle(colour="training", bold=True),
}


class LivePlot(QWidget):
    """Named series over a common x, usually steps; `crosshair_moved(x or None)` as the mouse moves, and with a context
    menu of one's own `asked(x, where on the screen)` by the right button or the menu key.

    "training" is blue and smoothed with its raw line kept faint, "validation" orange with points, "planned" faint and
    dashed; other series take the next colour, or the style given to `add_series`.
    """

    crosshair_moved = Signal(object)
    asked = Signal(float, QPoint)

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        title: str = "",
        x_name: str = "step",
        unit: str = "",
        smoothing: float = 0.9,
        log: bool = False,
        **properties: Any,
    ) -> None:
        super().__init__(parent, **({"accessibleName": f"Plot of {title}"} | properties))
        self.title, self.x_name, self.smoothing = title, x_name, smoothing
        self.curves: dict[str, Curve] = {}
        self._linked: list[LivePlot] = [self]
        self._follow = True
        self._lay_out(log)
        self.describe(title, unit, x_name)
        self._wire()

    def _lay_out(self, log: bool) -> None:
        self.chart = Chart(self, x_name=self.x_name)
        self.heading = ElidedLabel()
        self.heading.setProperty("role", "heading")
        self.log = self._tool("log", "Logarithmic axis (L)", text="Log", checkable=True, checked=log)
        self.reset = self._tool("reset", "Show everything (R, or double-click)", icon=icon(RESET_ICON, "muted"))
        self.exporter = Exporter(self, name=self.title or "plot", paint=self.paint_figure, table=self.table)
        self.export = self.exporter.button(object_name=f"{self.objectName()}_export", parent=self)
        self.legend = Flow(spacing=GRID // 2)
        header = QHBoxLayout(spacing=0)
        header.addWidget(self.heading)
        header.addStretch(1)
        self.tools = self.log, self.reset, self.export
        for button in self.tools:
            header.addWidget(button)
        layout = QVBoxLayout(self, spacing=0)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(header)
        layout.addLayout(self.legend)
        layout.addWidget(self.chart)
        self.addAction(make_action(self, "log_axis", "Logarithmic axis, or not  (L)", self.log.toggle))
        self.addAction(make_action(self, "show_everything", "Show everything  (R)", self.reset_view))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.frame = QTimer(self, singleShot=True)

    def _wire(self) -> None:
        self.frame.timeout.connect(self._on_frame)
        self.log.toggled.connect(self._on_log_toggled)
        self.reset.clicked.connect(self.reset_view)
        self.chart.pointed.connect(self.point_at)
        self.chart.moved.connect(self._on_moved)
        self.chart.x_changed.connect(self._on_x_changed)
        self.chart.reset_wanted.connect(self.reset_view)
        themes.theme_changed.connect(self._recolour)
        self._on_log_toggled(self.log.isChecked())

    def _tool(self, name: str, tip: str, **properties: Any) -> QToolButton:
        button = QToolButton(
            self, objectName=f"{self.objectName()}_{name}", toolTip=tip, accessibleName=tip, **properties
        )
        button.setProperty("kind", "quiet")
        button.setFont(body_font(small=True))
        return button

    # Data in

    def add_series(self, name: str, style: CurveStyle | None = None, title: str | None = None) -> Curve:
        """Declare a series before its points, to choose its style and its title in the legend."""
        style = style or DEFAULT_STYLES.get(name) or CurveStyle(colour=f"series:{self._next_colour()}")
        curve = Curve(name, title or name, style, self.chart.plot, self.smoothing)
        curve.button.setObjectName(f"{self.objectName()}_legend_{name}")
        curve.button.toggled.connect(lambda: self._schedule())
        self.legend.addWidget(curve.button)
        self.curves[name] = curve
        put_in_order(self.export, *(each.button for each in self.curves.values()))
        curve.recolour()
        return curve

    def set_series(self, name: str, x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> None:
        """Replace a series' points; not-a-number is a gap."""
        self._curve(name).series.set(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
        self._schedule_points()

    def set_band(self, name: str, low: np.ndarray, high: np.ndarray) -> None:
        """How far what a series is the mean of lies apart, at each of its points."""
        self._curve(name).band = low, high
        self._schedule_points()

    def append(self, name: str, x: float, y: float) -> None:
        """Add one point; it is drawn with the next frame."""
        self._curve(name).series.append(x, y)
        self._schedule_points()

    def extend(self, name: str, x: np.ndarray, y: np.ndarray) -> None:
        """Add many points; a million that are there already make it no slower."""
        self._curve(name).series.extend(x, y)
        self._schedule_points()

    def remove_series(self, name: str) -> None:
        curve = self.curves.pop(name, None)
        if curve is not None:
            curve.remove(self.chart.plot)
            self._schedule()

    def clear(self) -> None:
        """Take away every series and marker."""
        for name in list(self.curves):
            self.remove_series(name)
        self.chart.clear_markers()
        self.chart.show_y(0, 1)
        self.reset_view()

    def add_marker(self, x: float, label: str, colour: str = "muted") -> None:
        """A vertical line with a label; `colour` names a theme token."""
        self.chart.add_marker(x, label, colour)

    def set_smoothing(self, smoothing: float) -> None:
        """Smooth the series whose style asks for it: 0 is the raw line, 0.99 very smooth."""
        self.smoothing = smoothing
        for curve in self.curves.values():
            if curve.style.smoothed:
                curve.series.smooth(smoothing)
                curve.recolour()
        self._schedule()

    def describe(self, title: str, unit: str, x_name: str) -> None:
        """Say that something else is drawn."""
        self.title, self.x_name = title, x_name
        self.heading.setText(f"{title} ({unit})" if unit else title)
        self.exporter.name = title
        self.chart.name_x(x_name)

    def restyle(self, name: str, style: CurveStyle, short: str) -> None:
        """Draw a series in another style, with a `short` title in the legend; its points stay."""
        curve = self.curves[name]
        if (curve.style, curve.short) != (style, short):
            curve.style, curve.short = style, short
            curve.recolour()
            self._schedule()

    def link_x(self, other: LivePlot) -> None:
        """Show the same steps and the same crosshair in both plots."""
        group = [*other._linked, *(plot for plot in self._linked if plot not in other._linked)]
        for plot in group:
            plot._linked = group

    def _curve(self, name: str) -> Curve:
        return self.curves.get(name) or self.add_series(name)

    def _next_colour(self) -> int:
        return sum(curve.style.colour.startswith("series:") for curve in self.curves.values())

    # Data out

    def table(self) -> Iterable[Sequence[object]]:
        """A row for each x of any series, an empty cell where a series has none; a band is two columns more. Of titles
        that are the same, each has the name of its series behind it."""
        curves = [curve for curve in self.curves.values() if curve.series.length]
        counts = Counter(curve.title for curve in curves)
        titles = [c.title if counts[c.title] == 1 else f"{c.title} ({c.name})" for c in curves]
        found = [column for curve, title in zip(curves, titles, strict=True) for column in curve.columns(title)]
        head = [self.x_name, *(title for title, *_ in found)]
        return chain([head], joined([(x.copy(), y.copy()) for _, x, y in found]))

    def paint_figure(self, painter: QPainter, size: QSizeF) -> None:
        """Paint title, legend, in as many lines as it needs, and plot."""
        at = QPointF(GRID, LEGEND_LINE)
        painter.setPen(QColor(theme().text))
        painter.setFont(body_font(small=True, bold=True))
        painter.drawText(at, self.heading.text())
        at.setX(at.x() + painter.fontMetrics().horizontalAdvance(self.heading.text()) + 2 * GRID)
        painter.setFont(body_font(small=True))
        metrics, room = painter.fontMetrics(), size.width() - GRID
        for curve in self.curves.values():
            if curve.shown:
                title = metrics.elidedText(curve.title, Qt.TextElideMode.ElideMiddle, int(room))
                width = metrics.horizontalAdvance(title)
                if at.x() + width > room:
                    at = QPointF(GRID, at.y() + LEGEND_LINE)
                painter.setPen(curve.colour)
                painter.drawText(at, title)
                at.setX(at.x() + width + 2 * GRID)
        head = at.y() + GRID
        self.chart.paint(painter, QRectF(0, head, size.width(), size.height() - head))

    def sizeHint(self) -> QSize:
        return QSize(420, 240)

    # Drawing

    def reset_view(self) -> None:
        """Show everything, and follow new points again, in all linked plots."""
        for plot in self._linked:
            plot._follow = True
            plot._schedule()

    def redraw(self) -> None:
        """Bring ranges, lines and legend up to date; called by itself once a frame."""
        self.frame.stop()
        if self._follow:
            self._fit_x()
        low, high = self.chart.x_range
        extents = [c.draw(low, high, self.chart.columns, self.log.isChecked()) for c in self.curves.values()]
        known = [extent for extent in extents if extent is not None]
        if self._follow and known:
            self.chart.show_y(min(low for low, _ in known), max(high for _, high in known))
        if not self.chart.crosshair.isVisible():
            for curve in self.curves.values():
                curve.show_value(None)
            self._say("")

    def _fit_x(self) -> None:
        """All there is; but of what is planned no more than lets what has been drawn be seen."""
        shown = [c for plot in self._linked for c in plot.curves.values() if c.shown and c.series.length]
        if shown:
            low, high = min(c.series.x[0] for c in shown), max(c.series.x[-1] for c in shown)
            drawn = max((c.series.x[-1] for c in shown if not c.style.planned), default=low)
            if drawn > low:
                high = min(high, low + (drawn - low) * AHEAD)
            widths = [p.chart.columns for p in self._linked if p.isVisible() and any(c.style.ring for c in shown)]
            self.chart.show_x(float(low), float(high), pad=max(0.02, RING / min(widths, default=1000)))

    def _schedule_points(self) -> None:
        self._schedule(DATA_MS + APART_MS * self._linked.index(self))

    def _schedule(self, delay: int = VIEW_MS) -> None:
        if not self.frame.isActive() or self.frame.remainingTime() > delay:
            self.frame.start(delay)

    def _recolour(self) -> None:
        for curve in self.curves.values():
            curve.recolour()
        self._schedule()

    # Reacting

    def point_at(self, x: float | None) -> None:
        """Put the crosshair of all linked plots at `x`; None takes it away."""
        for plot in self._linked:
            plot.show_crosshair(x)
        self.crosshair_moved.emit(x)

    def show_crosshair(self, x: float | None) -> None:
        """Put the crosshair at the step nearest to `x` and the values there into the legend."""
        points = [(c, None if x is None else c.series.nearest(x)) for c in self.curves.values() if c.shown]
        steps = [float(c.series.x[at]) for c, at in points if at is not None and not c.style.planned]
        self.chart.point_at(min(steps, key=lambda step: abs(step - x)) if x is not None and steps else None)
        for curve, at in points:
            curve.show_value(at)
        self._say("" if x is None else f"{self.x_name} {self.chart.crosshair.value():,.10g}: ")

    def _say(self, where: str) -> None:
        """The values in the legend, for those who hear them."""
        told = [c.button.text() for c in self.curves.values() if c.shown and c.series.length and not c.style.planned]
        self.setAccessibleDescription(where + ", ".join(told).replace("&&", "&"))

    def _on_frame(self) -> None:
        if self.isVisible():  # a plot that nobody sees costs nothing; it draws when it is shown
            self.redraw()

    def _on_log_toggled(self, checked: bool) -> None:
        self.chart.axes["left"].setLogMode(checked)
        self._schedule()

    def _on_moved(self) -> None:
        for plot in self._linked:
            plot._follow = False

    def _on_x_changed(self) -> None:
        # pyqtgraph's own link aligns pixels, not steps, and goes astray with a plot that is not on show.
        for plot in self._linked:
            plot.chart.show_x(*self.chart.x_range)
        self._schedule()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A small plot has room for its title: what else it can do stands in its menu."""
        for button in (self.log, self.reset):
            button.setVisible(self.width() >= NARROW)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._schedule()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.chart.frame_area(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.chart.frame_area(False)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        x = self._here if by_key else self.chart.x_at(self.chart.mapFrom(self, event.pos()))
        self.asked.emit(x, event.globalPos())

    @property
    def _here(self) -> float:
        """Where the crosshair stands, or else the middle of what is on show."""
        return float(self.chart.crosshair.value()) if self.chart.crosshair.isVisible() else sum(self.chart.x_range) / 2

    def _beside(self, direction: int) -> float:
        """A hundredth of what is on show further, or as far as the next point where they stand wider apart."""
        low, high = self.chart.x_range
        drawn = [c.series.x for c in self.curves.values() if c.shown and not c.style.planned]
        here, ahead = self._here * direction, [(x * direction)[::direction] for x in drawn]
        further = [float(x[at]) for x in ahead if (at := np.searchsorted(x, here, side="right")) < len(x)]
        return direction * max(here + (high - low) / 100, min(further, default=here))

    def _zoom(self, factor: float) -> None:
        """Show so many times as much on both sides of the crosshair."""
        self._on_moved()
        low, high = self.chart.x_range
        self.chart.show_x(*(self._here + (end - self._here) * factor for end in (low, high)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        zooms = {Qt.Key.Key_Plus: 1 / ZOOM, Qt.Key.Key_Equal: 1 / ZOOM, Qt.Key.Key_Minus: ZOOM}
        if event.key() == Qt.Key.Key_L:
            self.log.toggle()
        elif event.key() == Qt.Key.Key_R:
            self.reset_view()
        elif event.key() in steps:
            self.point_at(self._beside(steps[Qt.Key(event.key())]))
        elif event.key() in zooms and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._zoom(zooms[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)


def joined(columns: list[tuple[np.ndarray, np.ndarray]]) -> Iterator[Sequence[object]]:
    """Rows of x and each column's y there, in order of x; "" where a column has none."""
    x = np.unique(np.concatenate([x for x, _ in columns])) if columns else np.empty(0)
    cells = np.full((len(columns), len(x)), "", dtype=object)
    for row, (at, y) in zip(cells, columns, strict=True):
        row[np.searchsorted(x, at)] = y.tolist()
    yield from zip(x.tolist(), *cells, strict=True)
