"""The editor of a list whose items come from a known set: its field shows them, a menu below it ticks them."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QComboBox, QMenu

from app.actions import make_action
from app.forms.editors import choice_title
from app.widgets.combo import ElidedCombo
from tfmcore.config import Option


class TickMenu(QMenu):
    """A menu that stays open while its items are ticked, with the mouse or the space bar; Enter ticks and closes."""

    _pressed: QAction | None = None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = self.actionAt(event.position().toPoint())
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        action = self.actionAt(event.position().toPoint())
        if action is None or action is not self._pressed:  # such as the end of the click that opened the menu
            super().mouseReleaseEvent(event)
        else:
            action.trigger()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and (action := self.activeAction()):
            action.trigger()
        else:
            super().keyPressEvent(event)


class ChoicesEditor(ElidedCombo):
    """Some of a few values in the order of their ticks; with as many as the option allows, no other can be ticked."""

    edited = Signal(object)

    def __init__(self, option: Option, choices: Sequence[Any], titles: Mapping[Any, str] | None = None) -> None:
        super().__init__(placeholderText="none")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self._titles, self._most = titles or {}, option.max_items or len(choices)
        self._value: list[Any] = []
        self.menu = TickMenu(self, toolTipsVisible=True)
        self.menu.setAttribute(Qt.WidgetAttribute.WA_NoMouseReplay)  # a click on the field closes it, and only that
        self.ticks = {choice: self._tick(option, choice) for choice in choices}

    def _tick(self, option: Option, choice: Any) -> QAction:
        name, title = f"tick_{option.section}_{option.name}_{choice}", choice_title(choice, self._titles)
        tick = make_action(self.menu, name, title, lambda: self._on_ticked(choice))
        tick.setCheckable(True)
        self.menu.addAction(tick)
        return tick

    @property
    def value(self) -> list[Any]:
        return list(self._value)

    def set_value(self, value: Any) -> None:
        self._value = list(value or ())
        self.clear()
        if self._value:
            self.addItem(", ".join(choice_title(item, self._titles) for item in self._value))
            self.setCurrentIndex(0)
        full = len(set(self._value) & self.ticks.keys()) >= self._most
        for choice, tick in self.ticks.items():
            tick.setChecked(choice in self._value)
            tick.setEnabled(tick.isChecked() or not full)
            tick.setToolTip("" if tick.isEnabled() else f"No more than {self._most}: untick another first")

    def set_derived(self, value: Any, words: str) -> None:
        self.setPlaceholderText(words)

    def flush(self) -> None:
        """Nothing waits to be said."""

    def showPopup(self) -> None:
        self.menu.setMinimumWidth(self.width())
        self.menu.popup(self.mapToGlobal(QPoint(0, self.height())))
        self.menu.setActiveAction(next(tick for tick in self.ticks.values() if tick.isEnabled()))

    def hidePopup(self) -> None:
        self.menu.hide()

    def _on_ticked(self, choice: Any) -> None:
        kept = [item for item in self._value if item in self.ticks and item != choice]
        self.set_value([*kept, choice] if self.ticks[choice].isChecked() else kept)
        self.edited.emit(self.value)
