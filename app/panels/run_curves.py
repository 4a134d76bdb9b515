"""Curves of several runs in one plot: a loss or a metric, by steps, by tokens or by the time that the steps took; of
runs that are taken together, their mean."""

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.bidirectional import isolated
from app.history import Array, History
from app.metrics import metric_title
from app.repeats import together
from app.run_rows import distinct, shared
from app.run_watch import RunFacts, RunFollower
from app.session import Session
from app.theme import GRID
from app.widgets.combo import ElidedCombo
from app.widgets.curve import CurveStyle
from app.widgets.empty_state import EmptyState
from app.widgets.live_plot import LivePlot
from app.widgets.segments import Segments

AXES = {"step": "Steps", "tokens": "Tokens", "seconds": "Time"}
X_NAMES = {"step": "step", "tokens": "token", "seconds": "second"}
COMBO = 20 * GRID
NARROW_COMBO = 12 * GRID
LOSSES = {"loss": "Validation loss", "training_loss": "Training loss"}
VALIDATION, TRAINING = LOSSES


class RunCurves(QWidget):
    """Follows the runs that it is given, live, while they can be seen."""

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="run_curves")
        self._session = session
        self._followers: dict[str, RunFollower] = {}
        self._shown: tuple[Sequence[Sequence[RunFacts]], Mapping[str, int], str] = (), {}, ""
        self._groups: dict[str, Sequence[RunFacts]] = {}
        self.plot = LivePlot(objectName="plot_runs", accessibleName="Curves of the runs")
        self._what = ElidedCombo(objectName="field_curves_what", accessibleName="What is drawn of each run")
        self._what.setMinimumWidth(NARROW_COMBO)
        self._what.setMaximumWidth(COMBO)
        for name, title in LOSSES.items():
            self._what.addItem(title, name)
        self._what.setCurrentIndex(max(self._what.findData(session.settings.get("compare.what", VALIDATION)), 0))
        self._by = Segments(objectName="curves_by")
        self._by.set_choices(list(AXES.items()), session.settings.get("compare.by", "step"))
        self._empty = EmptyState(
            icon_name="chart-line",
            heading="Not validated yet",
            sentence="None of these runs has a validation loss yet. The training loss is there from the first step.",
            action="Draw the training loss",
            action_name="action_draw_training_loss",
        )
        self._lay_out()
        self.plot.exporter.failed.connect(lambda sentence: session.notify("error", sentence))
        self._empty.action_triggered.connect(lambda: self._what.setCurrentText(LOSSES[TRAINING]))
        self._what.currentIndexChanged.connect(self._on_what_changed)
        self._by.chosen.connect(self._on_by_chosen)
        self._describe()

    def _lay_out(self) -> None:
        self.plot.heading.hide()  # the choice says it
        row = QHBoxLayout(spacing=GRID)
        row.addWidget(self._what, 1)
        row.addStretch(1)
        for each in (self._by, *self.plot.tools):
            row.addWidget(each)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.plot)
        self._stack.addWidget(self._empty)
        column = QVBoxLayout(self, spacing=GRID)
        column.setContentsMargins(0, GRID, GRID, 0)
        column.addLayout(row)
        column.addWidget(self._stack, 1)

    def show_runs(self, groups: Sequence[Sequence[RunFacts]], colours: Mapping[str, int], bold: str = "") -> None:
        """Draw a curve for each group in its colour of the series, that with the id `bold` as a thicker line; others
        go."""
        self._shown = groups, colours, bold
        self._groups = {"+".join(sorted(facts.id for facts in group)): group for group in groups}
        for gone in self._followers.keys() - {facts.id for group in groups for facts in group}:
            self._followers.pop(gone).stop()
        for gone in self.plot.curves.keys() - self._groups.keys():
            self.plot.remove_series(gone)
        titles = [shared([facts.label for facts in group]) for group in groups]
        for (name, group), title, short in zip(self._groups.items(), titles, distinct(titles), strict=True):
            chosen = any(facts.id == bold for facts in group)
            style = CurveStyle(
                f"series:{colours[group[0].id]}", smoothed=self._of_steps, bold=chosen, points=not self._of_steps
            )
            if name not in self.plot.curves:
                self.plot.add_series(name, style, title)
                self._follow(group)
                self._draw(name)
            self.plot.restyle(name, style, f"{isolated(short)}:")
        self._say()

    def _follow(self, group: Sequence[RunFacts]) -> None:
        for facts in group:
            if facts.id not in self._followers:
                self._followers[facts.id] = self._follower(facts)

    def _follower(self, facts: RunFacts) -> RunFollower:
        follower = RunFollower(facts.run, self)
        follower.advanced.connect(lambda _: self._on_advanced(facts.id))
        follower.failed.connect(lambda sentence: self._session.notify("error", sentence))
        follower.attend(self.isVisible())
        return follower

    @property
    def _of_steps(self) -> bool:
        """Whether there is a point for each step."""
        return bool(self._what.currentData() == TRAINING)

    def _on_advanced(self, run_id: str) -> None:
        if run_id not in self._followers:
            return  # what was being read when it went
        metrics = {name for event in self._followers[run_id].history.evaluations[-1:] for name in event.metrics}
        for name in sorted(name for name in metrics if self._what.findData(name) < 0):
            self._what.addItem(metric_title(name), name)
            if name == self._session.settings.get("compare.what", VALIDATION):
                self._what.setCurrentIndex(self._what.count() - 1)
        for name, group in self._groups.items():
            if any(facts.id == run_id for facts in group):
                self._draw(name)

    def _draw(self, name: str) -> None:
        curves = [self._points(self._followers[facts.id].history) for facts in self._groups[name]]
        if len(curves) == 1:
            self.plot.set_series(name, *curves[0])
            return
        found = together(curves)
        self.plot.set_series(name, found.x, found.mean)
        if not self._of_steps:
            self.plot.set_band(name, found.low, found.high)

    def _points(self, history: History) -> tuple[Array, Array]:
        what, axis = self._what.currentData(), self._by.value
        steps, values = history.series("loss")
        at = steps
        if what != TRAINING:
            at, values = history.validation(what)
        if axis == "step":
            return at, values
        spent = np.append(0.0, history.spent(axis))
        return spent[np.searchsorted(steps, at, side="right")], values

    def _describe(self) -> None:
        unit = "nats" if self._what.currentData() in LOSSES else ""
        self.plot.describe(self._what.currentText(), unit, X_NAMES[self._by.value])

    def _say(self) -> None:
        """Where none has been validated, how to see them all the same."""
        groups = self._shown[0]
        validated = any(facts.best_loss is not None for group in groups for facts in group)
        nothing = groups and not validated and self._what.currentData() == VALIDATION
        self._stack.setCurrentWidget(self._empty if nothing else self.plot)

    def _on_what_changed(self) -> None:
        self._session.settings.set("compare.what", self._what.currentData())
        self._describe()
        self.plot.clear()
        self.show_runs(*self._shown)

    def _on_by_chosen(self, axis: str) -> None:
        self._session.settings.set("compare.by", axis)
        self._describe()
        for name in self._groups:
            self._draw(name)
        self.plot.reset_view()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        for follower in self._followers.values():
            follower.attend(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        for follower in self._followers.values():
            follower.attend(False)
