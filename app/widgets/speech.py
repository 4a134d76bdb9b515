"""Announcements to screen readers: what is said at once, wherever the focus is."""

from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QWidget


def announce(widget: QWidget, words: str) -> None:
    """Have the reader of the screen, if there is one, say what has come up in a widget."""
    QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(widget, words))
