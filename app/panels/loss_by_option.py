"""The validation loss (or bits per byte) of many runs over an option that they differ in, and how strongly it goes with
it."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSizeF
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from app.panels.run_curves import COMBO
from app.run_watch import RunFacts
from app.session import Session
from app.sheet_rows import LOSS, Column, is_number, measure_of
from app.theme import GRID, body_font, icon, theme
from app.widgets.combo import ElidedCombo
from app.widgets.elided_label import ElidedLabel
from app.widgets.export import Exporter
from app.widgets.live_plot import RESET_ICON
from app.widgets.scatter import Point, Scale, Scatter

FEW_VALUES = 8
"""So many numbers have a tick each."""
FAR_APART = 20
"""Numbers of which the greatest is so many times the least stand on a logarithmic axis."""
LETTERS, FEW_LETTERS = 60, 6
"""There is room for so many below the dots, in all; and of a word so many are left."""
LEAST = 4
"""Of fewer runs nothing is said of how strongly a loss goes with an option."""
STRENGTH = (
    "Spearman's rank correlation with the loss: −1 if a larger value always goes with a lower loss, 1 where with a "
    "higher one, 0 where with neither"
)
HEAD = 24.0


def scaled(column: Column, values: Sequence[Any]) -> tuple[list[float], Scale]:
    """Where values stand: numbers by their size, whatever else beside each other in the order of its words."""
    if all(map(is_number, values)):
        log = min(values) > 0 and max(values) >= FAR_APART * min(values)
        places = np.log10(values) if log else np.array(values, dtype=float)
        few = dict(zip(places.tolist(), values, strict=True))
        ticks = tuple((place, column.words(few[place])) for place in sorted(few)) if len(few) <= FEW_VALUES else ()
        return places.tolist(), Scale(log, ticks)
    names = [column.words(value) for value in values]
    order = sorted(set(names), key=str.casefold)
    letters = max(LETTERS // len(order), FEW_LETTERS)
    ticks = tuple(enumerate(name if len(name) <= letters else f"{name[: letters - 1]}…" for name in order))
    return [float(order.index(name)) for name in names], Scale(ticks=ticks, room=0.5)


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Spearman's: 1 where y rises with x, -1 where it falls; None where one of them does not vary."""
    ranks = [_ranks(np.asarray(values, dtype=float)) for values in (x, y)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Equal values share the mean of their places."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: np.ndarray = (ends - (counts - 1) / 2)[which]
    return means


def means(points: Sequence[Point]) -> list[tuple[float, float]]:
    """The mean y of points at the same x, where some are."""
    found = defaultdict[float, list[float]](list)
    for point in points:
        found[point.x].append(point.y)
    return [(x, statistics.mean(y)) for x, y in found.items() if len(y) > 1]


class LossByOption(QWidget):
    """A dot for each run that has been validated; a click chooses it."""

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="loss_by_option")
        self._session = session
        self._columns: list[Column] = []
        self._measure, self._comparable, self._heading = LOSS, True, QLabel()
        self._shown: tuple[Sequence[RunFacts], Mapping[str, int]] = (), {}
        self._option = ElidedCombo(objectName="field_by_option", accessibleName="The option that the runs differ in")
        self._option.setMinimumWidth(COMBO)
        self._strength = ElidedLabel(objectName="by_option_strength")
        self._strength.setProperty("role", "muted")
        self.scatter = Scatter(objectName="scatter_by_option", accessibleName="Validation loss by an option")
        self.exporter = Exporter(self, name="Loss by option", paint=self.paint_figure, table=self.table)
        self._lay_out()
        self._option.currentIndexChanged.connect(self._draw)
        self.scatter.clicked.connect(session.choose_run)
        self.exporter.failed.connect(lambda sentence: session.notify("error", sentence))

    def _lay_out(self) -> None:
        self._heading.setProperty("role", "heading")
        reset = QToolButton(
            objectName="by_option_reset", toolTip="Show everything (double-click)", accessibleName="Reset"
        )
        reset.setProperty("kind", "quiet")
        reset.setIcon(icon(RESET_ICON, "muted"))
        reset.clicked.connect(self.scatter.show_all)
        row = QHBoxLayout(spacing=GRID)
        row.addWidget(self._heading)
        row.addWidget(self._option)
        row.addWidget(self._strength)
        row.addStretch(1)
        row.addWidget(reset)
        row.addWidget(self.exporter.button(object_name="by_option_export", parent=self))
        column = QVBoxLayout(self, spacing=GRID)
        column.setContentsMargins(GRID, GRID, 0, 0)
        column.addLayout(row)
        column.addWidget(self.scatter, 1)

    def show_runs(self, runs: Sequence[RunFacts], columns: list[Column], colours: Mapping[str, int]) -> None:
        """Draw these over one of the columns; those with a colour of their own have it here, too."""
        self._comparable = (measure := measure_of(runs, columns)) is not None
        self._measure = measure or LOSS
        self._shown = [facts for facts in runs if facts.config and self._measure.value(facts) is not None], colours
        self._heading.setText(f"{self._measure.title} by")
        names = [column.name for column in columns]
        if names != [column.name for column in self._columns]:
            before = self._option.currentData()
            self._option.blockSignals(True)
            self._option.clear()
            for column in columns:
                self._option.addItem(column.title, column.name)
            self._option.setCurrentIndex(names.index(before) if before in names else 0)
            self._option.blockSignals(False)
        self._columns = columns
        self.setVisible(bool(columns and self._shown[0]))
        self._draw()

    @property
    def _column(self) -> Column | None:
        return self._columns[max(self._option.currentIndex(), 0)] if self._columns else None

    def _draw(self) -> None:
        runs, colours = self._shown
        column = self._column
        if column is None or not runs:
            self.scatter.set_points([], Scale())
            self._strength.clear()
            return
        values = [column.value(facts) for facts in runs]
        places, scale = scaled(column, values)
        measure = self._measure
        measured = list(map(measure.value, runs))
        points = [
            Point(
                facts.id,
                place,
                y,
                f"{facts.label}\n{column.title}: {column.words(value)}\n{measure.title}: {measure.words(y)}",
                f"series:{colours[facts.id]}" if facts.id in colours else "muted",
            )
            for facts, place, value, y in zip(runs, places, values, measured, strict=True)
        ]
        self.scatter.set_points(points, scale, self._session.run_id, means(points))
        self._say(values, measured)

    def _say(self, values: Sequence[Any], losses: Sequence[float]) -> None:
        """How strongly the loss goes with the option, where that can be said."""
        known = all(map(is_number, values)) and len(values) >= LEAST
        strength = rank_correlation(values, losses) if known else None
        words = "" if strength is None else f"ρ = {strength:.2f}".replace("-", "−")
        self._strength.setText(words if self._comparable else "not the same tokens")
        self._strength.setToolTip(STRENGTH if self._comparable else "These runs do not learn from the same tokens")

    def table(self) -> Iterable[Sequence[object]]:
        """A row for each dot."""
        if not (column := self._column):
            return []
        dots = [(facts.id, facts.label, column.value(facts), self._measure.value(facts)) for facts in self._shown[0]]
        return [("id", "run", column.name, self._measure.name), *dots]

    def paint_figure(self, painter: QPainter, size: QSizeF) -> None:
        """Paint the title and the dots."""
        painter.setFont(body_font(small=True, bold=True))
        painter.setPen(QColor(theme().text))
        title = f"{self._heading.text()} {self._option.currentText()}  {self._strength.text()}"
        painter.drawText(QPointF(GRID, 16), title)
        self.scatter.chart.paint(painter, QRectF(0, HEAD, size.width(), size.height() - HEAD))
