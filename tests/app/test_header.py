"""The header: which model is open, and what is running."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from app.header import Header
from app.model_actions import ModelActions
from app.session import Session
from tests.app.conftest import add_checkpoint, add_run, until, write_status
from tfmcore.runs import Run, RunState


@pytest.fixture
def header(session: Session, qtbot: QtBot) -> Header:
    owner = QWidget()
    qtbot.addWidget(owner)
    header = Header(session, ModelActions(session, owner))
    qtbot.addWidget(header)
    header.resize(1200, 32)
    header.show()
    return header


def test_it_says_that_no_model_is_open_and_offers_to_open_one(header: Header) -> None:
    assert header.findChild(QLabel, "header_model").text() == "No model is open"
    assert header.findChild(QPushButton, "header_running").isHidden()
    acts = {
        act.objectName(): act.isEnabled() for act in header.findChild(QToolButton, "action_open_model").menu().actions()
    }
    assert acts["action_open_model_folder"]
    assert acts["action_open_hugging_face"]
    assert not acts["action_export_huggingface"], "there is nothing to export yet"


def test_it_names_the_open_model_as_it_is_written(
    header: Header, session: Session, qtbot: QtBot, run: Run, tmp_path: Path
) -> None:
    run.rename("<b>A & B</b>")
    add_checkpoint(run)
    until(qtbot, session, lambda: [facts.label for facts in session.runs.facts] == ["<b>A & B</b>"])
    with qtbot.waitSignal(session.model_changed):
        session.open_model(str(run.folder))
    assert header.findChild(QLabel, "header_name").text() == "<b>A & B</b>"
    assert header.findChild(QLabel, "header_name").textFormat() == Qt.TextFormat.PlainText
    words = header.findChild(QLabel, "header_model").text()
    assert words.startswith("decoder · ")
    assert words.endswith("step 20")
    run.rename("Another name")
    until(qtbot, session, lambda: header.findChild(QLabel, "header_name").text() == "Another name")
    assert header.findChild(QLabel, "header_name").toolTip() == session.model_path
    run.folder.rename(tmp_path / "gone")  # at once: a folder that is being emptied has no label any more
    until(qtbot, session, lambda: not session.runs.facts)
    assert header.findChild(QLabel, "header_name").text() == "Another name", "not that of the checkpoint's folder"
    session.close_model()
    assert header.findChild(QLabel, "header_name").isHidden()


@pytest.mark.parametrize("state", [state for state in RunState if state.alive and state != RunState.SILENT])
def test_a_click_on_what_is_running_shows_it(
    header: Header, session: Session, qtbot: QtBot, run: Run, state: RunState
) -> None:
    write_status(run, state, step=20, seconds_left=49.0)
    until(qtbot, session, lambda: [facts.state for facts in session.runs.facts] == [state])
    button = header.findChild(QPushButton, "header_running")
    left = ", 49 s left" if state == RunState.RUNNING else ""
    assert button.text() == f"A first run: {state}, step 20 of 1,000{left}"
    with qtbot.waitSignal(session.page_wanted) as wanted:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert wanted.args == ["train"]
    assert session.run_id == run.id


def test_where_the_config_cannot_be_read_it_says_only_the_step(
    header: Header, session: Session, qtbot: QtBot, own_folders: Path
) -> None:
    run = add_run(own_folders, "A first run", RunState.RUNNING)
    (run.folder / "run.toml").write_text("format = 99\n", encoding="utf-8")
    session.runs.folder.mkdir()
    run.folder.rename(session.runs.folder / run.id)
    button = header.findChild(QPushButton, "header_running")
    until(qtbot, session, button.isVisible)
    assert button.text().endswith(": running, step 20, 49 s left")


def test_an_ampersand_is_shown_and_is_no_key(header: Header, session: Session, qtbot: QtBot, run: Run) -> None:
    run.rename("Q&A")
    button = header.findChild(QPushButton, "header_running")
    until(qtbot, session, lambda: button.text().startswith("Q&&A: "))
    assert button.shortcut().isEmpty()


def test_long_names_and_many_runs_need_no_more_room(header: Header, session: Session, qtbot: QtBot, run: Run) -> None:
    run.rename("a very long label " * 10)
    for number in range(3):
        add_run(session.runs.folder, f"run {number}", RunState.PAUSED)
    until(qtbot, session, lambda: len(session.runs.facts) == 4)
    assert header.findChild(QPushButton, "header_running").text().endswith("3 more")
    assert header.minimumSizeHint().width() < 800
