"""What one can do with a run besides training it: rename, branch, copy, show, delete and bring back."""

from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication
from pytestqt.qtbot import QtBot

from app import run_queue
from app.run_actions import RunActions
from app.session import Session
from tests.app.conftest import add_checkpoint, add_run, until
from tfmcore.config import Config
from tfmcore.runs import Exit, Run, RunState


@pytest.fixture
def actions(session: Session, qtbot: QtBot, run: Run) -> RunActions:
    actions = RunActions(session, session)
    until(qtbot, session, lambda: session.runs.facts)
    session.choose_run(run.id)
    return actions


@pytest.fixture
def ended(session: Session, qtbot: QtBot, run: Run, actions: RunActions) -> Run:
    Exit(state=RunState.FINISHED, step=20).write(run.folder / "exit.json")
    until(qtbot, session, lambda: session.runs.facts[0].state == RunState.FINISHED)
    return run


def trigger(actions: RunActions, name: str) -> None:
    action = actions.findChild(QAction, f"action_{name}")
    assert action.isEnabled()
    action.trigger()


def test_without_a_run_nothing_can_be_done(session: Session, qtbot: QtBot) -> None:
    assert not any(action.isEnabled() for action in RunActions(session, session).all)


def test_every_action_has_a_name_and_an_icon(actions: RunActions) -> None:
    for action in actions.all:
        assert action.isSeparator() or (action.text() and not action.icon().isNull())


def test_a_living_run_is_not_deleted(actions: RunActions, session: Session, qtbot: QtBot, run: Run) -> None:
    assert not actions.findChild(QAction, "action_delete_run").isEnabled()
    with qtbot.waitSignal(session.notified) as said:
        session.delete_runs(session.runs.facts[:1])
    assert "stop it before" in said.args[1]
    assert run.folder.exists()


def test_of_several_those_that_live_are_left(session: Session, qtbot: QtBot, run: Run, own_folders: Path) -> None:
    alive = [add_run(own_folders / "runs", f"alive {number}", RunState.RUNNING) for number in range(2)]
    Exit(state=RunState.FINISHED, step=20).write(run.folder / "exit.json")
    until(qtbot, session, lambda: sorted(facts.state.alive for facts in session.runs.facts) == [False, True, True])
    with qtbot.waitSignals([session.notified, session.offered]):
        session.delete_runs(session.runs.facts)
    until(qtbot, session, lambda: {facts.id for facts in session.runs.facts} == {each.id for each in alive})


def test_where_one_cannot_be_deleted_those_before_it_can_come_back(
    session: Session, qtbot: QtBot, own_folders: Path
) -> None:
    for number in range(3):
        add_run(own_folders / "runs", f"run {number}", RunState.FINISHED)
    until(qtbot, session, lambda: len(session.runs.facts) == 3)
    first, second, third = session.runs.facts
    in_the_way = own_folders / ".trash" / second.id
    in_the_way.mkdir(parents=True)
    (in_the_way / "file").touch()
    with qtbot.waitSignal(session.offered) as offered:
        session.delete_runs([first, second, third])
    sentence, _, undo, _ = offered.args
    assert f"“{first.label}” was deleted" in sentence
    assert f"“{second.label}” cannot be deleted" in sentence
    until(qtbot, session, lambda: {facts.id for facts in session.runs.facts} == {second.id, third.id})
    undo()
    until(qtbot, session, lambda: len(session.runs.facts) == 3)
    with qtbot.waitSignal(session.notified) as said:
        session.delete_runs([second])
    assert said.args[0] == "error"
    assert len(session.runs.facts) == 3


