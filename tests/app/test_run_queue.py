"""The queue in the window: runs that wait, their order, a start that waits, and a queue that is taken up again."""

import pytest
from PySide6.QtGui import QAction
from pytestqt.qtbot import QtBot

from app import run_queue
from app.run_actions import RunActions
from app.session import Session
from tests.app.conftest import add_run, until
from tfmcore.config import Config
from tfmcore.queue import Queue
from tfmcore.runs import Run, RunState


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The folders whose queue was to be run."""
    found: list[object] = []
    monkeypatch.setattr(run_queue, "start_queue", found.append)
    return found


@pytest.fixture
def waiting(session: Session, qtbot: QtBot, begun: list[object]) -> list[Run]:
    """Three runs that wait, each chosen last first in the list."""
    runs = [add_run(session.runs.folder, label) for label in ("a", "b", "c")]
    Queue(session.runs.folder).add(run.id for run in runs)
    until(qtbot, session, lambda: len(session.runs.facts) == 3)
    return runs


def places(session: Session) -> dict[str, int]:
    return {facts.label: facts.place for facts in session.runs.facts}


def test_the_order_is_shown_and_changed(session: Session, qtbot: QtBot, waiting: list[Run]) -> None:
    actions = RunActions(session, session)
    until(qtbot, session, lambda: places(session) == {"a": 1, "b": 2, "c": 3})
    assert {facts.words for facts in session.runs.facts} == {
        "next in the queue", "number 2 in the queue", "number 3 in the queue",
    }  # fmt: skip
    session.choose_run(waiting[2].id)

    def act(name: str) -> None:
        action = actions.findChild(QAction, f"action_{name}_run")
        qtbot.waitUntil(action.isEnabled)
        action.trigger()

    assert not actions.findChild(QAction, "action_lower_run").isEnabled()
    act("raise")
    act("raise")  # before the list shows the first
    until(qtbot, session, lambda: places(session) == {"c": 1, "a": 2, "b": 3})
    assert not actions.findChild(QAction, "action_raise_run").isEnabled()
    act("lower")
    until(qtbot, session, lambda: places(session) == {"a": 1, "c": 2, "b": 3})
    act("unqueue")
    until(qtbot, session, lambda: places(session) == {"a": 1, "b": 2, "c": 0})
    act("queue")
    until(qtbot, session, lambda: places(session) == {"a": 1, "b": 2, "c": 3})


def test_a_run_of_another_device_or_machine_is_not_in_the_way(session: Session, qtbot: QtBot, run: Run) -> None:
    until(qtbot, session, lambda: session.runs.facts)
    in_the_way = session.queue.in_the_way
    assert in_the_way(Config()).id == run.id
    far = run.status().model_copy(update={"host": "another machine", "state": RunState.RUNNING})
    far.write(run.folder / "status.json")
    until(qtbot, session, lambda: not session.runs.facts[0].is_local)
    assert in_the_way(Config()) is None


def test_a_queue_that_was_left_goes_on_with_the_next_window(
    own_folders, qtbot: QtBot, begun: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = add_run(own_folders / "runs", "left")
    Queue(own_folders / "runs").add([run.id])
    session = Session(own_folders)
    qtbot.waitUntil(lambda: begun == [own_folders / "runs"])
    session.close()


def test_a_sweep_makes_runs_that_wait_or_none(session: Session, qtbot: QtBot, begun: list[object]) -> None:
    made: list[int] = []
    session.queue.sweep(session.draft.raw, [("training.seed=9",), ("training.seed=10",)], "mine", made.append)
    qtbot.waitUntil(lambda: made == [2])
    until(qtbot, session, lambda: places(session) == {"mine seed=9": 1, "mine seed=10": 2})
    assert [facts.label for facts in session.runs.facts] == ["mine seed=10", "mine seed=9"], "newest first"
    assert begun == [session.runs.folder]
    with qtbot.waitSignal(session.notified) as said:
        session.queue.sweep(session.draft.raw, [("model.num_heads=4",), ("model.num_heads=5",)], "no", made.append)
    assert "“Heads”" in said.args[1]
    assert len(list(session.runs.folder.glob("*/run.toml"))) == 2
