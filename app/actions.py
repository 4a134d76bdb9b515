"""The one way to make a QAction: what menus show, keys do and "?" lists, each under a name that stays."""

import re
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence

from app.theme import icon

WINDOW = Qt.ShortcutContext.WindowShortcut
PAGE = Qt.ShortcutContext.WidgetWithChildrenShortcut
WIDGET = Qt.ShortcutContext.WidgetShortcut
KEYS = re.compile(r"(?:(?:Ctrl|Alt|Shift)\+)+(?:\w+|\S)")


def make_action(
    owner: QObject,
    name: str,
    text: str,
    act: Callable[[], object],
    *keys: str,
    glyph: str = "",
    tone: str = "text",
    scope: Qt.ShortcutContext = WINDOW,
    repeats: bool = False,
) -> QAction:
    """An action `action_<name>` that does `act`, by each of `keys` where the widgets that show it let `scope` act, and
    again while they are held if it `repeats`."""
    action = QAction(text, owner, objectName=f"action_{name}")
    if glyph:
        action.setIcon(icon(glyph, tone))
    action.setShortcuts([QKeySequence(sequence) for sequence in keys])
    action.setShortcutContext(scope)
    action.setAutoRepeat(repeats)
    action.triggered.connect(lambda _=False: act())
    return action


def keys_words(action: QAction) -> str:
    """ "F1 or ?"; empty where no key does it."""
    return " or ".join(map(keys_name, action.shortcuts()))


def keys_name(keys: QKeySequence) -> str:
    """As the system writes it: "Ctrl+Z", on macOS "⌘Z"."""
    return keys.toString(QKeySequence.SequenceFormat.NativeText)


def named_keys(words: str) -> str:
    """A sentence whose keys are written as the system does."""
    return KEYS.sub(lambda found: keys_name(QKeySequence(found[0])), words)
