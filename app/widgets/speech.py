"""What is said at once to those who hear the screen instead of seeing it."""

from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QWidget


def announce(widget: QWidget, words: str) -> None:
    """Have the reader of the screen, if there is one, say what has come up in a widget."""
    QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(widget, words))
