"""What the panels of the Use page share: a question to the engine, where its refusal stands, and what is remembered."""

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QGraphicsOpacityEffect,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from app.panels.examples import Examples
from app.question import Question
from app.session import Session
from app.theme import GRID, body_font, icon
from app.widgets.export import Exporter
from tfmcore.config import SavedModel
from tfmcore.messages import AnyReply, Arrays, ModelRequest, Progress

V = TypeVar("V", int, float, str)
MOST_REMEMBERED = 20_000
DIMMED = 0.4
DIM_AFTER_MS = 400
"""Longer than it takes to answer while one types."""


class UsePanel(QWidget):
    """On the left what one asks, on the right what the model answers. `act` asks, `stop` gives up."""

    verb: ClassVar[str]

    def __init__(self, session: Session) -> None:
        super().__init__(objectName=f"panel_{self.verb}")
        self._session = session
        self._source = ""
        self.question = Question(session, self.verb, self)
        self.examples = Examples(session, self.verb)
        self.refusal = QLabel(objectName=f"refusal_{self.verb}", wordWrap=True)
        self.notice = QLabel(objectName=f"notice_{self.verb}", wordWrap=True)
        self.refusal.setProperty("role", "error")
        self.notice.setProperty("role", "muted")
        for label in (self.refusal, self.notice):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.hide()
        self.progress = QProgressBar(objectName=f"progress_{self.verb}", textVisible=False, maximum=0)
        self.progress.setFixedHeight(4)
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(policy)
        self.inspect = QPushButton("Inspect this", objectName=f"action_inspect_{self.verb}")
        self.inspect.setIcon(icon("magnify", "muted"))
        self.inspect.setProperty("kind", "quiet")
        self._asked_of: list[QPlainTextEdit | QLineEdit] = []
        self._put = self._answered = list[str]()
        self._refused = False
        self._dim = QGraphicsOpacityEffect(self, opacity=DIMMED, enabled=False)
        self._dim_soon = QTimer(self, singleShot=True, interval=DIM_AFTER_MS)
        self._dim_soon.timeout.connect(self._show_whether_old)
        self._left, self._right = QVBoxLayout(spacing=GRID), QVBoxLayout(spacing=GRID)
        self.lay_out(self._left, self._right)
        self._put_side_by_side()
        self.inspect.clicked.connect(self._on_inspect_clicked)
        self.question.replied.connect(self._on_replied)
        self.question.refused.connect(self._on_refused)
        self.question.progressed.connect(self._on_progressed)
        self.question.busy_changed.connect(self._on_busy_changed)
        self.examples.chosen.connect(self.show_text)
        self._on_busy_changed(False)

    # ── what each panel does in its own way ──────────────────────────────────────────────────────────────────────────

    def lay_out(self, left: QVBoxLayout, right: QVBoxLayout) -> None:
        """Put what one asks into `left`, what the model answers into `right`."""

    def show_model(self, model: SavedModel) -> None:
        """Begin anew with another model, with the text last used on such data."""
        self._source = model.data.source
        self.question.forget()
        self.forget_answer()
        self.show_notice("")
        self.show_refusal("")
        self.examples.show_model(model)

    def show_text(self, text: str) -> None:
        """Take an example."""

    def act(self) -> None:
        """Ask the engine."""

    def stop(self) -> None:
        self.question.stop()

    def take_reply(self, reply: AnyReply, arrays: Arrays) -> None:
        """Show what the engine answered."""

    def take_busy(self, busy: bool) -> None:
        """Show that it is at work, or no longer."""

    def texts_to_inspect(self) -> Sequence[str]:
        """What has been answered, as Inspect takes it: a text, and the one that it is read or written with."""
        return self._answered

    # ── the same everywhere ──────────────────────────────────────────────────────────────────────────────────────────

    def editor(self, name: str, placeholder: str, lines: int) -> QPlainTextEdit:
        """A field for plain text."""
        field = QPlainTextEdit(objectName=f"field_{self.verb}_{name}", placeholderText=placeholder)
        field.setTabChangesFocus(True)
        if not self.focusProxy():
            self.setFocusProxy(field)
        field.setFont(body_font())
        field.setFixedHeight(field.fontMetrics().lineSpacing() * lines + 2 * GRID + 4)
        return field

    def add_words(self, layout: QVBoxLayout) -> None:
        """Where a refusal and a notice stand: beside what caused them."""
        layout.addWidget(self.refusal)
        layout.addWidget(self.notice)

    def dim_after_change(self, *fields: QPlainTextEdit | QLineEdit) -> None:
        """An answer is dimmed once these no longer hold what it answers, until the next one comes."""
        self._asked_of += fields
        for field in fields:
            field.textChanged.connect(lambda *_: self._dim_soon.start())

    def ask(self, request: type[ModelRequest], **fields: object) -> None:
        """Ask the engine about what stands in the fields."""
        self._put = self._texts()
        self.question.ask(request, **fields)

    def forget_answer(self) -> None:
        """What stands at the right answers nothing, so it does not grow old."""
        self._answered = []
        self._show_whether_old()

    @property
    def is_old(self) -> bool:
        """Whether the answer on show is dimmed."""
        return self._dim.isEnabled()

    def _texts(self) -> list[str]:
        return [field.text() if isinstance(field, QLineEdit) else field.toPlainText() for field in self._asked_of]

    def _show_whether_old(self) -> None:
        self._dim_soon.stop()
        self.inspect.setEnabled(bool(self._answered))
        self._dim.setEnabled(bool(self._answered) and (self._refused or self._answered != self._texts()))

    def act_on_return(self, field: QPlainTextEdit) -> None:
        """Return asks; Shift+Return is a new line."""
        field.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
            if plain and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.act()
                return True
        return super().eventFilter(watched, event)

    def heading(self, text: str, **properties: Any) -> QLabel:
        label = QLabel(text, **properties)
        label.setProperty("role", "heading")
        return label

    def remembered(self, name: str, default: V) -> V:
        return self._session.settings.get(f"use.{self.verb}.{self._source}.{name}", default)

    def remember(self, name: str, value: str | float) -> None:
        """For the next start, where it is of a size to keep."""
        if isinstance(value, str) and len(value) > MOST_REMEMBERED:
            return
        self._session.settings.set(f"use.{self.verb}.{self._source}.{name}", value)

    def say_exports(self, exporter: Exporter) -> None:
        """An export that fails is an error like any other."""
        exporter.failed.connect(lambda sentence: self._session.notify("error", sentence))
        exporter.exported.connect(lambda path: self._session.notify("info", f"Saved as {path}"))

    def show_refusal(self, sentence: str, details: str = "") -> None:
        self.refusal.setText(sentence)
        self.refusal.setToolTip(details[-2000:])
        self.refusal.setVisible(bool(sentence))

    def show_notice(self, sentence: str) -> None:
        self.notice.setText(sentence)
        self.notice.setVisible(bool(sentence))

    def _put_side_by_side(self) -> None:
        self._left.addWidget(self.examples)
        self._left.addStretch(1)
        splitter = QSplitter(Qt.Orientation.Horizontal, objectName=f"splitter_{self.verb}", childrenCollapsible=False)
        halves = QWidget(), QWidget()
        for half, side in zip(halves, (self._left, self._right), strict=True):
            half.setLayout(side)
            side.setContentsMargins(2 * GRID, 0, 2 * GRID, GRID)
        halves[1].setGraphicsEffect(self._dim)
        scroll = QScrollArea(
            focusPolicy=Qt.FocusPolicy.NoFocus,
            widgetResizable=True,
            objectName=f"scroll_{self.verb}",
            minimumWidth=36 * GRID,
        )
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(halves[0])
        splitter.addWidget(scroll)
        splitter.addWidget(halves[1])
        splitter.setStretchFactor(1, 1)
        splitter.setSizes(self._session.settings.get(f"use.{self.verb}.splitter", [400, 800]))
        splitter.splitterMoved.connect(
            lambda *_: self._session.settings.set(f"use.{self.verb}.splitter", splitter.sizes())
        )
        column = QVBoxLayout(self, spacing=GRID // 2)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.progress)
        column.addWidget(splitter, 1)

    def _on_replied(self, reply: AnyReply, arrays: Arrays) -> None:
        self.show_refusal("")
        self.show_notice(getattr(reply, "notice", ""))
        self.take_reply(reply, arrays)
        self._answered, self._refused = self._put, False
        self._show_whether_old()

    def _on_refused(self, sentence: str, details: str) -> None:
        self._refused = True
        self._show_whether_old()
        self.show_notice("")
        self.show_refusal(sentence, details)

    def _on_progressed(self, progress: Progress) -> None:
        self.progress.setRange(0, progress.total)
        self.progress.setValue(progress.done)
        self.progress.setToolTip(progress.phase)

    def _on_inspect_clicked(self) -> None:
        self._session.pin(*self.texts_to_inspect())
        self._session.show_page("inspect")

    def _on_busy_changed(self, busy: bool) -> None:
        self.progress.setRange(0, 0)
        self.progress.setVisible(busy)
        self.take_busy(busy)


def row(*widgets: QWidget, stretch: bool = True) -> QHBoxLayout:
    """Widgets side by side, the room left over at the right."""
    line = QHBoxLayout(spacing=GRID)
    for widget in widgets:
        line.addWidget(widget)
    if stretch:
        line.addStretch(1)
    return line
