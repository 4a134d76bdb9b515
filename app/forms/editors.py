"""One editor for each kind of option, all with the same contract: the signal `edited(value)`, `value`, `set_value`."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal, SignalInstance
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLineEdit, QPlainTextEdit, QSizePolicy

from app.actions import make_action
from app.forms.numbers import number_text, parse_number, stepped
from app.theme import GRID
from app.widgets.combo import ElidedCombo
from app.widgets.file_dialogs import ask_which
from tfmcore.config import Option

TYPING_MS = 200
EMPTY_CHOICE = "automatic"
ESCAPED, MEANT = re.compile(r"\\([nt\\])"), {"n": "\n", "t": "\t", "\\": "\\"}
WRITTEN = {character: f"\\{letter}" for letter, character in MEANT.items()}


class Editor(Protocol):
    """What a field needs of an editor; every editor is a widget too."""

    edited: SignalInstance

    @property
    def value(self) -> Any: ...

    def set_value(self, value: Any) -> None:
        """Show a value without saying `edited`; leaves text alone that means the same."""

    def set_derived(self, value: Any, words: str) -> None:
        """What an empty optional option stands for: a value to step from (or None), and words for it."""

    def flush(self) -> None:
        """Say at once what has been typed."""


class LineEditor(QLineEdit):
    """One line of text; says `edited` when typing pauses and at Enter."""

    edited = Signal(object)

    def __init__(self, option: Option) -> None:
        super().__init__()
        self.option = option
        self._derived: Any = None
        self._typing = QTimer(self, singleShot=True, interval=TYPING_MS)
        self._typing.timeout.connect(self._say)
        self.textEdited.connect(self._typing.start)
        self.editingFinished.connect(self.flush)

    @property
    def value(self) -> Any:
        return self.text() or (None if self.option.optional else "")

    def set_value(self, value: Any) -> None:
        if not self._typing.isActive() and not _same(self.value, value):
            self._show(value)

    def set_derived(self, value: Any, words: str) -> None:
        self._derived = value
        self.setPlaceholderText(words)

    def flush(self) -> None:
        """Say at once what has been typed."""
        if self._typing.isActive():
            self._typing.stop()
            self._say()

    def _say(self) -> None:
        self.edited.emit(self.value)

    def _show(self, value: Any) -> None:
        self.setText("" if value is None else str(value))
        self.setCursorPosition(0 if not self.hasFocus() else len(self.text()))

    def _set_and_say(self, value: Any) -> None:
        self._typing.stop()
        self._show(value)
        self._say()


class TextEditor(LineEditor):
    r"""A text in which line breaks and tabs are typed as \n and \t, and a backslash as two."""

    @property
    def value(self) -> str:
        return ESCAPED.sub(lambda found: MEANT[found[1]], self.text())

    def _show(self, value: Any) -> None:
        super()._show("".join(WRITTEN.get(character, character) for character in value or ""))


class NumberEditor(LineEditor):
    """A number as people type it; the arrow keys step, Page Up and Down ten times as far."""

    def __init__(self, option: Option) -> None:
        super().__init__(option)
        self.setMaxLength(60)

    @property
    def value(self) -> Any:
        number = parse_number(self.text(), self.option.kind)
        return "" if number is None and not self.option.optional else number

    def _show(self, value: Any) -> None:
        super()._show(number_text(value))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10}
        count = steps.get(Qt.Key(event.key()))
        start = self._derived if self.value in (None, "") else self.value
        if count is None or not isinstance(start, int | float):
            super().keyPressEvent(event)
            return
        for _ in range(abs(count)):
            start = stepped(self.option, start, 1 if count > 0 else -1)
        self._set_and_say(start)


class PathEditor(LineEditor):
    """A path; the folder at its right end asks for a file, or for a `folder`."""

    def __init__(self, option: Option, *, folder: bool = False) -> None:
        super().__init__(option)
        self._folder = folder
        name, text = f"choose_{option.section}_{option.name}", f"Choose a {'folder' if folder else 'file'}…"
        browse = make_action(self, name, text, self.choose, glyph="folder-open-outline", tone="muted")
        self.addAction(browse, QLineEdit.ActionPosition.TrailingPosition)

    def _show(self, value: Any) -> None:
        super()._show(value)
        self.end(False)  # the name of the file matters more than where it lies

    def choose(self) -> None:
        """Ask for it without stopping the event loop."""
        folder = Path(self.text()).parent if self.text() else ""
        mode = QFileDialog.FileMode.Directory if self._folder else QFileDialog.FileMode.ExistingFile
        ask_which(self, self.option.title, folder, self._set_and_say, mode=mode)


class CodesEditor(LineEditor):
    """A list of short codes or whole numbers on one line, separated by commas or spaces."""

    def __init__(self, option: Option) -> None:
        super().__init__(option)
        self.setPlaceholderText("none")

    @property
    def value(self) -> list[str | int]:
        return [int(word) if word.isdecimal() else word for word in self.text().replace(",", " ").split()]

    def _show(self, value: Any) -> None:
        super()._show(", ".join(map(str, value or ())))


class ChoiceEditor(ElidedCombo):
    """One of a few values; an optional one may be left to the program."""

    edited = Signal(object)

    def __init__(self, option: Option, choices: Sequence[Any], titles: Mapping[Any, str] | None = None) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self._optional, self._titles = option.optional, titles or {}
        self._values: list[Any] = []
        self._value: Any = None
        self.set_choices(choices)
        self.activated.connect(self._on_activated)

    def set_choices(self, choices: Sequence[Any]) -> None:
        """Offer these from now on; the value stays, even where it is none of them."""
        values = [None, *choices] if self._optional else list(choices)
        if values != self._values:
            self._values = values
            self.clear()
            self.addItems([self._title(choice) for choice in values])
            self.set_value(self._value)

    def _title(self, value: Any) -> str:
        return EMPTY_CHOICE if value is None else choice_title(value, self._titles)

    @property
    def value(self) -> Any:
        return self._value

    def set_value(self, value: Any) -> None:
        self._value = value
        self.setPlaceholderText(self._title(value))
        self.setCurrentIndex(self._values.index(value) if value in self._values else -1)

    def _on_activated(self, index: int) -> None:
        self._value = self._values[index]
        self.edited.emit(self._value)

    def set_derived(self, value: Any, words: str) -> None:
        if self._optional:
            self.setItemText(0, words)

    def flush(self) -> None:
        """Nothing waits to be said."""


class SwitchEditor(QCheckBox):
    """Yes or no."""

    edited = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.toggled.connect(lambda on: self.edited.emit(on))

    @property
    def value(self) -> bool:
        return self.isChecked()

    def set_value(self, value: Any) -> None:
        with QSignalBlocker(self):
            self.setChecked(value is True)

    def set_derived(self, value: Any, words: str) -> None:
        """A switch is never empty."""

    def flush(self) -> None:
        """Nothing waits to be said."""


class ListEditor(QPlainTextEdit):
    """A list of texts, one a line."""

    edited = Signal(object)

    def __init__(self) -> None:
        super().__init__(
            tabChangesFocus=True, lineWrapMode=QPlainTextEdit.LineWrapMode.NoWrap, placeholderText="One per line"
        )
        self.setFixedHeight(9 * GRID)
        self._typing = QTimer(self, singleShot=True, interval=TYPING_MS)
        self._typing.timeout.connect(self._say)
        self.textChanged.connect(self._typing.start)

    @property
    def value(self) -> list[str]:
        return [line for line in self.toPlainText().split("\n") if line]

    def set_value(self, value: Any) -> None:
        if not self._typing.isActive() and self.value != value:
            with QSignalBlocker(self):
                self.setPlainText("\n".join(map(str, value)))

    def set_derived(self, value: Any, words: str) -> None:
        self.setPlaceholderText(words)

    def flush(self) -> None:
        """Say at once what has been typed."""
        if self._typing.isActive():
            self._typing.stop()
            self._say()

    def _say(self) -> None:
        self.edited.emit(self.value)


def choice_title(value: Any, titles: Mapping[Any, str]) -> str:
    """A value as a choice shows it."""
    named = {True: "yes", False: "no"}.get(value) if isinstance(value, bool) else None
    return titles.get(value) or named or str(value).replace("_", "-")


def _same(first: Any, second: Any) -> bool:
    return bool(first == second) and isinstance(first, str) == isinstance(second, str)
