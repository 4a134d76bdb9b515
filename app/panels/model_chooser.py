"""Which model is open, chosen from the runs with a checkpoint or from a folder; and what stands there if none is."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QMenu, QPushButton, QToolButton, QVBoxLayout, QWidget

from app.background import in_background
from app.bidirectional import isolated
from app.model_actions import ModelActions, ask_for_folder
from app.run_watch import RunFacts
from app.session import Session
from app.theme import GRID, icon
from app.widgets.combo import ElidedCombo
from app.widgets.empty_state import EmptyState
from tfmcore.config import TASKS
from tfmcore.runs import Checkpoint

MOST_RUNS = 6
LABEL = 40
"""How much of a run's label is shown."""


def usable(session: Session) -> list[RunFacts]:
    """The runs whose model can be opened, newest first."""
    return [facts for facts in session.runs.facts if facts.has_checkpoint]


def describe(facts: RunFacts) -> str:
    """ "A first run · translation · step 1,500"."""
    task = [TASKS[facts.config.data.task].title.lower()] if facts.config else []
    label = facts.label if len(facts.label) <= LABEL else f"{facts.label[: LABEL - 1]}…"
    return " · ".join([isolated(label), *task, f"step {facts.step:,}"])


class ModelChooser(QWidget):
    """One line: the runs to choose from, a folder, and the checkpoints of the run that is open."""

    def __init__(self, session: Session, page: str) -> None:
        super().__init__(objectName=f"model_chooser_{page}")
        self._session = session
        self._shown: list[tuple[str, str]] = []
        self.combo = ElidedCombo(objectName=f"field_{page}_model", accessibleName="Model")
        self.combo.setMinimumWidth(42 * GRID)
        self.combo.setMaximumWidth(76 * GRID)
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._folder = ModelActions(session, self).button(
            f"action_models_{page}", "Open, import, export or fine-tune a model"
        )
        self._again = self._button(f"action_reopen_{page}", "refresh", "Open the run's current best checkpoint")
        self._checkpoint = QToolButton(
            objectName=f"action_checkpoints_{page}",
            toolTip="Open another checkpoint of the run",
            accessibleName="Checkpoint",
            toolButtonStyle=Qt.ToolButtonStyle.ToolButtonTextBesideIcon,
        )
        self._checkpoint.setProperty("kind", "quiet")
        self._checkpoint.setIcon(icon("chevron-down", "muted"))
        row = QHBoxLayout(self, spacing=GRID)
        row.setContentsMargins(2 * GRID, 0, 2 * GRID, 0)
        row.addWidget(QLabel("Model"))
        row.addWidget(self.combo, 1000)
        row.addWidget(self._folder)
        row.addWidget(self._again)
        row.addWidget(self._checkpoint)
        row.addStretch(1)
        self.combo.activated.connect(self._on_activated)
        self._again.clicked.connect(self._on_again_clicked)
        self._checkpoint.clicked.connect(self._on_checkpoint_clicked)
        session.runs.changed.connect(self._show)
        session.model_changed.connect(self._show)
        self._show()

    def _button(self, name: str, glyph: str, tip: str) -> QPushButton:
        button = QPushButton(objectName=name, icon=icon(glyph), toolTip=tip, accessibleName=tip)
        button.setProperty("kind", "quiet")
        return button

    def _run_folder(self, run_id: str) -> str:
        facts = self._session.runs.find(run_id)
        return str(facts.run.folder) if facts else self._session.model_path

    def _show(self) -> None:
        saved = self._session.model
        choices = [(describe(facts), str(facts.run.folder)) for facts in usable(self._session)]
        mine = self._run_folder(saved.run) if saved else ""
        if saved and mine not in [path for _, path in choices]:
            choices.insert(0, (self._session.model_name, self._session.model_path))
            mine = self._session.model_path
        if choices != self._shown and not self.combo.view().isVisible():
            self._shown = choices
            self.combo.clear()
            for text, path in choices:
                self.combo.addItem(text, path)
        self.combo.setCurrentIndex(self.combo.findData(mine))
        self.combo.setToolTip(mine)
        facts = self._session.runs.find(saved.run) if saved else None
        self._again.setVisible(facts is not None)
        self._checkpoint.setVisible(facts is not None)
        self._checkpoint.setText(f"its checkpoint of step {saved.step:,}" if saved else "")

    def _on_again_clicked(self) -> None:
        if saved := self._session.model:
            self._session.open_model(self._run_folder(saved.run))

    def _on_checkpoint_clicked(self) -> None:
        if (saved := self._session.model) and (facts := self._session.runs.find(saved.run)):
            run = facts.run
            in_background(self, lambda: (run.checkpoints(), run.best()), self._offer, self._session.say_failure)

    def _offer(self, found: tuple[list[Checkpoint], Checkpoint | None]) -> None:
        """The checkpoints that the run keeps, the newest first."""
        checkpoints, best = found
        menu = QMenu(self, objectName="checkpoint_menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for checkpoint in reversed(checkpoints):
            loss = checkpoint.manifest.validation_loss
            words = [f"Step {checkpoint.step:,}", *([f"loss {loss:.4f}"] if loss is not None else [])]
            action = menu.addAction(" · ".join([*words, *(["best"] if checkpoint == best else [])]))
            action.setCheckable(True)
            action.setChecked(str(checkpoint.folder) == self._session.model_path)
            action.triggered.connect(lambda _, folder=checkpoint.folder: self._session.open_model(str(folder)))
        menu.popup(self._checkpoint.mapToGlobal(self._checkpoint.rect().bottomLeft()))

    def _on_activated(self, index: int) -> None:
        self._session.open_model(self.combo.itemData(index))


class NoModel(QWidget):
    """Instead of a page that needs a model: the runs to open, a folder, or Home to train one."""

    def __init__(self, session: Session, page: str, sentence: str) -> None:
        super().__init__(objectName=f"no_model_{page}")
        self._session, self._page = session, page
        self._empty = EmptyState(
            icon_name="cube-outline",
            heading="Open a model or train one",
            sentence=sentence,
            action="Train one",
            action_name=f"action_train_one_{page}",
        )
        self._buttons: dict[str, QPushButton] = {}
        self._runs = QVBoxLayout(spacing=GRID // 2)
        self._heading = QLabel("Models of your runs", alignment=Qt.AlignmentFlag.AlignCenter)
        self._heading.setProperty("role", "muted")
        folder = QPushButton(
            "Open a model folder…", objectName=f"action_open_model_{page}", icon=icon("folder-open-outline")
        )
        column = QVBoxLayout(self, spacing=GRID)
        column.addStretch(2)
        column.addWidget(self._empty)
        foreign = QPushButton("Open Hugging Face folder…", objectName=f"action_import_{page}", icon=icon("import"))
        for button in (folder, foreign):
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(2 * GRID)
        column.addWidget(self._heading)
        column.addLayout(self._runs)
        column.addStretch(3)
        self._empty.action_triggered.connect(lambda: session.show_page("home"))
        folder.clicked.connect(lambda: ask_for_folder(self, session, "Open a model folder"))
        foreign.clicked.connect(lambda: ask_for_folder(self, session, "Open a Hugging Face folder"))
        session.runs.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        """A run that goes on only changes its button's words, so that the focus and a click that is held stay."""
        found = usable(self._session)[:MOST_RUNS]
        self._heading.setVisible(bool(found))
        if [facts.id for facts in found] != list(self._buttons):
            for button in self._buttons.values():
                button.deleteLater()
            self._buttons = {facts.id: self._button(facts) for facts in found}
        for facts in found:
            self._buttons[facts.id].setText(describe(facts).replace("&", "&&"))

    def _button(self, facts: RunFacts) -> QPushButton:
        button = QPushButton(objectName=f"open_{self._page}_{facts.id}")
        button.setProperty("kind", "quiet")
        button.clicked.connect(lambda: self._session.open_model(str(facts.run.folder)))
        self._runs.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        return button
