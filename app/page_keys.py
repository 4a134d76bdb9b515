"""The keys of a page: listed under "?", and heard before the window's own use of the same keys."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QWidget

from app.actions import WIDGET, make_action


class PageKeys(QObject):
    """Each key is (name, what it does, keys, act) and works while the focus is within `page`."""

    def __init__(self, page: QWidget, keys: Sequence[tuple[str, str, str, Callable[[], object]]]) -> None:
        super().__init__(page)
        self._acts = {QKeySequence(sequence): act for _, _, sequence, act in keys}
        for name, text, sequence, act in keys:
            page.addAction(make_action(page, name, text, act, sequence, scope=WIDGET))
        page.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and (act := self._acts.get(_sequence(event))):
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress:
                if not event.isAutoRepeat():
                    act()
                return True
        return super().eventFilter(watched, event)


def _sequence(event: QKeyEvent) -> QKeySequence:
    """The keys of an event; Enter on the number pad is Return."""
    key = Qt.Key.Key_Return if event.key() == Qt.Key.Key_Enter else Qt.Key(event.key())
    return QKeySequence((event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier).value | key.value)
