"""A run's bar: in each state the acts that make sense, each of them by its button."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QProgressBar, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from app import run_queue
from app import session as session_module
from app.panels.run_bar import RunBar
from app.run_actions import RunActions
from app.session import Session
from tests.app.conftest import add_checkpoint, facts_of, until, write_status
from tfmcore.config import Config
from tfmcore.messages import Command
from tfmcore.runs import Exit, Run, RunState

ACTS = {
    RunState.WAITING: {"resume"},
    RunState.PREPARING: {"stop"},
    RunState.RUNNING: {"pause", "stop", "save"},
    RunState.PAUSED: {"resume", "stop", "save"},
    RunState.STOPPING: set(),
    RunState.SILENT: {"stop", "kill"},
    RunState.INTERRUPTED: {"resume"},
    RunState.FINISHED: set(),
    RunState.STOPPED: {"resume"},
    RunState.FAILED: {"resume"},
}


@pytest.fixture
def bar(session: Session, qtbot: QtBot) -> RunBar:
    bar = RunBar(session, RunActions(session, session))
    qtbot.addWidget(bar)
    bar.resize(860, 120)
    bar.show()
    return bar


def click(qtbot: QtBot, bar: RunBar, name: str) -> None:
    button = bar.findChild(QPushButton, f"action_{name}_run")
    assert button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def shown(bar: RunBar) -> set[str]:
    buttons = [button for button in bar.findChildren(QPushButton) if button.isVisible()]
    return {button.objectName().removeprefix("action_").removesuffix("_run") for button in buttons}


@pytest.mark.parametrize("state", RunState)
def test_each_state_has_its_acts_its_word_and_fits(bar: RunBar, run: Run, state: RunState) -> None:
    bar.show_run(facts_of(run, state))
    assert shown(bar) == ACTS[state]
    word = bar.findChild(QLabel, "run_state").text()
    assert word == ("not started" if state == RunState.WAITING else str(state))
    assert bar.findChild(QProgressBar, "run_progress").isVisible() == state.alive
    assert bar.findChild(QLineEdit, "field_set_learning_rate").isVisible() == (
        state in (RunState.RUNNING, RunState.PAUSED)
    )
    bar.show_run(facts_of(run, state, has_checkpoint=True, label="a long label " * 30))
    assert shown(bar) == ACTS[state] | {"use", "inspect"}
    assert bar.minimumSizeHint().width() <= 860


@pytest.mark.parametrize(
    ("state", "name"),
    [(RunState.RUNNING, "run_sentence"), (RunState.FINISHED, "run_sentence"), (RunState.FAILED, "run_words")],
)
def test_the_best_checkpoint_is_said(bar: RunBar, run: Run, state: RunState, name: str) -> None:
    config = Config()
    config = config.model_copy(update={"data": config.data.model_copy(update={"task": "classification"})})
    bar.show_run(facts_of(run, state, config=config, best_loss=0.6055, best_step=1090, best_metric=0.682))
    said = bar.findChild(QLabel, name)
    assert said.text().endswith("best at step 1,090: accuracy 0.682, validation loss 0.6055")
    assert said.isVisible()
    bar.show_run(facts_of(run, state, best_loss=0.6055, best_step=1090, best_bits=0.8736))
    assert said.text().endswith("best at step 1,090: validation loss 0.6055, 0.8736 bits per byte")
    bar.show_run(facts_of(run, state))
    assert "best" not in said.text()
    ended = Exit(state=state, step=20, sentence="It ended at step 20, validation loss 0.6055")
    bar.show_run(facts_of(run, state, exit=ended, best_loss=0.6055, best_step=20))
    assert said.text().endswith("the last checkpoint is the best")


def test_the_epoch_and_the_memory_are_said_once_they_are_known(bar: RunBar, run: Run) -> None:
    facts = facts_of(run, RunState.RUNNING)
    status = facts.status.model_copy(update={"epoch": 2.25, "peak_memory": 3 * 2**28})
    bar.show_run(replace(facts, status=status))
    words = bar.findChild(QLabel, "run_words").text()
    assert "step 20 of 1,000 · epoch 2.2 · 768 MiB of memory (estimate" in words
    bar.show_run(facts)
    assert bar.findChild(QLabel, "run_words").text() == "step 20 of 1,000"


def test_a_paused_run_and_those_that_wait_for_its_device_name_each_other(
    bar: RunBar, session: Session, qtbot: QtBot, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_queue, "start_queue", lambda runs: None)
    sentence = bar.findChild(QLabel, "run_sentence")

    def shown(run: Run) -> str:
        bar.show_run(session.runs.find(run.id))
        return sentence.text()

    write_status(run, RunState.PAUSED, step=20)
    waiting = session.queue.create(Config(), "it waits")
    until(qtbot, session, lambda: {facts.words for facts in session.runs.facts} == {"paused", "next in the queue"})
    assert "“A first run”, which is paused, has its device" in shown(waiting)
    assert shown(run) == "“it waits” waits in the queue until it has ended: Resume or Stop it."
    session.queue.create(Config(), "the next")
    until(qtbot, session, lambda: len(session.runs.facts) == 3 and all(f.place for f in session.runs.facts[:2]))
    assert shown(run).startswith("2 runs wait in the queue")
    write_status(run, RunState.RUNNING, step=20)
    until(qtbot, session, lambda: session.runs.find(run.id).state == RunState.RUNNING)
    assert not shown(run), "it is on its way"
    far = run.status().model_copy(update={"host": "another machine", "state": RunState.PAUSED})
    far.write(run.folder / "status.json")
    until(qtbot, session, lambda: not session.runs.find(run.id).is_local)
    assert not shown(run)
    assert "has its device" not in shown(waiting)


@pytest.mark.parametrize("state", RunState)
def test_an_act_under_way_is_shown_and_not_offered_again(bar: RunBar, run: Run, state: RunState) -> None:
    bar.show_run(facts_of(run, state, asked="stopping"))
    assert bar.findChild(QLabel, "run_state").text() == "stopping …"
    assert shown(bar) <= {"kill"}


@pytest.mark.parametrize(
    ("state", "act", "kind", "word"),
    [
        (RunState.RUNNING, "pause", "pause", "pausing …"),
        (RunState.RUNNING, "stop", "stop", "stopping …"),
        (RunState.RUNNING, "save", "save_now", "saving …"),
        (RunState.PAUSED, "resume", "resume", "resuming …"),
    ],
)
def test_commands_go_to_the_run_and_are_shown_at_once(
    bar: RunBar, session: Session, qtbot: QtBot, run: Run, state: RunState, act: str, kind: str, word: str
) -> None:
    write_status(run, state, step=20)
    until(qtbot, session, lambda: [facts.state for facts in session.runs.facts] == [state])
    session.runs.changed.connect(lambda: bar.show_run(session.runs.find(run.id)))
    bar.show_run(session.runs.facts[0])
    click(qtbot, bar, act)
    assert bar.findChild(QLabel, "run_state").text() == word
    until(qtbot, session, (run.folder / "control.jsonl").exists)
    assert f'"{kind}"' in (run.folder / "control.jsonl").read_text()
    if act == "save":
        add_checkpoint(run)
    else:
        write_status(run, RunState.STOPPING)
    until(qtbot, session, lambda: not session.runs.facts[0].asked)


def test_a_key_pressed_twice_pauses_and_does_not_stop(bar: RunBar, qtbot: QtBot, run: Run) -> None:
    bar.show_run(facts_of(run, RunState.RUNNING))
    with qtbot.waitActive(bar):
        bar.activateWindow()
    pause, more = bar.findChild(QPushButton, "action_pause_run"), bar.findChild(QToolButton, "action_more_run")
    pause.setFocus()
    bar.show_run(facts_of(run, RunState.RUNNING, asked="pausing"))
    assert more.hasFocus(), "what stands beside it would be set off by the second press"


def test_a_learning_rate_is_sent_by_enter_and_nonsense_is_said(
    bar: RunBar, session: Session, qtbot: QtBot, run: Run
) -> None:
    bar.show_run(facts_of(run, RunState.RUNNING))
    field = bar.findChild(QLineEdit, "field_set_learning_rate")
    for nonsense in ("fast", "-1", "nan"):
        field.setText(nonsense)
        with qtbot.waitSignal(session.notified) as said:
            qtbot.keyClick(field, Qt.Key.Key_Return)
        assert "is not a learning rate" in said.args[1]
    field.setText("0,0003")  # as in the forms
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil((run.folder / "control.jsonl").exists)
    assert '"value":0.0003' in (run.folder / "control.jsonl").read_text()


def test_an_emptied_learning_rate_is_the_schedules_again(bar: RunBar, session: Session, qtbot: QtBot, run: Run) -> None:
    bar.show_run(facts_of(run, RunState.RUNNING))
    bar.show_rate(3e-4)
    field = bar.findChild(QLineEdit, "field_set_learning_rate")
    assert field.text() == "0.0003"
    field.clear()
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil((run.folder / "control.jsonl").exists)
    said = (run.folder / "control.jsonl").read_text()
    assert Command.model_validate_json(said) == Command(kind="set_learning_rate", value=None)
    bar.show_rate(None)
    assert (field.text(), field.placeholderText()) == ("", "by schedule")


def test_a_run_that_waits_is_started_once(
    bar: RunBar, session: Session, qtbot: QtBot, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Run] = []
    monkeypatch.setattr(session_module, "start_trainer", started.append)
    (run.folder / "status.json").unlink()
    until(qtbot, session, lambda: [facts.state for facts in session.runs.facts] == [RunState.WAITING])
    bar.show_run(session.runs.facts[0])
    assert bar.findChild(QPushButton, "action_resume_run").text() == "Start"
    click(qtbot, bar, "resume")
    click(qtbot, bar, "resume")
    assert session.runs.facts[0].words == "starting …"
    qtbot.waitUntil(lambda: bool(started))
    assert len(started) == 1


def test_the_model_of_a_run_opens_where_it_is_used(bar: RunBar, session: Session, qtbot: QtBot, run: Run) -> None:
    folder = add_checkpoint(run)
    bar.show_run(facts_of(run, RunState.FINISHED, has_checkpoint=True))
    pages: list[str] = []
    session.page_wanted.connect(pages.append)
    for act in ("use", "inspect"):
        with qtbot.waitSignal(session.model_changed):
            click(qtbot, bar, act)
        assert session.model_path == str(folder)
    assert pages == ["use", "inspect"]


@pytest.fixture
def hung(run: Run) -> Iterator[subprocess.Popen[bytes]]:
    """A trainer that has stopped to say anything 30 seconds ago: a process that is not allowed to run."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    psutil.Process(process.pid).suspend()
    write_status(run, RunState.RUNNING, pid=process.pid, step=20)
    status = run.status()
    assert status
    status.model_copy(update={"ticks": status.ticks - 30, "heartbeat": status.heartbeat - 30}).write(
        run.folder / "status.json"
    )
    yield process
    process.kill()
    process.wait()


