"""The head of the Model page: which preset the design starts from and why, its files, its name and the start."""

from pathlib import Path

from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app import fitting
from app.actions import named_keys
from app.bidirectional import isolated
from app.panels.config_files import ConfigFiles
from app.panels.preset_chooser import PresetChooser
from app.panels.sweep import Sweep
from app.session import Session
from app.theme import GRID, icon, themes
from app.titles import linked
from tfmcore.config import presets


class PresetBar(QWidget):
    """A preset replaces the whole design, in one step of undo."""

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="preset_bar")
        self._session = session
        self._files = ConfigFiles(session, self)
        self._preset = PresetChooser()
        self._why = QLabel(objectName="preset_why", wordWrap=True)
        self._why.setProperty("role", "muted")
        self._open = QPushButton("Open…", objectName="action_open_config", icon=icon("folder-open-outline"))
        self._open.setToolTip(named_keys("Open a config (.toml)  (Ctrl+Shift+O)"))
        self._save = QPushButton("Save…", objectName="action_save_config", icon=icon("content-save-outline"))
        self._save.setToolTip(named_keys("Save the config as .toml  (Ctrl+S)"))
        self._sweep = QPushButton("Sweep…", objectName="action_sweep", icon=icon("tune-variant"))
        self._sweep.setToolTip(named_keys("Train many runs that differ in a few options  (Ctrl+Shift+Return)"))
        self._label = QLineEdit(objectName="field_run_label", placeholderText="Name of the run", maxLength=200)
        self._label.setAccessibleName("Name of the run")
        self._label.setFixedWidth(22 * GRID)
        self._start = QPushButton("Train", objectName="action_start_run", icon=icon("play", "on_accent"))
        self._start.setProperty("kind", "primary")
        self._start.setToolTip(named_keys("Train this model as a new run  (Ctrl+Return)"))
        self._lay_out()
        self._wire()
        self._show_draft()

    def _lay_out(self) -> None:
        for button in (self._open, self._save, self._sweep):
            button.setProperty("kind", "quiet")
        self._why.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(spacing=GRID)
        row.addWidget(self._preset)
        row.addStretch(1)
        for widget in (self._open, self._save, self._sweep, self._label, self._start):
            row.addWidget(widget)
        column = QVBoxLayout(self, spacing=GRID // 2)
        column.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID // 2)
        column.addLayout(row)
        column.addWidget(self._why)  # beside the rest it would be a column of single words in a small window

    def _wire(self) -> None:
        self._preset.chosen.connect(self._choose)
        self._open.clicked.connect(self.open)
        self._save.clicked.connect(self.save)
        self._start.clicked.connect(self.start)
        self._sweep.clicked.connect(self.sweep)
        self._label.returnPressed.connect(self.start)
        self._why.linkActivated.connect(self._session.show_field)
        self._session.draft.changed.connect(self._show_draft)
        themes.theme_changed.connect(self._recolour)

    def open(self) -> None:
        self._files.ask_to_open()

    def save(self) -> None:
        self._files.ask_to_save()

    def sweep(self) -> None:
        """Ask which options shall differ, in a dialog beside the window, or in the one that is there."""
        dialog = self.findChild(Sweep) or Sweep(self._session, self)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def start(self) -> None:
        """Train the draft; the session says what is in the way, if anything."""
        self._session.start_run(self._label.text().strip())

    def _choose(self, name: str) -> None:
        self._session.draft.load(fitting.choose_preset(self._session.draft, name))

    def _recolour(self) -> None:
        """A link keeps the colour of the theme in which it was written."""
        self._why.clear()
        self._show_draft()

    def _show_draft(self) -> None:
        draft = self._session.draft
        self._preset.show_preset(draft.preset)
        if draft.problems:
            more = len(draft.problems) - 1
            words = f"Not ready: {linked(draft.problems[0])}" + (f", and {more} more" if more else "")
        elif draft.beginning:
            folder = Path(draft.value("training.branch_from"))
            parent = self._session.runs.find(folder.parent.parent.name)
            label = parent.label if parent else folder.parent.parent.name
            words = f"Continues from step {draft.beginning.step:,} of “{isolated(label)}”, as a separate run."
        elif draft.base:
            folder = Path(draft.value("training.finetune_from"))
            words = f"Fine-tunes {folder.name}, whose shape and tokenizer it keeps."
        else:
            words = presets()[draft.preset].why if draft.preset in presets() else "Your own design, from the defaults."
        self._why.setText(words)
        self._why.setProperty("role", "error" if draft.problems else "muted")
        self._why.style().polish(self._why)
