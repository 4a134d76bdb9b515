"""An act is done once, however long its key is held."""

from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.actions import make_action
from app.session import Session
from app.window import MainWindow


def test_a_held_key_does_it_once_unless_it_repeats(qtbot: QtBot) -> None:
    owner = QWidget()
    qtbot.addWidget(owner)
    assert not make_action(owner, "train", "Train", owner.update, "Ctrl+Return").autoRepeat()
    assert make_action(owner, "undo", "Undo", owner.update, "Ctrl+Z", repeats=True).autoRepeat()


def test_in_the_window_only_undo_and_redo_repeat(session: Session, qtbot: QtBot) -> None:
    window = MainWindow(session)
    qtbot.addWidget(window)
    repeating = [action.objectName() for action in window.actions() if action.autoRepeat()]
    assert repeating == ["action_undo", "action_redo"]