@pytest.mark.fault(37)
def test_a_hung_trainer_shows_the_age_of_its_heartbeat_and_can_be_stopped_and_ended(
    bar: RunBar, session: Session, qtbot: QtBot, run: Run, hung: "subprocess.Popen[bytes]"
) -> None:
    until(qtbot, session, lambda: [facts.state for facts in session.runs.facts] == [RunState.SILENT])
    bar.show_run(session.runs.facts[0])
    assert "last report 30 s ago" in bar.findChild(QLabel, "run_words").text()
    click(qtbot, bar, "stop")
    qtbot.waitUntil((run.folder / "control.jsonl").exists)
    click(qtbot, bar, "kill")
    until(qtbot, session, lambda: session.runs.facts[0].state == RunState.INTERRUPTED)
    assert hung.wait(timeout=60) != 0


def test_every_button_has_a_key_that_works_while_it_is_on_show(
    bar: RunBar, session: Session, qtbot: QtBot, run: Run
) -> None:
    page = QWidget()
    qtbot.addWidget(page)
    page.addActions(list(bar.acts.values()))
    with qtbot.waitActive(page):
        page.show()
    page.setFocus()
    bar.show_run(facts_of(run, RunState.FINISHED))
    qtbot.keyClick(page, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    bar.show_run(facts_of(run, RunState.RUNNING))
    assert not (run.folder / "control.jsonl").exists(), "a run that has ended is not stopped"
    qtbot.keyClick(page, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil((run.folder / "control.jsonl").exists)
    assert '"stop"' in (run.folder / "control.jsonl").read_text()
    for name, action in bar.acts.items():
        button = bar.findChild(QPushButton, f"action_{name}")
        assert action.shortcut().toString() in button.toolTip()


def test_more_acts_hang_under_the_three_dots(bar: RunBar, run: Run) -> None:
    more = bar.findChild(QToolButton, "action_more_run")
    assert {"Rename", "Delete", "Copy its id"} <= {action.text() for action in more.menu().actions()}


def test_a_run_that_lacked_memory_goes_on_smaller(
    bar: RunBar, session: Session, qtbot: QtBot, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Run] = []
    monkeypatch.setattr(session_module, "start_trainer", started.append)
    remedy = ["training.batch_size=8", "training.accumulation=4"]
    Exit(state=RunState.FAILED, step=20, sentence="memory ran out", remedy=remedy).write(run.folder / "exit.json")
    until(qtbot, session, lambda: [facts.state for facts in session.runs.facts] == [RunState.FAILED])
    bar.show_run(session.runs.facts[0])
    assert shown(bar) == {"resume", "mend"}
    assert bar.findChild(QPushButton, "action_mend_run").text() == "Resume with batch size 8, accumulation 4"
    click(qtbot, bar, "mend")
    qtbot.waitUntil(lambda: len(started) == 1)
    assert (run.config().training.batch_size, run.config().training.accumulation) == (8, 4)
