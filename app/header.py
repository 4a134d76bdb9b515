"""The window's header: the open model (kind, parameters, step) and what is running."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from app.bidirectional import isolated
from app.model_actions import ModelActions
from app.run_rows import progress_words
from app.run_watch import RunFacts
from app.session import Session
from app.theme import GRID, icon
from app.widgets.elided_label import ElidedLabel
from tfmcore import units
from tfmcore.config import TASKS
from tfmcore.config.estimate import estimate
from tfmcore.runs import RunState

LABEL = 32
"""How much of a run's label is shown."""


class Header(QWidget):
    """One line; a click on what is running shows that run."""

    def __init__(self, session: Session, models: ModelActions) -> None:
        super().__init__(objectName="header")
        self._session = session
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._name, self._model = ElidedLabel(objectName="header_name"), ElidedLabel(objectName="header_model")
        self._name.setProperty("role", "heading")
        self._model.setProperty("role", "muted")
        self._open = models.button("action_open_model", "Open, import, export or fine-tune a model")
        self._running = QPushButton(objectName="header_running", icon=icon("progress-clock", "training"))
        self._running.setProperty("kind", "quiet")
        row = QHBoxLayout(self, spacing=GRID)
        row.setContentsMargins(2 * GRID, GRID // 2, GRID, GRID // 2)
        row.addWidget(self._name)
        row.addWidget(self._model)
        row.addWidget(self._open)
        row.addStretch(1)
        row.addWidget(self._running)
        self._running.clicked.connect(self._on_running_clicked)
        session.model_changed.connect(self._show_model)
        session.runs.changed.connect(self._show_name)
        session.runs.changed.connect(self._show_running)
        self._show_model()
        self._show_running()

    def _show_model(self) -> None:
        saved = self._session.model
        self._name.setVisible(saved is not None)
        if saved is None:
            self._model.setText("No model is open")
        else:
            parameters = estimate(saved.model, saved.vocab_size, saved.task, len(saved.labels)).total
            kind = saved.model.architecture.replace("_", "-")
            facts = [kind, TASKS[saved.task].title.lower(), f"{units.count(parameters)} parameters"]
            facts += [f"step {saved.step:,}"] if saved.step else []
            self._model.setText(" · ".join(facts))
            self._show_name()

    def _show_name(self) -> None:
        if self._session.model:
            self._name.setText(self._session.model_name)
            self._name.setToolTip(self._session.model_path)

    def _show_running(self) -> None:
        running = self._running_runs()
        self._running.setVisible(bool(running))
        if running:
            first, more = running[0], len(running) - 1
            left = first.status.seconds_left if first.status and first.state == RunState.RUNNING else None
            eta = f", {units.duration(left)} left" if left else ""
            label = first.label if len(first.label) <= LABEL else f"{first.label[: LABEL - 1]}…"
            words = f"{isolated(label)}: {first.words}, {progress_words(first)}{eta}"
            self._running.setText((words + (f"; {more} more" if more else "")).replace("&", "&&"))

    def _running_runs(self) -> list[RunFacts]:
        return [facts for facts in self._session.runs.facts if facts.state.alive]

    def _on_running_clicked(self) -> None:
        if running := self._running_runs():
            self._session.choose_run(running[0].id)
            self._session.show_page("train")