def test_a_deleted_run_leaves_the_list_and_comes_back(
    actions: RunActions, session: Session, qtbot: QtBot, ended: Run
) -> None:
    notified = list[str]()
    session.notified.connect(lambda _, sentence, *__: notified.append(sentence))
    with qtbot.waitSignal(session.offered) as offered:
        trigger(actions, "delete_run")
    sentence, word, undo, _ = offered.args
    assert "A first run" in sentence
    assert word == "Undo"
    assert (session.workspace / ".trash" / ended.id / "events.jsonl").exists()
    until(qtbot, session, lambda: not session.runs.facts)
    assert not notified
    undo()
    until(qtbot, session, lambda: [facts.id for facts in session.runs.facts] == [ended.id])
    assert ended.label == "A first run"
    ended.folder.rename(ended.folder.parent.parent / "elsewhere")
    until(qtbot, session, lambda: notified)
    assert "“A first run” is no longer there" in notified[0]


def test_what_cannot_be_brought_back_is_offered_again(session: Session, qtbot: QtBot, own_folders: Path) -> None:
    for number in range(2):
        add_run(own_folders / "runs", f"run {number}", RunState.FINISHED)
    until(qtbot, session, lambda: len(session.runs.facts) == 2)
    first, second = session.runs.facts
    with qtbot.waitSignal(session.offered) as offered:
        session.delete_runs([first, second])
    in_the_way = first.run.folder / "file"
    in_the_way.parent.mkdir()
    in_the_way.touch()
    with qtbot.waitSignal(session.offered) as again:
        offered.args[2]()
    sentence, word, undo, _ = again.args
    assert f"“{first.label}” was deleted" in sentence
    assert f"“{first.label}” cannot be restored" in sentence
    assert word == "Undo"
    until(qtbot, session, lambda: second.id in {facts.id for facts in session.runs.facts})
    in_the_way.unlink()
    undo()
    until(qtbot, session, lambda: {facts.id for facts in session.runs.facts} == {first.id, second.id})


def test_each_undo_brings_back_its_own(session: Session, qtbot: QtBot, own_folders: Path) -> None:
    for number in range(3):
        add_run(own_folders / "runs", f"run {number}", RunState.FINISHED)
    until(qtbot, session, lambda: len(session.runs.facts) == 3)
    first, second, third = session.runs.facts
    offers = []
    for facts in (first, second):
        with qtbot.waitSignal(session.offered) as offered:
            session.delete_runs([facts])
        assert f"“{facts.label}” was deleted" in offered.args[0]
        offers.append(offered.args[2])
    for undo, left in zip(offers, ({first.id, third.id}, {first.id, second.id, third.id}), strict=True):
        undo()
        until(qtbot, session, lambda left=left: {each.id for each in session.runs.facts} == left)


def test_the_key_takes_back_whichever_came_last_a_deletion_or_a_change(
    session: Session, qtbot: QtBot, own_folders: Path
) -> None:
    for number in range(2):
        add_run(own_folders / "runs", f"run {number}", RunState.FINISHED)
    until(qtbot, session, lambda: len(session.runs.facts) == 2)
    first, second = session.runs.facts
    holds = []
    for facts, dropout in ((first, 0.25), (second, 0.5)):
        with qtbot.waitSignal(session.offered) as offered:
            session.delete_runs([facts])
        assert "Ctrl+Z" in offered.args[0]
        holds.append(offered.args[3])
        session.draft.set("model.dropout", dropout)
    session.undo()
    assert session.draft.value("model.dropout") == 0.25
    session.undo()
    until(qtbot, session, lambda: [facts.id for facts in session.runs.facts] == [second.id])
    qtbot.waitUntil(lambda: [each() for each in holds] == [True, False])  # what has been undone is no longer offered
    session.undo()
    assert session.draft.value("model.dropout") != 0.25
    session.undo()
    until(qtbot, session, lambda: len(session.runs.facts) == 2)


