"""The left side of the Data page: source, file, task and columns, then the tokenizer and Prepare."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app import fitting
from app.actions import named_keys
from app.forms.editors import ChoiceEditor
from app.forms.roles import RolesEditor
from app.forms.section_form import SectionForm
from app.preparation import Preparation
from app.session import Session
from app.theme import GRID, icon
from app.widgets.column_area import ColumnArea
from app.widgets.file_dialogs import ask_which_ones
from app.widgets.focus import show_instead
from tfmcore.config import SOURCES, TASKS
from tfmcore.messages import DataPreviewed

ENDINGS = (".txt", *fitting.TABLES, *fitting.TASK_OF_ENDING, ".gz")
FILES = f"Data ({' '.join(f'*{ending}' for ending in ENDINGS)});;All files (*)"


class DataForm(QWidget):
    """A choice that others depend on (source, file, task) changes them with it, in one step of undo, and says so; below
    the options, which scroll, stands what can be done with them."""

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="data_form", minimumWidth=340)
        self._session, self._preparation = session, Preparation.of(session)
        self._guess_task = False
        self._opened: dict[str, Any] = {}
        self._preview: DataPreviewed | None = None
        self._data = SectionForm("data", session.draft, self._apply)
        self._tokenizer = SectionForm("tokenizer", session.draft)
        self._open = QPushButton("Open file…", objectName="action_open_file", icon=icon("file-plus-outline"))
        self._open.setToolTip(
            named_keys("Learn from a file of your own; or drop it anywhere on this page  (Ctrl+Shift+O)")
        )
        self._help, self._info = QLabel(objectName="source_help"), QLabel(objectName="data_info")
        self._better = QPushButton(objectName="action_use_architecture", icon=icon("swap-horizontal"))
        self._prepare = QPushButton("Prepare", objectName="action_prepare_data", icon=icon("cog-play-outline"))
        self._prepare.setToolTip(named_keys("Train the tokenizer and turn the data into tokens  (Ctrl+P)"))
        self._train = QPushButton("Train", objectName="action_train_data", icon=icon("play"))
        self._train.setToolTip(named_keys("Train the designed model on these data  (Ctrl+Return)"))
        self._cancel = QPushButton("Cancel", objectName="action_cancel_prepare")
        self._progress = QProgressBar(objectName="prepare_progress", textVisible=False, maximum=0)
        self._outcome = QLabel(objectName="prepare_outcome")
        self._lay_out()
        self._wire()
        self._redraw()

    # ── layout ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lay_out(self) -> None:
        for label in (self._help, self._info, self._outcome):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setProperty("role", "muted")
            label.setContentsMargins(2 * GRID + GRID // 2, 0, 0, 0)
        self._outcome.setContentsMargins(3 * GRID + GRID // 2, 0, GRID, 0)
        self._progress.setFixedHeight(6)
        top = QHBoxLayout(spacing=GRID)
        top.addWidget(self._heading("Source"), 1)
        top.addWidget(self._open)
        better = QHBoxLayout()
        better.setContentsMargins(2 * GRID + GRID // 2, 0, 0, 0)
        better.addWidget(self._better, 0, Qt.AlignmentFlag.AlignLeft)
        prepare = QHBoxLayout(spacing=GRID)
        prepare.setContentsMargins(3 * GRID + GRID // 2, GRID, GRID, 0)
        prepare.addWidget(self._prepare)
        prepare.addWidget(self._cancel)
        prepare.addWidget(self._progress, 1)
        prepare.addWidget(self._train)
        prepare.addStretch(0)
        holder = QWidget()
        column = QVBoxLayout(holder, spacing=GRID)
        column.setContentsMargins(GRID, GRID, GRID, 2 * GRID)
        column.addLayout(top)
        column.addWidget(self._help)
        column.addWidget(self._data)
        column.addWidget(self._info)
        column.addLayout(better)
        column.addSpacing(GRID)
        column.addWidget(self._heading("Tokenizer"))
        column.addWidget(self._tokenizer)
        column.addStretch(1)
        whole = QVBoxLayout(self, spacing=GRID // 2)
        whole.setContentsMargins(0, 0, 0, GRID)
        whole.addWidget(ColumnArea(holder, "scroll_data"), 1)
        whole.addLayout(prepare)
        whole.addWidget(self._outcome)

    def _heading(self, text: str) -> QLabel:
        label = QLabel(text)
        label.setProperty("role", "heading")
        label.setContentsMargins(2 * GRID + GRID // 2, 0, 0, 0)
        return label

    def _wire(self) -> None:
        session = self._session
        self._open.clicked.connect(self.ask_for_file)
        self._prepare.clicked.connect(self.prepare)
        self._cancel.clicked.connect(self.cancel)
        self._train.clicked.connect(self._on_train_clicked)
        self._better.clicked.connect(self._on_better_clicked)
        session.draft.changed.connect(self._redraw)
        self._preparation.changed.connect(self._show_preparation)
        for form in (self._data, self._tokenizer):
            session.field_wanted.connect(lambda path, form=form: form.reveal([path]))
            form.more.set_folded(session.settings.get(f"{form.section}.folded", True))
            form.changed_fold.connect(lambda folded, name=form.section: session.settings.set(f"{name}.folded", folded))

    # ── choosing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask_for_file(self) -> None:
        """Ask for one file, or for two parallel ones, without stopping the event loop."""
        ask_which_ones(self, "Learn from a file", "", self.open_files, FILES)

    def open_files(self, paths: Sequence[str]) -> None:
        """Learn from a file; with two, line N of the second translates line N of the first."""
        if len(paths) > 2:
            self._session.notify(
                "warning", f"{len(paths)} files are too many: drop one file, or two parallel .txt files."
            )
            return
        self._opened = fitting.choose_files(self._session.draft, paths)
        self._change(self._opened)
        self._guess_task = fitting.is_table(paths[0])

    def _apply(self, path: str, value: Any) -> None:
        draft = self._session.draft
        match path:
            case "data.source":
                self._change(fitting.choose_source(draft, value))
            case "data.task":
                self._change(fitting.choose_task(draft, value))
            case "data.path" if value:
                self.open_files([value])
            case _:
                draft.set(path, value)

    def _change(self, changes: dict[str, Any]) -> None:
        self._guess_task = False
        self._session.draft.set_many(changes)
        self._info.setText(fitting.consequences(changes))
        self._info.setVisible(bool(self._info.text()))

    # ── what the engine says ─────────────────────────────────────────────────────────────────────────────────────────

    def show_preview(self, preview: DataPreviewed) -> None:
        """Offer the columns; for a table that has just been opened, choose the task that its columns suggest."""
        self._preview, asked = preview, self._session.draft.raw["data"]
        self._data.withdraw("data.path", "data.source")
        if self._guess_task:
            self._guess(fitting.task_of_table(preview.columns, preview.rows))
        self._preparation.example = fitting.example_of(preview)
        self._show_roles()
        if not preview.roles and preview.notices and self._session.draft.raw["data"] == asked:
            self._data.complain("data.columns", preview.notices[0])

    def show_refusal(self, sentence: str, fix: Mapping[str, str]) -> None:
        """Say why it cannot be read beside the option that mends it, else beside the file or the source; a table
        without labels is taken as plain texts."""
        if fix:
            self._offer(sentence, fix)
            return
        if self._guess_task:
            self._guess("language_modeling")
            return
        source = self._session.draft.value("data.source")
        self._data.complain("data.path" if source == "file" else "data.source", sentence)

    def _offer(self, sentence: str, fix: Mapping[str, str]) -> None:
        for path, value in fix.items():
            self._data.complain(path, sentence, value)

    def _guess(self, task: str) -> None:
        self._guess_task = False
        if task != self._session.draft.value("data.task"):
            self._change(fitting.choose_guess(self._session.draft, task, self._opened))

    def prepare(self) -> None:
        """Prepare the draft's data; what is in the way is said here."""
        self._data.flush()
        self._tokenizer.flush()
        if self._session.draft.problems:
            self._say(self._session.show_problem(), "error")
        else:
            self._preparation.prepare()

    def cancel(self) -> None:
        self._preparation.cancel()

    def _on_train_clicked(self) -> None:
        self._data.flush()
        self._tokenizer.flush()
        self._session.start_run()

    def _on_better_clicked(self) -> None:
        self._session.draft.set("model.architecture", fitting.better_architecture(self._session.draft))

    # ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _redraw(self) -> None:
        source = SOURCES.get(self._session.draft.value("data.source"))
        if source is None:
            return
        self._help.setText(source.help)
        self._info.hide()
        tasks = self._data.fields["data.task"].editor
        assert isinstance(tasks, ChoiceEditor)
        tasks.set_choices(source.tasks)
        better = fitting.better_architecture(self._session.draft)
        self._better.setVisible(bool(better))
        self._better.setText(f"Use {fitting.kind_words(better)}, which reads both ways" if better else "")
        self._show_roles()
        self._show_preparation()

    def _show_roles(self) -> None:
        roles, task = self._data.fields["data.columns"].editor, TASKS.get(self._session.draft.value("data.task"))
        assert isinstance(roles, RolesEditor)
        if task:
            columns, guessed = (self._preview.columns, self._preview.roles) if self._preview else ([], {})
            roles.set_roles(task.roles, task.optional_roles, columns, guessed)

    def _show_preparation(self) -> None:
        preparation = self._preparation
        running, progress = preparation.running, preparation.progress
        preparing = [self._cancel, self._progress]
        show_instead(*(preparing, [self._prepare]) if running else ([self._prepare], preparing))
        self._progress.setMaximum(progress.total if progress else 0)
        self._progress.setValue(progress.done if progress else 0)
        if preparation.refused:
            self._say(preparation.refused.sentence, "error", preparation.refused.details)
            self._offer(preparation.refused.sentence, preparation.refused.fix)
        else:
            self._say(progress.phase if progress else "", "muted")

    def _say(self, sentence: str, role: str, details: str = "") -> None:
        self._outcome.setText(sentence)
        self._outcome.setVisible(bool(sentence))
        self._outcome.setToolTip(details)
        self._outcome.setProperty("role", role)
        self._outcome.style().polish(self._outcome)
