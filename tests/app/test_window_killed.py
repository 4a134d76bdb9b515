"""A window with a run and an engine, killed; a trainer, killed: real processes, and what the next window sees."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from app.panels.run_bar import RunBar
from app.run_actions import RunActions
from app.run_watch import RunFollower
from app.session import Session
from tests.app.conftest import until
from tests.tfmcore.training.conftest import TINY
from tfmcore.config import find_preset
from tfmcore.messages import Command, Started, Stepped
from tfmcore.runs import Run, RunState, list_runs, start_trainer

LONGEST_MS = 60_000
ENDLESS = ["training.steps=1000000", "training.eval_every=1000000", "training.compile=never"]
LONG = [*TINY, *ENDLESS, "training.save_every=20"]
WINDOW = f"""
import sys
import app.main as program
from tfmcore.messages import Describe

class Window(program.MainWindow):
    def __init__(self, session):
        super().__init__(session)
        session.start_preset("reverse", {LONG!r})
        session.engine.ask(Describe, lambda reply, arrays: None, model="none")

program.MainWindow = Window
sys.exit(program.main(["--workspace", sys.argv[1]]))
"""
ENDS: dict[str, Callable[[int], None]] = {
    "kill -9": lambda pid: os.kill(pid, signal.SIGKILL),
    "Ctrl-C in its terminal": lambda pid: os.killpg(pid, signal.SIGINT),
}


@pytest.fixture
def workspace(own_folders: Path) -> Iterator[Path]:
    """A workspace whose trainers are gone after the test."""
    workspace = own_folders / "été 训练 🙂"
    workspace.mkdir()
    yield workspace
    for run in list_runs(workspace / "runs"):
        run.kill()


@pytest.fixture
def session(qtbot: QtBot, workspace: Path) -> Iterator[Session]:
    session = Session(workspace)
    yield session
    session.close()


def reached(run: Run, step: int) -> bool:
    return any(isinstance(event, Stepped) and event.step >= step for event in run.events())


def stop(session: Session, qtbot: QtBot) -> None:
    session.command(session.runs.facts[0], Command(kind="stop"))
    qtbot.waitUntil(lambda: session.runs.facts[0].state == RunState.STOPPED, timeout=LONGEST_MS)


@pytest.mark.fault(22, 23, 27)
@pytest.mark.parametrize("end", ENDS)
def test_training_goes_on_and_the_next_window_has_it_again(
    workspace: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    window = subprocess.Popen([sys.executable, "-c", WINDOW, str(workspace)], start_new_session=True)
    try:
        qtbot.waitUntil(lambda: any(reached(run, 5) for run in list_runs(workspace / "runs")), timeout=LONGEST_MS)
        [run] = list_runs(workspace / "runs")
        status = run.status()
        assert status
        engines = [child for child in psutil.Process(window.pid).children() if child.pid != status.pid]
        assert {"engine" in engine.cmdline() for engine in engines} == {True}
        ENDS[end](window.pid)
        window.wait(60)
        psutil.wait_procs(engines, timeout=60)
        assert not any(engine.is_running() for engine in engines)
    finally:
        window.kill()
        window.wait()
    saved = run.checkpoints()[-1].step if run.checkpoints() else 0
    qtbot.waitUntil(lambda: bool(run.checkpoints()) and run.checkpoints()[-1].step > saved, timeout=LONGEST_MS)
    assert run.state() is RunState.RUNNING
    session = Session(workspace)
    try:
        qtbot.waitUntil(lambda: [facts.state for facts in session.runs.facts] == [RunState.RUNNING], timeout=LONGEST_MS)
        follower = RunFollower(run)
        qtbot.waitUntil(lambda: follower.history.step > saved + 50, timeout=LONGEST_MS)
        stop(session, qtbot)
        follower.stop()
        assert [event.step for event in run.events() if isinstance(event, Started)] == [0]
    finally:
        session.close()


@pytest.mark.fault(21)
def test_a_killed_trainer_is_interrupted_and_resumed_by_its_button(
    workspace: Path, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run = Run.create(workspace / "runs", find_preset("reverse").config(LONG), "killed")
    trainer = start_trainer(run)
    bar = RunBar(session, RunActions(session, session))
    qtbot.addWidget(bar)
    bar.show()
    qtbot.waitUntil(lambda: len(run.checkpoints()) > 0, timeout=LONGEST_MS)
    trainer.kill()
    trainer.wait()
    until(qtbot, session, lambda: [facts.state for facts in session.runs.facts] == [RunState.INTERRUPTED])
    saved = run.checkpoints()[-1].step
    bar.show_run(session.runs.facts[0])
    assert bar.findChild(QLabel, "run_state").text() == "interrupted"
    button = bar.findChild(QPushButton, "action_resume_run")
    assert button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: reached(run, saved + 50), timeout=LONGEST_MS)
    stop(session, qtbot)
    assert [event.step for event in run.events() if isinstance(event, Started)] == [0, saved]