def test_a_run_that_waited_is_started_though_it_was_deleted_meanwhile(
    session: Session, qtbot: QtBot, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []
    monkeypatch.setattr(run_queue, "start_queue", started.append)
    waiting = session.queue.create(Config(), "it waits")
    until(qtbot, session, lambda: [facts.place for facts in session.runs.facts] == [1])
    with qtbot.waitSignal(session.offered) as offered:
        session.delete_runs(session.runs.facts)
    until(qtbot, session, lambda: not session.runs.facts)
    started.clear()
    offered.args[2]()
    until(qtbot, session, lambda: [(facts.id, facts.place) for facts in session.runs.facts] == [(waiting.id, 1)])
    qtbot.waitUntil(lambda: len(started) == 1)


def test_the_model_of_a_deleted_run_is_closed(actions: RunActions, session: Session, qtbot: QtBot, ended: Run) -> None:
    add_checkpoint(ended)
    with qtbot.waitSignal(session.model_changed):
        session.open_model(str(ended.folder))
    with qtbot.waitSignals([session.model_changed, session.offered]):
        trigger(actions, "delete_run")
    assert session.model is None
    assert session.model_path == ""


def test_a_design_from_a_run_is_its_config(actions: RunActions, session: Session, qtbot: QtBot) -> None:
    session.draft.set("model.num_layers", 7)
    with qtbot.waitSignal(session.page_wanted) as wanted:
        trigger(actions, "design_from_run")
    assert wanted.args == ["model"]
    assert session.draft.config == session.runs.facts[0].config
    session.draft.undo()
    assert session.draft.value("model.num_layers") == 7


def test_a_branch_goes_on_from_the_last_checkpoint(
    actions: RunActions, session: Session, qtbot: QtBot, ended: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, str]] = []
    monkeypatch.setattr(
        "app.session._create_and_start",
        lambda runs, config, label: started.append((label, config.training.branch_from)) or ended,
    )
    add_checkpoint(ended, 10)
    folder = add_checkpoint(ended, 20)
    with qtbot.waitSignal(session.page_wanted) as wanted:
        trigger(actions, "branch_run")
    assert wanted.args == ["model"]
    draft = session.draft
    assert draft.value("training.branch_from") == str(folder)
    assert draft.value("training.steps") == 1000
    assert not draft.problems
    draft.set("model.d_model", 64)
    assert [problem.field for problem in draft.problems] == ["model.d_model"]
    draft.undo()
    draft.set("training.steps", 20)
    assert [(problem.field, problem.nearest) for problem in draft.problems] == [("training.steps", 1020)]
    draft.undo()
    session.start_run()
    qtbot.waitUntil(lambda: len(started) == 1)
    assert started == [("A first run from step 20", str(folder))]


def test_a_run_that_has_ended_is_given_as_many_steps_more(
    actions: RunActions, session: Session, qtbot: QtBot, run: Run
) -> None:
    add_checkpoint(run, 1000)
    with qtbot.waitSignal(session.page_wanted):
        session.branch_from(session.runs.facts[0], 5000)
    assert session.draft.value("training.steps") == 2000


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(
    actions: RunActions, session: Session, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(session.notified) as said:
        trigger(actions, "branch_run")
    assert "no checkpoint yet" in said.args[1]


def test_a_config_that_cannot_be_read_is_no_design(session: Session, qtbot: QtBot, own_folders: Path) -> None:
    broken = add_run(own_folders / "runs", "broken")
    (broken.folder / "run.toml").write_text("= nothing")
    until(qtbot, session, lambda: [facts.config for facts in session.runs.facts] == [None])
    with qtbot.waitSignal(session.notified) as said:
        session.design_from(session.runs.facts[0])
    assert "cannot be read" in said.args[1]


def test_its_id_is_copied(actions: RunActions, run: Run) -> None:
    trigger(actions, "copy_run_id")
    assert QGuiApplication.clipboard().text() == run.id


@pytest.mark.parametrize("opens", [True, False])
def test_its_folder_is_shown_or_named(
    actions: RunActions, session: Session, qtbot: QtBot, run: Run, monkeypatch: pytest.MonkeyPatch, opens: bool
) -> None:
    said: list[str] = []
    shown: list[QUrl] = []
    session.notified.connect(lambda level, sentence, details: said.append(sentence))
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: shown.append(url) or opens)
    trigger(actions, "show_run_folder")
    assert Path(shown[0].toLocalFile()) == run.folder
    assert [str(run.folder) in sentence for sentence in said] == ([] if opens else [True])
