"""The text that is looked into, and the one that it is read or written with; asked for by a button or Return."""

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QPlainTextEdit, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.actions import named_keys
from app.panels.examples import Examples, parted
from app.session import Session
from app.theme import GRID, body_font, icon
from app.widgets.focus import show_instead
from tfmcore.config import TASKS, SavedModel
from tfmcore.messages import Progress

LINES = 2
FIRST = {"question": ("Question", "The question to inspect")}
SECOND = {
    "target": ("Target", "What the decoder writes; empty: the model's own translation"),
    "context": ("Text", "The text that may contain the answer"),
    "pair": ("Second text", "The second text of a pair, if there is one"),
}
"""Title of a field, and what it says while it is empty, by the role of its text."""


class Pinned(QWidget):
    """`wanted(text, second)` and `stop_wanted`; an empty target is the model's own translation."""

    wanted = Signal(str, str)
    stop_wanted = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="pinned")
        self._session = session
        self._source = self._role = ""
        self.text, self.second = self._field("text"), self._field("second")
        self._title, self._second_title = self._heading(), self._heading()
        self.examples = Examples(session, "inspect")
        self._go = QPushButton("Inspect", objectName="action_inspect", icon=icon("magnify", "on_accent"))
        self._go.setProperty("kind", "primary")
        self._go.setToolTip(named_keys("Return or Ctrl+Return"))
        self._halt = QPushButton("Stop", objectName="action_stop_inspect", icon=icon("stop"))
        self._halt.setToolTip(named_keys("Ctrl+."))
        self._phase = self._words("inspect_phase", "muted")
        self._refusal = self._words("refusal_inspect", "error")
        self._notice = self._words("notice_inspect", "muted")
        self._progress = QProgressBar(objectName="progress_inspect", textVisible=False)
        self._progress.setFixedHeight(4)
        policy = self._progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._progress.setSizePolicy(policy)
        self._lay_out()
        self._go.clicked.connect(self.act)
        self._halt.clicked.connect(self.stop_wanted)
        self.examples.chosen.connect(self._on_example_chosen)
        self.show_busy(False)

    def _field(self, name: str) -> QPlainTextEdit:
        field = QPlainTextEdit(objectName=f"field_inspect_{name}", tabChangesFocus=True)
        field.setFont(body_font())
        field.setFixedHeight(field.fontMetrics().lineSpacing() * LINES + 2 * GRID + 4)
        field.installEventFilter(self)
        return field

    def _heading(self) -> QLabel:
        label = QLabel()
        label.setProperty("role", "heading")
        return label

    def _words(self, name: str, role: str) -> QLabel:
        label = QLabel(objectName=name, wordWrap=True, textFormat=Qt.TextFormat.PlainText, visible=False)
        label.setProperty("role", role)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        return label

    def _lay_out(self) -> None:
        grid = QGridLayout(horizontalSpacing=2 * GRID, verticalSpacing=GRID // 2)
        grid.addWidget(self._title, 0, 0)
        grid.addWidget(self._second_title, 0, 1)
        grid.addWidget(self.text, 1, 0)
        grid.addWidget(self.second, 1, 1)
        buttons = QVBoxLayout(spacing=GRID // 2)
        buttons.addWidget(self._go)
        buttons.addWidget(self._halt)
        buttons.addStretch(1)
        grid.addLayout(buttons, 1, 2)
        grid.setColumnStretch(0, 3)
        column = QVBoxLayout(self, spacing=GRID // 2)
        column.setContentsMargins(2 * GRID, 0, 2 * GRID, 0)
        column.addLayout(grid)
        for widget in (self.examples, self._phase, self._refusal, self._notice, self._progress):
            column.addWidget(widget)
        self._grid = grid

    def show_model(self, model: SavedModel) -> None:
        """The fields that this model needs; what stands in them stays, or is what was last looked into."""
        self._name(self.text, self._title, FIRST.get(TASKS[model.task].roles[0], ("Text", "The text to inspect")))
        self._name(self.second, self._second_title, SECOND.get(model.second))
        self._grid.setColumnStretch(1, 3 if model.second else 0)
        self._role = model.second
        self.examples.show_model(model)
        if model.data.source != self._source:
            self._source = model.data.source
            first, second = self._parted(self.examples.first)
            last = self._session.settings.get(f"inspect.{self._source}.text", first)
            self.show_text(last, self._session.settings.get(f"inspect.{self._source}.second", second))
        self.show_refusal("")
        self.show_notice("")

    def _name(self, field: QPlainTextEdit, label: QLabel, words: tuple[str, str] | None) -> None:
        """Say what a field is for, or hide it."""
        for widget in (field, label):
            widget.setVisible(words is not None)
        if words:
            label.setText(words[0])
            field.setAccessibleName(words[0])
            field.setPlaceholderText(words[1])

    def show_text(self, text: str, second: str = "") -> None:
        """Fill the fields; what stands there already keeps its cursor."""
        for field, words in ((self.text, text), (self.second, second)):
            if field.toPlainText() != words:
                field.setPlainText(words)

    def show_refusal(self, sentence: str) -> None:
        self._refusal.setText(sentence)
        self._refusal.setVisible(bool(sentence))

    def show_notice(self, sentence: str) -> None:
        self._notice.setText(sentence)
        self._notice.setVisible(bool(sentence))

    def show_busy(self, busy: bool) -> None:
        show_instead(*([self._halt], [self._go]) if busy else ([self._go], [self._halt]))
        self._progress.setRange(0, 0)
        self._progress.setVisible(busy)
        self._phase.hide()

    def show_progress(self, progress: Progress) -> None:
        self._progress.setRange(0, progress.total)
        self._progress.setValue(progress.done)
        self._phase.setText(f"{progress.phase} …")
        self._phase.show()

    def act(self) -> None:
        """Look into what stands in the fields."""
        text, second = self.text.toPlainText(), self.second.toPlainText() if self.second.isVisibleTo(self) else ""
        if not text.strip():
            self.show_refusal("Type a text first, or try one of the examples.")
            return
        if len(text) + len(second) <= 20_000:
            self._session.settings.set(f"inspect.{self._source}.text", text)
            self._session.settings.set(f"inspect.{self._source}.second", second)
        self.wanted.emit(text, second)

    def _on_example_chosen(self, example: str) -> None:
        self.show_text(*self._parted(example))
        self.act()

    def _parted(self, example: str) -> tuple[str, str]:
        """The texts of an example: a question stands there with its context."""
        return parted(example) if self._role == "context" else (example, "")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Return looks into it; Shift+Return is a new line."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
            if plain and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.act()
                return True
        return super().eventFilter(watched, event)
