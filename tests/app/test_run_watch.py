"""Watching runs: the list and the history follow what trainers write, whoever they are."""

import gc
from pathlib import Path
from weakref import ReferenceType

import pytest
from pytestqt.qtbot import QtBot

from app import run_watch
from app.run_watch import CATCH_UP_MS, RunFollower, RunList
from tests.app.conftest import add_checkpoint, facts_of, stepped_event, write_events, write_status
from tfmcore.messages import Sampled
from tfmcore.runs import Exit, Manifest, Run, RunState, Status


def test_the_list_shows_state_steps_and_label(qtbot: QtBot, run: Run) -> None:
    runs = RunList(run.folder.parent)
    qtbot.waitUntil(lambda: bool(runs.facts))
    facts = runs.facts[0]
    assert (facts.label, facts.state, facts.step, facts.steps) == ("A first run", RunState.RUNNING, 20, 1000)
    run.rename("Another name")
    Exit(state=RunState.FINISHED, step=1000).write(run.folder / "exit.json")
    qtbot.waitUntil(lambda: runs.facts[0].label == "Another name")
    assert runs.facts[0].state == RunState.FINISHED


def test_the_best_checkpoint_is_known_by_its_step_and_metric(qtbot: QtBot, run: Run) -> None:
    add_checkpoint(run, step=10, loss=0.5)
    runs = RunList(run.folder.parent)
    qtbot.waitUntil(lambda: bool(runs.facts))
    facts = runs.facts[0]
    assert (facts.best_step, facts.best_loss, facts.best_metric) == (10, 0.5, None)
    manifest = Manifest(step=20, validation_loss=0.6, score=-0.75, metrics={"bits_per_byte": 2.5}, files={})
    manifest.write(add_checkpoint(run, step=20) / "manifest.json")
    runs.refresh()
    qtbot.waitUntil(lambda: runs.facts[0].best_step == 20)
    assert (runs.facts[0].best_loss, runs.facts[0].best_metric, runs.facts[0].best_bits) == (0.6, 0.75, 2.5)


def test_a_run_has_come_as_far_as_its_best_checkpoint(run: Run) -> None:
    assert facts_of(run, RunState.INTERRUPTED).step == 20, "its last report"
    assert facts_of(run, RunState.INTERRUPTED, best_step=10).step == 20
    assert facts_of(run, RunState.INTERRUPTED, best_step=40).step == 40


def test_a_folder_that_is_no_run_and_a_broken_config_harm_nobody(qtbot: QtBot, run: Run) -> None:
    (run.folder.parent / "notes").mkdir()
    broken = run.folder.parent / "broken"
    broken.mkdir()
    (broken / "run.toml").write_text("= nothing")
    runs = RunList(run.folder.parent)
    qtbot.waitUntil(lambda: len(runs.facts) == 2)
    assert {facts.config is None for facts in runs.facts} == {True, False}


