"""Keyboard focus: the order of Tab, which widget takes the focus of one that is hidden, and what is scrolled to."""

from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import QRectF, Qt
from PySide6.QtWidgets import QScrollArea, QWidget


def show_instead(shown: Sequence[QWidget], hidden: Sequence[QWidget]) -> None:
    """Show widgets in the place of others: where one of those heard the keys, the first of these does. (Qt would give
    them to whatever comes next, which the second press of a key would set off.)"""
    heard = any(widget.hasFocus() for widget in hidden)
    for widget in shown:
        widget.show()
    if heard:
        shown[0].setFocus()
    for widget in hidden:
        widget.hide()


def put_in_order(first: QWidget, *others: QWidget) -> None:
    """Have Tab come to each after the one before, whenever they were made; the first stays where it is, which may be
    what holds the others."""
    before = first
    while not before.focusPolicy() & Qt.FocusPolicy.TabFocus:  # Qt puts nothing behind what Tab does not come to
        before = before.previousInFocusChain() or first
        if before is first:
            return
    for one, other in pairwise((before, *others)):
        QWidget.setTabOrder(one, other)


def reveal(widget: QWidget, part: QRectF) -> None:
    """Scroll the area that holds a widget, where one does, no further than it takes to show a part of it."""
    area = widget.parentWidget()
    while area and not isinstance(area, QScrollArea):
        area = area.parentWidget()
    if isinstance(area, QScrollArea) and (content := area.widget()):
        at = widget.mapTo(content, part.center().toPoint())
        area.ensureVisible(at.x(), at.y(), round(part.width() / 2) + 2, round(part.height() / 2) + 2)
