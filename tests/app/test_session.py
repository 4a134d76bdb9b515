"""The session: the acts behind the buttons, and what they say when they cannot be done."""

import subprocess
import sys
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app import session as session_module
from app.session import Session
from tests.app.conftest import add_checkpoint, until
from tfmcore.messages import Command
from tfmcore.runs import Run, RunState


def test_a_folder_that_is_no_model_is_refused_in_a_sentence(session: Session, qtbot: QtBot, tmp_path: Path) -> None:
    with qtbot.waitSignal(session.notified) as said:
        session.open_model(str(tmp_path))
    assert said.args[0] == "error"
    assert "config.json is missing" in said.args[1]
    assert session.model is None


def told(run: Run, qtbot: QtBot) -> str:
    """The first command of a run; its file is there before its line is whole."""
    control = run.folder / "control.jsonl"
    qtbot.waitUntil(lambda: control.exists() and control.read_text().endswith("\n"))
    return control.read_text()


def test_commands_reach_the_run(session: Session, qtbot: QtBot, run: Run) -> None:
    until(qtbot, session, lambda: [facts.state for facts in session.runs.facts] == [RunState.RUNNING])
    session.command(session.runs.facts[0], Command(kind="set_learning_rate", value=0.5))
    assert Command.model_validate_json(told(run, qtbot)) == Command(kind="set_learning_rate", value=0.5)


def test_resuming_a_paused_run_is_a_command(session: Session, qtbot: QtBot, run: Run) -> None:
    until(qtbot, session, lambda: [facts.state for facts in session.runs.facts] == [RunState.RUNNING])
    session.resume_run(session.runs.facts[0])
    assert '"resume"' in told(run, qtbot)


def test_a_run_in_a_folder_that_cannot_be_written_is_said(session: Session, qtbot: QtBot) -> None:
    session.runs.folder.parent.mkdir(parents=True, exist_ok=True)
    session.runs.folder.write_text("a file in the folder's place")
    with qtbot.waitSignal(session.notified) as said:
        session.start_run("never")
    assert "a run cannot be made" in said.args[1]


def test_selections_are_said_once(session: Session, qtbot: QtBot) -> None:
    with qtbot.waitSignal(session.pinned_changed):
        session.pin("text", "target")
    with qtbot.assertNotEmitted(session.pinned_changed, wait=50):
        session.pin("text", "target")
    with qtbot.waitSignal(session.head_changed):
        session.choose_head(1, None)


def test_a_command_that_cannot_be_written_is_said_and_no_longer_shown(session: Session, qtbot: QtBot, run: Run) -> None:
    until(qtbot, session, lambda: session.runs.facts)
    (run.folder / "control.jsonl").mkdir()
    with qtbot.waitSignal(session.notified) as said:
        session.command(session.runs.facts[0], Command(kind="pause"))
    assert said.args[0] == "error"
    assert session.runs.facts[0].words == "running"


def test_a_run_that_is_resumed_twice_gets_one_trainer(
    session: Session, qtbot: QtBot, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice at once, and once more with facts that are out of date: the folder has the last word."""
    started: list[list[str]] = []

    def popen(command: list[str], **_options: object) -> "subprocess.Popen[bytes]":
        started.append(command)
        return sleeping

    sleeping = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (run.folder / "status.json").unlink()
        until(qtbot, session, lambda: [facts.status for facts in session.runs.facts] == [None])
        waiting = session.runs.facts[0]
        with monkeypatch.context() as patch:
            patch.setattr("tfmcore.runs.subprocess.Popen", popen)
            session.resume_run(waiting)
            session.resume_run(waiting)
            assert session.runs.facts[0].words == "starting …"
            until(qtbot, session, lambda: session.runs.facts[0].state == RunState.PREPARING)
            with qtbot.waitSignal(session.notified) as said:
                session.resume_run(waiting)
        assert "has a trainer already" in said.args[1]
        assert len(started) == 1
        assert session.runs.facts[0].words == "preparing"
    finally:
        sleeping.kill()
        sleeping.wait()


def test_a_trainer_that_cannot_be_started_leaves_the_run_as_it_is(
    session: Session, qtbot: QtBot, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_run: Run) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(session_module, "start_trainer", refuse)
    (run.folder / "status.json").unlink()
    until(qtbot, session, lambda: [facts.status for facts in session.runs.facts] == [None])
    with qtbot.waitSignal(session.notified) as said:
        session.resume_run(session.runs.facts[0])
    assert "no more processes" in said.args[1]
    assert session.runs.facts[0].words == "not started"


def test_a_model_opens_from_a_run_and_closes(session: Session, qtbot: QtBot, run: Run) -> None:
    older, newer = add_checkpoint(run, 10), run.folder / "checkpoints" / "step-00000020"
    for folder in (older, newer):
        if folder is newer:
            add_checkpoint(run, 20)
        with qtbot.waitSignal(session.model_changed):
            session.open_model(str(run.folder))
        assert session.model_path == str(folder)
    session.close_model()
    assert (session.model, session.model_path) == (None, "")
