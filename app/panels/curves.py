"""The live curves of a run: loss, the task's metrics, learning rate with its whole plan, gradient norm, tokens per
second, and of one in fp16 what its loss is multiplied by."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QMenu, QSlider, QWidget

from app.background import in_background
from app.history import MEASURES, Block, History
from app.lineage import Lineage
from app.panels.metric_plot import MetricPlot, draw_ring
from app.run_watch import RunFacts
from app.session import Session
from app.theme import GRID, icon
from app.widgets.curve import CurveStyle
from app.widgets.live_plot import LivePlot
from tfmcore.config import TASKS, Config
from tfmcore.config.schedules import learning_rate
from tfmcore.messages import Changed, Evaluated, Failed, Noticed, Started, Warned
from tfmcore.runs import Checkpoint

PLAN_POINTS = 400
COLUMNS = 12
"""Of the grid: of three plots side by side each takes four, of four three."""
PLOTS = {
    "loss": ("Loss", "nats", "loss"),
    "learning_rate": ("Learning rate", "", "learning_rate"),
    "gradient_norm": ("Gradient norm", "", "gradient_norm"),
    "speed": ("Speed", "tokens/s", "tokens_per_second"),
}


class Curves(QWidget):
    """Draws a History; `advance` adds what has come since. `toolbar` is for its page to place."""

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="curves")
        self.plots = {
            name: LivePlot(title=title, unit=unit, objectName=f"plot_{name}")
            for name, (title, unit, _) in PLOTS.items()
        }
        self._scale = LivePlot(self, title="Loss scale", log=True, smoothing=0.0, objectName="plot_loss_scale")
        self._metrics = MetricPlot()
        self._history = History()
        self._best: int | None = None
        self._branch: int | None = None
        self._arranged: tuple[bool, bool] | None = None
        self._smoothing = QSlider(
            Qt.Orientation.Horizontal, objectName="field_smoothing", minimum=0, maximum=99, value=90
        )
        self._smoothing.setFixedWidth(120)
        self._smoothing.setAccessibleName("Smoothing of the training curves")
        self._smoothing.setToolTip("Exponential smoothing of the training curves; the raw line stays faint behind")
        self.toolbar = QWidget(objectName="curves_toolbar")
        self._lay_out()
        self._smoothing.valueChanged.connect(self._on_smoothing_changed)
        self._smoothing.sliderReleased.connect(self._remember_smoothing)
        for plot in self._all:
            plot.exporter.failed.connect(lambda sentence: session.notify("error", sentence))
        self.plots["loss"].setContextMenuPolicy(Qt.ContextMenuPolicy.DefaultContextMenu)
        self.plots["loss"].asked.connect(self._on_loss_asked)
        self._session = session
        self._smoothing.setValue(session.settings.get("train.smoothing", self._smoothing.value()))
        first, *others = self._all
        for plot in others:
            plot.link_x(first)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self.toolbar, spacing=GRID)
        row.setContentsMargins(0, 0, GRID, 0)
        label = QLabel("Smoothing")
        label.setProperty("role", "muted")
        row.addWidget(label)
        row.addWidget(self._smoothing)
        self._grid = QGridLayout(self, horizontalSpacing=2 * GRID, verticalSpacing=GRID)
        self._grid.setContentsMargins(0, GRID, 0, 0)
        for column in range(COLUMNS):
            self._grid.setColumnStretch(column, 1)
        self._grid.setRowStretch(0, 3)
        self._grid.setRowStretch(1, 2)
        self._arrange()

    @property
    def _all(self) -> list[LivePlot]:
        return [*self.plots.values(), self._metrics, self._scale]

    def _arrange(self) -> None:
        """The loss, and as wide as one of those below the metrics where there are any; below as many as there are."""
        there = bool(self._metrics.curves), bool(self._scale.curves)
        if there == self._arranged:
            return
        self._arranged = there
        loss, *others = self.plots.values()
        below = [*others, self._scale] if self._scale.curves else others
        width = COLUMNS // len(below)
        room = COLUMNS - width if self._metrics.curves else COLUMNS
        for plot in self._all:
            self._grid.removeWidget(plot)
        self._grid.addWidget(loss, 0, 0, 1, room)
        self._grid.addWidget(self._metrics, 0, COLUMNS - width, 1, width)
        for place, plot in enumerate(below):
            self._grid.addWidget(plot, 1, place * width, 1, width)
        for plot in (self._metrics, self._scale):
            plot.setVisible(bool(plot.curves))

    def show_run(self, history: History, config: Config | None) -> None:
        """Draw another run from its beginning."""
        for plot in self._all:
            plot.clear()
        self._metrics.main = TASKS[config.data.task].metric if config else ""
        self._history, self._best, self._branch = history, None, None
        self.plots["learning_rate"].add_series("training", CurveStyle(colour="training", bold=True), title="done")
        if config:
            self._draw_plan(config)
        self._redraw(history)
        self._draw_scale(history)
        self._arrange()
        for item in history.notables:
            self._mark(item)

    def show_best(self, step: int | None) -> None:
        """Put a ring around what the validation found at the step of the best checkpoint."""
        if step != self._best:
            self._best = step
            self._draw_best()

    def _draw_best(self) -> None:
        found = [event for event in self._history.evaluations if event.step == self._best][-1:]
        draw_ring(self.plots["loss"], [(event.step, event.loss) for event in found])
        self._metrics.draw_best(found)

    def show_lineage(self, found: Lineage) -> None:
        """Draw what the run's ancestors learned before it, faint; the legend hides it."""
        for name, points in (("training", found.training), ("validation", found.validation)):
            if len(points[0]):
                style = CurveStyle(colour="muted", smoothed=name == "training", points=name == "validation")
                title = found.label if name == "training" else f"{found.label}, {name}"
                self.plots["loss"].add_series(f"parent {name}", style, title)
                self.plots["loss"].set_series(f"parent {name}", *points)
        self._branch = found.step
        self._mark_branch()

    def advance(self, history: History, items: Sequence[object]) -> None:
        """Draw what has been added to the history; a restart, which voids points, draws all anew."""
        if any(isinstance(item, Started) for item in items):
            self._redraw(history)
            for plot in self._all:
                plot.chart.clear_markers()
            self._mark_branch()
            items = history.notables
        else:
            self._add([item for item in items if isinstance(item, Block)])
            evaluations = [(item.step, item.loss) for item in items if isinstance(item, Evaluated)]
            if evaluations:
                self.plots["loss"].extend("validation", *np.array(evaluations, dtype=float).T)
                self._draw_metrics(history)
        self._draw_scale(history)
        self._arrange()
        for item in items:
            self._mark(item)

    def _add(self, blocks: list[Block]) -> None:
        if blocks:
            steps = np.concatenate([block.steps for block in blocks])
            measures = np.concatenate([block.measures for block in blocks])
            for plot, (_, _, measure) in zip(self.plots.values(), PLOTS.values(), strict=True):
                plot.extend("training", steps, measures[:, MEASURES.index(measure)])

    def _redraw(self, history: History) -> None:
        for name, (_, _, measure) in PLOTS.items():
            self.plots[name].set_series("training", *history.series(measure))
        self.plots["loss"].set_series("validation", *history.validation())
        self._draw_metrics(history)

    def _draw_metrics(self, history: History) -> None:
        self._metrics.draw(history)
        self._draw_best()

    def _draw_scale(self, history: History) -> None:
        """Each step down is a step of the training that was left out; other precisions have no such plot."""
        steps, scales = history.loss_scale()
        if len(steps):
            self._scale.set_series("scale", steps, scales)
        else:
            self._scale.remove_series("scale")

    def _draw_plan(self, config: Config) -> None:
        """The whole planned schedule: as many points as a screen shows of all, and as many that are denser the nearer
        they are to its beginning, which is seen first."""
        last = config.training.steps
        found = [space(1, last, PLAN_POINTS) for space in (np.linspace, np.geomspace)]
        steps = np.unique(np.concatenate(found).round())
        plan = [learning_rate(config.training, config.model.d_model, int(step)) for step in steps]
        self.plots["learning_rate"].set_series("planned", steps, plan)

    def _mark_branch(self) -> None:
        if self._branch is not None:
            self.plots["loss"].add_marker(self._branch, "branch", "accent")

    def _mark(self, item: object) -> None:
        match item:
            case Changed(setting="learning_rate"):
                self.plots["learning_rate"].add_marker(item.step, item.words, "accent")
            case Noticed():
                plot = "gradient_norm" if item.layer else "loss"
                self.plots[plot].add_marker(item.step, item.what.replace("_", " "), "bad")
            case Warned():
                self.plots["loss"].add_marker(item.step, "warning", "warning")
            case Failed():
                self.plots["loss"].add_marker(item.step, "failed", "bad")

    def _on_loss_asked(self, x: float, where: QPoint) -> None:
        """Offer to branch from the checkpoints that the run keeps, the nearest before `x` first."""
        if facts := self._session.runs.find(self._session.run_id):
            offer = partial(self._offer, facts, x, where)
            in_background(self, facts.run.checkpoints, offer, self._on_failed)

    def _offer(self, facts: RunFacts, x: float, where: QPoint, found: list[Checkpoint]) -> None:
        menu = QMenu(self, objectName="branch_menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for step in sorted((checkpoint.step for checkpoint in found), key=lambda step: (step > x, abs(step - x))):
            action = menu.addAction(icon("source-branch"), f"Branch from step {step:,}…")
            action.triggered.connect(partial(self._session.branch_from, facts, step))
        if not found:
            menu.addAction("No checkpoint to branch from yet").setEnabled(False)
        menu.addSeparator()
        menu.addActions(self.plots["loss"].actions())
        menu.popup(where)

    def _on_failed(self, error: Exception) -> None:
        self._session.notify("error", str(error))

    def _on_smoothing_changed(self, value: int) -> None:
        for plot in self.plots.values():
            plot.set_smoothing(value / 100)
        if not self._smoothing.isSliderDown():
            self._remember_smoothing()

    def _remember_smoothing(self) -> None:
        self._session.settings.set("train.smoothing", self._smoothing.value())
