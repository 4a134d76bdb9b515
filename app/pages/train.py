"""Train: the list of runs; of the chosen one the live curves, samples, log and config, and what one can do with it."""

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.actions import named_keys
from app.background import in_background
from app.lineage import Lineage, lineage
from app.panels.curves import Curves
from app.panels.layer_curves import LayerCurves
from app.panels.run_bar import RunBar
from app.panels.run_record import ConfigText, Log
from app.panels.run_table import RunTable
from app.panels.samples import Samples
from app.run_actions import RunActions
from app.run_watch import RunFacts, RunFollower
from app.session import Session
from app.theme import GRID, icon
from app.widgets.empty_state import EmptyState
from app.widgets.speech import announce


class TrainPage(QWidget):
    """Follows one run at a time; closing the window, or another run, stops none."""

    help: ClassVar[str] = (
        "Every run trains in its own process and continues when the window is closed. Choose a run on the left to see "
        "its curves live: blue is the training loss (smoothed, with the raw line faint), orange the validation loss, "
        "dashed the planned learning rate; a ring marks the best checkpoint, and beside the loss are the validation "
        "metrics where the task has some. Below its name are its step, its epoch (passes over the training data) and "
        "the most memory that its process has taken, on a GPU what torch has. Pause, resume and stop act after the "
        "current step; a stopped or interrupted run resumes from its last checkpoint. The right button, the menu key "
        "or the three dots offer to rename a run, to make a new design from its config, to branch another run from its "
        "last checkpoint, or to delete it; in the loss plot they offer every saved checkpoint to branch from. Samples "
        "shows the model's answer to each prompt, and to the chosen one at every step: the newest is followed unless "
        "an older one is chosen; Ctrl+C copies the output. The scales above the list lead to Compare, where all runs "
        "lie side by side. In a plot the wheel, + and − zoom, dragging pans, ← and → go from point to point, L "
        "switches to a logarithmic axis and R shows everything."
    )

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="page_train")
        self._session = session
        self._follower: RunFollower | None = None
        self._shown: RunFacts | None = None
        self._place: int | None = None
        actions = RunActions(session, self)
        self.addActions([action for action in actions.all if not action.isSeparator()])
        self._table, self._bar = RunTable(session, actions), RunBar(session, actions)
        self.addActions([self._table.finding, *self._bar.acts.values()])
        self._curves, self._layers, self._samples = Curves(session), LayerCurves(session), Samples(session)
        self._log, self._config = Log(session), ConfigText(session)
        self._lay_out()
        session.runs.changed.connect(self._on_runs_changed)
        session.run_changed.connect(self._follow_chosen)
        self._on_runs_changed()
        self._follow_chosen()

    def _lay_out(self) -> None:
        self._splitter = QSplitter(Qt.Orientation.Horizontal, objectName="train_splitter", childrenCollapsible=False)
        self._splitter.addWidget(self._runs_side())
        self._splitter.addWidget(self._chosen_side())
        self._splitter.setSizes(self._session.settings.get("train.splitter", [300, 900]))
        self._splitter.setStretchFactor(1, 1)
        self._splitter.splitterMoved.connect(
            lambda *_: self._session.settings.set("train.splitter", self._splitter.sizes())
        )
        self._empty = EmptyState(
            icon_name="chart-line",
            heading="Nothing has been trained yet",
            sentence="Start one of the templates on Home, or design a model of your own and train it.",
            action="Go to Home",
            action_name="action_go_home",
        )
        self._empty.action_triggered.connect(lambda: self._session.show_page("home"))
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._splitter)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)

    def _runs_side(self) -> QWidget:
        start = QPushButton(
            "Train the design", objectName="action_start_run_here", icon=icon("play"), toolTip=named_keys("Ctrl+Return")
        )
        start.clicked.connect(lambda: self._session.start_run())
        heading = QLabel("Runs")
        heading.setProperty("role", "heading")
        top = QHBoxLayout()
        compare = QToolButton(objectName="compare_runs", toolTip="Compare the runs", accessibleName="Compare the runs")
        compare.setProperty("kind", "quiet")
        compare.setIcon(icon("scale-balance", "muted"))
        compare.clicked.connect(lambda: self._session.show_page("compare"))
        top.addWidget(heading)
        top.addStretch(1)
        top.addWidget(compare)
        top.addWidget(start)
        side = QWidget()
        column = QVBoxLayout(side, spacing=GRID)
        column.setContentsMargins(2 * GRID, GRID, GRID, 2 * GRID)
        column.addLayout(top)
        column.addWidget(self._table, 1)
        side.setMinimumWidth(32 * GRID)
        return side

    def _chosen_side(self) -> QWidget:
        self._tabs = QTabWidget(objectName="run_tabs", documentMode=True)
        self._tabs.addTab(self._curves, "Curves")
        self._tabs.addTab(self._layers, "Layers")
        self._tabs.addTab(self._samples, "Samples")
        self._tabs.addTab(self._log, "Log")
        self._tabs.addTab(self._config, "Config")
        self._tabs.tabBar().setAccessibleName("Views of the run")
        self._tabs.setCornerWidget(self._curves.toolbar)
        self._tabs.currentChanged.connect(self._on_tab_changed)
        self._tabs.setCurrentIndex(self._session.settings.get("train.tab", 0))
        side = QWidget()
        column = QVBoxLayout(side, spacing=GRID)
        column.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        column.addWidget(self._bar)
        column.addWidget(self._tabs, 1)
        return side

    def _on_tab_changed(self, tab: int) -> None:
        self._curves.toolbar.setVisible(tab == 0)
        self._session.settings.set("train.tab", tab)

    def _on_runs_changed(self) -> None:
        runs = self._session.runs
        self._stack.setCurrentWidget(self._splitter if runs.facts else self._empty)
        if runs.facts and not runs.has(self._session.run_id):
            self._session.choose_run(self._instead().id)
        chosen = runs.find(self._session.run_id)
        if chosen:
            self._place = runs.facts.index(chosen)
        self._bar.show_run(chosen)
        if (chosen and chosen.id) != (self._shown and self._shown.id):
            self._follow_chosen()
        elif chosen and self._shown and chosen.state != self._shown.state:
            announce(self._bar, f"{chosen.label}: {chosen.words}. {chosen.ending}")
            self._log.look_again()
            self._config.show_run(chosen.run)  # it may go on with a smaller batch
        if chosen:
            self._curves.show_best(chosen.best_step)
        self._shown = chosen

    def _instead(self) -> RunFacts:
        """What is shown where the chosen run is gone: its neighbour; at first one that trains, or the newest."""
        facts = self._session.runs.facts
        if self._place is not None:
            return facts[min(self._place, len(facts) - 1)]
        return next((each for each in facts if each.state.alive), facts[0])

    def _follow_chosen(self) -> None:
        """Leave the run that was followed; draw the chosen one from its beginning."""
        facts = self._shown = self._session.runs.find(self._session.run_id)
        self._bar.show_run(facts)
        if self._follower:
            self._follower.stop()
            self._follower = None
        if facts:
            self._place = self._session.runs.facts.index(facts)
            self._follower = RunFollower(facts.run, self)
            self._follower.advanced.connect(self._on_advanced)
            self._follower.failed.connect(lambda sentence: self._session.notify("error", sentence))
            self._bar.show_rate(None)
            self._curves.show_run(self._follower.history, facts.config)
            self._curves.show_best(facts.best_step)
            self._layers.show_run(self._follower.history)
            self._samples.show_run(self._follower.history)
            self._log.show_run(facts.run)
            self._config.show_run(facts.run)
            in_background(self, lambda: (facts.id, lineage(facts.run)), self._on_lineage, self._on_failed)

    def _on_lineage(self, found: tuple[str, Lineage | None]) -> None:
        if found[1] and found[0] == self._session.run_id:
            self._curves.show_lineage(found[1])

    def _on_failed(self, error: Exception) -> None:
        self._session.notify("error", str(error))

    def _on_advanced(self, items: list[object]) -> None:
        if self._follower and self.sender() is self._follower:
            self._bar.show_rate(self._follower.history.learning_rate)
            self._curves.advance(self._follower.history, items)
            self._layers.advance(self._follower.history, items)
            self._samples.advance(self._follower.history, items)
            self._log.advance(items)
