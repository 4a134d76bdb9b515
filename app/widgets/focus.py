"""Where the keys are heard when what hears them goes."""

from collections.abc import Sequence

from PySide6.QtWidgets import QWidget


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
