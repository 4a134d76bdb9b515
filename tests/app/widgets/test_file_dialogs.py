"""What is asked for reaches who asked, and a dialog that was closed is gone: a change of the theme would dress it."""

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from app.widgets.file_dialogs import ask_where, ask_which, ask_which_ones


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda owner, take: ask_where(owner, "Save", "new", take, "Text (*.txt)", "txt"), "/new.txt"),
        (lambda owner, take: ask_which(owner, "Open", "", take), "/old.txt"),
        (lambda owner, take: ask_which_ones(owner, "Open", "", take), ["/one.txt", "/two.txt"]),
    ],
    ids=["where", "which", "which ones"],
)
def test_the_answer_comes_and_the_dialog_goes(qtbot: QtBot, ask: Callable[..., object], answer: Any) -> None:
    owner, taken = QWidget(), list[object]()
    qtbot.addWidget(owner)
    ask(owner, taken.append)
    dialog = owner.findChild(QFileDialog)
    (dialog.filesSelected if isinstance(answer, list) else dialog.fileSelected).emit(answer)
    dialog.reject()
    qtbot.waitUntil(lambda: owner.findChild(QFileDialog) is None)
    assert taken == [answer]
