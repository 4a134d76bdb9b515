"""The one place where messages appear: an icon, a sentence, details to unfold and copy, and a way to dismiss it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QColor, QGuiApplication, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.theme import GRID, icon, mix, mono_font, theme, themes
from app.widgets.speech import announce

Level = Literal["info", "warning", "error"]
LEVELS: tuple[str, ...] = get_args(Level)
_LOOKS = {
    "info": ("information-outline", "accent"),
    "warning": ("alert-outline", "warning"),
    "error": ("alert-circle-outline", "bad"),
}


class Message(NamedTuple):
    """What is shown while it `holds`; `act` is what the button `word` does, if it has one."""

    level: str
    sentence: str
    details: str
    holds: Callable[[], bool]
    word: str = ""
    act: Callable[[], None] | None = None


class ErrorBar(QWidget):
    """Hidden until `show_message`; a new message replaces the old one, an offer only covers it."""

    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None, **properties: Any) -> None:
        super().__init__(parent, **({"accessibleName": "Message"} | properties))
        name = self.objectName() or "message"
        self.level: str = "info"
        self.icon = QLabel(margin=4)
        self.sentence = QLabel(wordWrap=True, objectName=f"{name}_sentence")
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.sentence.setTextFormat(Qt.TextFormat.PlainText)
        self.sentence.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.act = QPushButton(objectName=f"{name}_act")
        self._messages: list[Message] = []
        self._rest = QTimer(self, singleShot=True, interval=QGuiApplication.styleHints().mouseDoubleClickInterval())
        """While it runs, a click may be meant for what stood there before."""
        self.more = QPushButton("Details", checkable=True, objectName=f"{name}_details")
        self.copy = QPushButton("Copy", objectName=f"{name}_copy", icon=icon("content-copy", "muted"))
        self.close_button = QPushButton(objectName=f"{name}_dismiss", icon=icon("close", "muted"))
        self.close_button.setToolTip("Dismiss (Esc)")
        self.close_button.setAccessibleName("Dismiss the message")
        for button in (self.more, self.copy, self.close_button):
            button.setProperty("kind", "quiet")
        self.details = QPlainTextEdit(readOnly=True, objectName=f"{name}_text")
        self.details.setAccessibleName("Details of the message")
        self.details.setFont(mono_font(small=True))
        self.details.setMaximumHeight(20 * GRID)
        self._lay_out()
        self.act.clicked.connect(self._on_act_clicked)
        self.more.toggled.connect(self._on_more_toggled)
        self.copy.clicked.connect(self._on_copy_clicked)
        self.close_button.clicked.connect(self._on_close_clicked)
        themes.theme_changed.connect(self._recolour)
        self.hide()

    def _lay_out(self) -> None:
        line = QHBoxLayout(spacing=GRID)
        line.addWidget(self.icon, alignment=Qt.AlignmentFlag.AlignTop)
        line.addWidget(self.sentence, 1)
        for button in (self.act, self.more, self.copy, self.close_button):
            line.addWidget(button, alignment=Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self, spacing=GRID // 2)
        layout.setContentsMargins(2 * GRID, GRID // 2, GRID, GRID // 2)
        layout.addLayout(line)
        layout.addWidget(self.details)

    def show_message(
        self, level: str, sentence: str, details: str = "", holds: Callable[[], bool] = lambda: True
    ) -> None:
        """Show one sentence, while it `holds`; `level` is info, warning or error. Raises ValueError for another
        level."""
        if level not in LEVELS:
            raise ValueError(f"level {level!r} is none of {', '.join(LEVELS)}")
        self._messages = [Message(level, sentence, details, holds)]
        self._rest.stop()
        self._show()

    def offer(
        self, sentence: str, word: str, act: Callable[[], None], holds: Callable[[], bool] = lambda: True
    ) -> None:
        """Show a sentence and a button, `word`, that does `act` and takes the message away. What stood there comes
        back then, if it still holds."""
        before = [message for message in self._messages if message.sentence != sentence]
        self._rest.stop()
        self._messages = [*before, Message("info", sentence, "", holds, word, act)]
        self._show()

    def look_again(self) -> None:
        """Take away what no longer holds."""
        shown = self._messages[-1:]
        self._messages = [message for message in self._messages if message.holds()]
        if self._messages[-1:] != shown:
            self._rest.start()
            self._show()

    def dismiss(self) -> None:
        """Hide the message."""
        del self._messages[-1:]
        self._rest.start()
        self._show()
        self.dismissed.emit()

    def _show(self) -> None:
        """The newest, if there is one."""
        if not self._messages:
            self.hide()
            return
        level, sentence, details, _, word, _ = self._messages[-1]
        self.level = level
        self._recolour()
        self.sentence.setText(sentence)
        self.details.setPlainText(details)
        self.act.setText(word)
        self.act.setVisible(bool(word))
        self.more.setVisible(bool(details))
        self.more.setChecked(False)
        self.details.hide()
        self.setAccessibleDescription(sentence)
        self.show()
        announce(self, sentence)

    def _recolour(self) -> None:
        self.icon.setPixmap(icon(*_LOOKS[self.level]).pixmap(20, 20))

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        colour = getattr(t, _LOOKS[self.level][1])
        painter = QPainter(self)
        painter.fillRect(self.rect(), mix(t.background, colour, 0.1))
        painter.fillRect(0, 0, 3, self.height(), QColor(colour))
        painter.end()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        else:
            super().keyPressEvent(event)

    def _on_act_clicked(self) -> None:
        if self._rest.isActive():
            return
        act = self._messages[-1].act if self._messages else None
        self.dismiss()
        if act:
            act()

    def _on_close_clicked(self) -> None:
        if not self._rest.isActive():
            self.dismiss()

    def _on_more_toggled(self, shown: bool) -> None:
        self.details.setVisible(shown)
        self.more.setText("Hide details" if shown else "Details")

    def _on_copy_clicked(self) -> None:
        parts = (self.sentence.text(), self.details.toPlainText())
        QGuiApplication.clipboard().setText("\n\n".join(part for part in parts if part))
