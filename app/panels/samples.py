"""What a run makes of its prompts: the newest in a table, and below it how that of the chosen one changed by steps."""

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from app.history import History
from app.panels.sample_tables import ROW, PromptRows, SampleTable, StepRows
from app.panels.text_acts import TextActs
from app.samples import SamplesByPrompt, sample_words
from app.session import Session
from app.theme import GRID, mono_font
from app.widgets.empty_state import EmptyState
from tfmcore.messages import Sampled, Started

MOST_ROWS = 6
"""So many prompts are seen at once; of more, one scrolls."""
MOST_WRITTEN = 5000
"""So many samples, the newest, are copied and saved."""


class Samples(QWidget):
    """Follows the newest sample of the chosen prompt, unless one looks at an older step."""

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="samples")
        self._session = session
        self._history = History()
        self._by_prompt = SamplesByPrompt()
        self._step: int | None = None
        """The older step that one looks at."""
        self._prompts, self._steps = PromptRows(), StepRows()
        self.prompts = SampleTable(self._prompts, "sample_prompts", "Newest samples")
        self.steps = SampleTable(self._steps, "sample_steps", "Samples of the chosen prompt by step")
        self._whole = QPlainTextEdit(
            objectName="samples_text", readOnly=True, font=mono_font(), accessibleName="The chosen sample"
        )
        self._empty = EmptyState(
            icon_name="text-box-outline",
            heading="No samples yet",
            sentence="The model's answers to the prompts appear here every few hundred steps.",
        )
        self.acts = TextActs(session, "samples", lambda: self.text)
        self._lay_out()
        self.prompts.selectionModel().currentRowChanged.connect(self._on_prompt_chosen)
        self.steps.selectionModel().currentRowChanged.connect(self._on_step_chosen)

    def _lay_out(self) -> None:
        heading = QLabel("Prompts")
        heading.setProperty("role", "heading")
        top = QHBoxLayout(spacing=GRID)
        top.addWidget(heading)
        top.addStretch(1)
        top.addWidget(self.acts)
        self._splitter = QSplitter(Qt.Orientation.Horizontal, objectName="samples_splitter", childrenCollapsible=False)
        self._splitter.addWidget(self.steps)
        self._splitter.addWidget(self._whole)
        self._splitter.setSizes(self._session.settings.get("train.samples_splitter", [400, 500]))
        self._splitter.splitterMoved.connect(
            lambda *_: self._session.settings.set("train.samples_splitter", self._splitter.sizes())
        )
        drawn = QWidget()
        column = QVBoxLayout(drawn, spacing=GRID)
        column.setContentsMargins(0, GRID // 2, 0, 0)
        column.addLayout(top)
        column.addWidget(self.prompts)
        column.addWidget(self._splitter, 1)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(drawn)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)

    @property
    def text(self) -> str:
        """The samples in words, oldest first."""
        return "\n\n".join(map(sample_words, self._history.samples[-MOST_WRITTEN:]))

    def show_run(self, history: History) -> None:
        """Show another run's, from its beginning."""
        self._history, self._step = history, None
        self._show_anew(0)

    def advance(self, history: History, items: list[object]) -> None:
        """Show what has been added; a restart, which voids some, shows all anew."""
        if any(isinstance(item, Started) for item in items):
            self._history = history
            self._show_anew(max(self.prompts.currentIndex().row(), 0))
        elif new := [item for item in items if isinstance(item, Sampled)]:
            self._add(new)

    def _show_anew(self, row: int) -> None:
        step, self._by_prompt = self._step, SamplesByPrompt()
        self._prompts.reset()
        self._steps.show(())
        self._whole.clear()
        self._stack.setCurrentIndex(0)
        if self._history.samples:
            self._by_prompt.add(self._history.samples)
            self._show_prompts()
            self._step = step
            self._choose_prompt(min(row, self._prompts.rowCount() - 1))

    def _add(self, new: list[Sampled]) -> None:
        self._by_prompt.add(new)
        self._show_prompts()
        if not self.prompts.currentIndex().isValid():
            self._choose_prompt(0)
        elif more := self._steps.grow():
            if self._step is None:
                self.steps.setCurrentIndex(self._steps.index(0, 0))
            else:  # what one looks at stays where it is
                bar = self.steps.verticalScrollBar()
                bar.setValue(bar.value() + more)

    def _show_prompts(self) -> None:
        newest = [answers[-1] for answers in self._by_prompt.answers.values()]
        self._prompts.show(newest)
        header = self.prompts.horizontalHeader().sizeHint().height()
        self.prompts.setFixedHeight(header + ROW * min(len(newest), MOST_ROWS) + 2)
        self._stack.setCurrentIndex(1)
        for table in (self.prompts, self.steps):
            table.fit(marked=any(sample.expected for sample in newest))

    def _choose_prompt(self, row: int) -> None:
        self.prompts.setCurrentIndex(self._prompts.index(row, 0))

    def _on_prompt_chosen(self, current: QModelIndex) -> None:
        if current.isValid():
            self._steps.show(list(self._by_prompt.answers.values())[current.row()])
            self.steps.setCurrentIndex(self._steps.index(self._steps.row_of(self._step), 0))

    def _on_step_chosen(self, current: QModelIndex) -> None:
        if current.isValid():
            sample = self._steps.sample(current.row())
            self._step = sample.step if current.row() else None
            self._whole.setPlainText(sample_words(sample))
