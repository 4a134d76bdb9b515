"""A row of buttons of which exactly one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QWidget

from app.widgets.focus import put_in_order


class Segments(QWidget):
    """Each choice is (value, text); `chosen(value)` when the user picks another one."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None, **properties: Any) -> None:
        super().__init__(parent, **properties)
        self.buttons: dict[str, QPushButton] = {}
        self._group = QButtonGroup(self)
        self._row = QHBoxLayout(self, spacing=0)
        self._row.setContentsMargins(0, 0, 0, 0)

    @property
    def value(self) -> str:
        """The chosen one; empty while there are none."""
        return next((value for value, button in self.buttons.items() if button.isChecked()), "")

    def set_choices(self, choices: Sequence[tuple[str, str]], value: str = "") -> None:
        """Offer these; `value`, or the first one, is chosen without a signal."""
        for button in self.buttons.values():
            self._group.removeButton(button)
            button.deleteLater()
        self.buttons = {name: self._button(name, text) for name, text in choices}
        put_in_order(self, *self.buttons.values())
        self.choose(value if value in self.buttons else next(iter(self.buttons), ""))

    def choose(self, value: str) -> None:
        """Mark one, without a signal."""
        if value in self.buttons:
            self.buttons[value].setChecked(True)

    def _button(self, value: str, text: str) -> QPushButton:
        button = QPushButton(text, checkable=True, objectName=f"{self.objectName()}_{value}")
        button.setProperty("kind", "quiet")
        button.clicked.connect(lambda: self.chosen.emit(value))
        self._group.addButton(button)
        self._row.addWidget(button)
        return button
