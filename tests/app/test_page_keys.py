"""The keys of a page come before the window's own use of the same keys, and are listed."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QMainWindow, QPlainTextEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.page_keys import PageKeys


def test_within_the_page_the_key_is_the_pages(qtbot: QtBot) -> None:
    done: list[str] = []
    window, page = QMainWindow(), QWidget()
    qtbot.addWidget(window)
    action = QAction("The window's", window, shortcut=QKeySequence("Ctrl+Return"))
    action.triggered.connect(lambda: done.append("window"))
    window.addAction(action)
    field = QPlainTextEdit()
    QVBoxLayout(page).addWidget(field)
    PageKeys(page, [("of_page", "The page's", "Ctrl+Return", lambda: done.append("page"))])
    window.setCentralWidget(page)
    window.show()
    qtbot.waitActive(window)
    field.setFocus()
    qtbot.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(field, Qt.Key.Key_Enter, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.KeypadModifier)
    assert done == ["page", "page"]
    held = QKeyEvent(QKeyEvent.Type.KeyPress, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier, autorep=True)
    QApplication.sendEvent(field, held)
    assert done == ["page", "page"], "a key that is held acts once"
    assert field.toPlainText() == ""
    assert [(action.text(), action.shortcut().toString()) for action in page.actions()] == [
        ("The page's", "Ctrl+Return")
    ]
