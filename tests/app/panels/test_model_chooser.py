"""Where no model is open, the runs whose model can be opened."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from app.panels.model_chooser import ModelChooser, NoModel
from app.session import Session
from tests.app.conftest import add_checkpoint, add_run, until, write_status
from tfmcore.runs import Run, RunState


@pytest.fixture
def nothing(session: Session, qtbot: QtBot, run: Run) -> NoModel:
    add_checkpoint(run)
    nothing = NoModel(session, "use", "Then use it.")
    qtbot.addWidget(nothing)
    nothing.show()
    until(qtbot, session, lambda: shown(nothing) == ["A first run · language modelling · step 20"])
    return nothing


def shown(nothing: NoModel) -> list[str]:
    return [button.text() for button in nothing.findChildren(QPushButton) if button.objectName().startswith("open_")]


def test_a_run_that_goes_on_takes_neither_the_focus_nor_a_click_that_is_held(
    nothing: NoModel, session: Session, qtbot: QtBot, run: Run
) -> None:
    with qtbot.waitActive(nothing):
        nothing.activateWindow()
    button = nothing.findChild(QPushButton, f"open_use_{run.id}")
    button.setFocus()
    qtbot.mousePress(button, Qt.MouseButton.LeftButton)
    write_status(run, RunState.RUNNING, step=30)
    until(qtbot, session, lambda: shown(nothing) == ["A first run · language modelling · step 30"])
    assert button.hasFocus()
    with qtbot.waitSignal(session.model_changed):
        qtbot.mouseRelease(button, Qt.MouseButton.LeftButton)


def test_an_ampersand_in_its_name_is_no_key(nothing: NoModel, session: Session, qtbot: QtBot, run: Run) -> None:
    run.rename("Q&A")
    until(qtbot, session, lambda: shown(nothing) == ["Q&&A · language modelling · step 20"])


def test_another_run_that_can_be_opened_comes_in_its_place(
    nothing: NoModel, session: Session, qtbot: QtBot, run: Run
) -> None:
    another = add_run(session.runs.folder, "Another", RunState.RUNNING)
    add_checkpoint(another)
    until(qtbot, session, lambda: len(shown(nothing)) == 2)
    labels = [facts.label for facts in session.runs.facts]
    assert [words.split(" · ")[0] for words in shown(nothing)] == labels


def test_any_checkpoint_that_a_run_keeps_can_be_opened(session: Session, qtbot: QtBot, run: Run) -> None:
    folders = [add_checkpoint(run, step, loss) for step, loss in ((10, 2.0), (20, 1.0), (1500, 1.5))]
    chooser = ModelChooser(session, "inspect")
    qtbot.addWidget(chooser)
    chooser.show()
    until(qtbot, session, lambda: chooser.combo.count() == 1)
    button = chooser.findChild(QToolButton, "action_checkpoints_inspect")
    assert not button.isVisible(), "no model is open"
    with qtbot.waitSignal(session.model_changed):
        session.open_model(str(run.folder))
    assert button.text() == "its checkpoint of step 20", "the best"
    button.click()
    qtbot.waitUntil(lambda: chooser.findChild(QMenu, "checkpoint_menu") is not None)
    actions = chooser.findChild(QMenu, "checkpoint_menu").actions()
    assert [action.text() for action in actions] == [
        "Step 1,500 · loss 1.5000",
        "Step 20 · loss 1.0000 · best",
        "Step 10 · loss 2.0000",
    ]
    assert [action.isChecked() for action in actions] == [False, True, False]
    with qtbot.waitSignal(session.model_changed):
        actions[2].trigger()
    assert session.model_path == str(folders[0])
    assert button.text() == "its checkpoint of step 10"
    assert chooser.combo.currentData() == str(run.folder)