def test_a_config_that_changes_while_the_list_is_read_is_shown(
    qtbot: QtBot, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look in which it changes has read the old one already, and all else is what the next look finds."""
    Exit(state=RunState.FAILED, step=20).write(run.folder / "exit.json")
    runs = RunList(run.folder.parent)
    qtbot.waitUntil(lambda: bool(runs.facts))
    runs.stop()
    read_status = Run.status

    def changed_now(self: Run) -> Status | None:
        monkeypatch.setattr(Run, "status", read_status)
        self.change(["training.batch_size=16", "training.accumulation=2"])
        (self.folder / "exit.json").unlink()
        return read_status(self)

    monkeypatch.setattr(Run, "status", changed_now)
    (run.folder / "a sign of life").touch()
    first, second = runs._look(), runs._look()
    assert [facts.state for facts in first + second] == [RunState.RUNNING] * 2
    assert [facts.config and facts.config.training.batch_size for facts in first + second] == [32, 16]
    assert first != second, "what is equal to what is shown is not shown"


@pytest.mark.fault(36)
def test_the_follower_reads_on_where_it_stopped(qtbot: QtBot, run: Run) -> None:
    follower = RunFollower(run)
    qtbot.waitUntil(lambda: follower.history.step == 20)
    write_events(run, stepped_event(21))
    qtbot.waitUntil(lambda: follower.history.step == 21)
    with open(run.folder / "events.jsonl", "a") as file:
        file.write(stepped_event(22).model_dump_json()[:30])
    write_status(run, RunState.PAUSED)
    with qtbot.assertNotEmitted(follower.failed, wait=400):
        pass
    assert follower.history.step == 21
    follower.stop()


def test_following_a_run_for_days_leaves_nothing_behind(qtbot: QtBot, run: Run) -> None:
    follower = RunFollower(run)
    qtbot.waitUntil(lambda: follower.history.step == 20)
    follower.attend(False)

    def references() -> int:
        gc.collect()
        return sum(type(each) is ReferenceType for each in gc.get_objects())

    before = references()
    for _ in range(100):
        follower._on_read([Sampled(step=20, prompt="The ", text="value")])
    qtbot.wait(3 * CATCH_UP_MS)
    assert references() < before + 50


def test_what_was_asked_of_a_run_is_shown_until_it_is_done(qtbot: QtBot, run: Run) -> None:
    runs = RunList(run.folder.parent)
    qtbot.waitUntil(lambda: bool(runs.facts))
    runs.expect("no such run", "pausing")
    with qtbot.waitSignal(runs.changed):
        runs.expect(run.id, "pausing")
    assert runs.facts[0].words == "pausing …"
    write_status(run, RunState.RUNNING, step=21)
    runs.refresh()
    qtbot.waitUntil(lambda: runs.facts[0].step == 21)
    assert runs.facts[0].words == "pausing …"
    write_status(run, RunState.PAUSED, step=21)
    runs.refresh()
    qtbot.waitUntil(lambda: runs.facts[0].words == "paused")
    runs.expect(run.id, "resuming")
    runs.expect(run.id, "")
    assert runs.facts[0].words == "paused"


def test_a_run_that_has_ended_is_read_again_only_when_its_folder_changes(
    qtbot: QtBot, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Exit(state=RunState.FINISHED, step=1000).write(run.folder / "exit.json")
    runs = RunList(run.folder.parent)
    qtbot.waitUntil(lambda: bool(runs.facts))
    read: list[Run] = []
    status = Run.status
    monkeypatch.setattr(Run, "status", lambda run: read.append(run) or status(run))
    runs._look()
    assert not read
    run.rename("Another name")
    assert runs._look()[0].label == "Another name"
    assert not runs._look()[0].has_checkpoint
    add_checkpoint(run, 20, 1.5)
    assert runs._look()[0].has_checkpoint
    assert len(read) == 2
    add_checkpoint(run, 40, 1.7)
    assert runs._look()[0].best_loss == 1.5, "of the checkpoint that is used, whichever came last"


def test_what_a_folder_does_not_note_is_seen(qtbot: QtBot, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Exit(state=RunState.FAILED, step=20).write(run.folder / "exit.json")
    noted = run.folder.stat().st_mtime_ns
    changed = run_watch._changed
    monkeypatch.setattr(run_watch, "_changed", lambda path: noted if Path(path).is_dir() else changed(path))
    runs = RunList(run.folder.parent)
    qtbot.waitUntil(lambda: bool(runs.facts))
    run.rename("Another name")
    (run.folder / "exit.json").unlink()
    runs.refresh()
    qtbot.waitUntil(lambda: runs.facts[0].label == "Another name")
    assert runs.facts[0].state == RunState.RUNNING


def test_a_run_that_goes_while_it_is_read_is_not_listed(
    qtbot: QtBot, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = RunList(run.folder.parent)
    qtbot.waitUntil(lambda: runs.find(run.id) is not None)
    shown = list[str]()
    runs.changed.connect(lambda: shown.extend(facts.label for facts in runs.facts))
    monkeypatch.setattr("app.run_watch.list_runs", lambda _: [run])
    run.folder.rename(tmp_path / "gone")
    runs.refresh()
    qtbot.waitUntil(lambda: runs.facts == [])
    assert shown == []
    runs.stop()


def test_a_list_that_cannot_be_read_is_said_once(qtbot: QtBot, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_folder: Path) -> list[Run]:
        raise PermissionError("Permission denied")

    monkeypatch.setattr("app.run_watch.list_runs", refuse)
    runs = RunList(run.folder.parent)
    with qtbot.waitSignal(runs.failed) as said:
        runs.refresh()
    assert "Permission denied" in said.args[0]
    with qtbot.assertNotEmitted(runs.failed, wait=50):
        runs.refresh()


def test_events_that_cannot_be_read_are_said_once_and_read_when_they_can_be(qtbot: QtBot, run: Run) -> None:
    events = run.folder / "events.jsonl"
    kept = events.rename(run.folder / "kept")
    events.mkdir()
    follower = RunFollower(run)
    with qtbot.waitSignal(follower.failed):
        pass
    with qtbot.assertNotEmitted(follower.failed, wait=600):
        pass
    events.rmdir()
    kept.rename(events)
    qtbot.waitUntil(lambda: follower.history.step == 20)
    follower.stop()


def test_an_empty_workspace_has_no_runs(qtbot: QtBot, tmp_path: Path) -> None:
    runs = RunList(tmp_path / "runs")
    with qtbot.assertNotEmitted(runs.changed, wait=200):
        pass
    assert runs.facts == []
