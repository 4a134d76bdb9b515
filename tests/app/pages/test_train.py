"""Train: one run at a time is followed, another window's too; nothing here ever stops one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QListView, QPlainTextEdit, QPushButton, QSlider, QTabWidget
from pytestqt.qtbot import QtBot

from app import run_queue
from app import session as session_module
from app.pages.train import TrainPage
from app.session import Session
from tests.app.conftest import add_run, stepped_event, until, write_events, write_status
from tfmcore.runs import Exit, Run, RunState


@pytest.fixture
def page(session: Session, qtbot: QtBot) -> TrainPage:
    page = TrainPage(session)
    qtbot.addWidget(page)
    page.resize(1200, 740)
    page.show()
    return page


def losses(page: TrainPage) -> list[float]:
    curves = page._curves.plots["loss"].curves
    return curves["training"].series.x.tolist() if "training" in curves else []


def text(page: TrainPage, name: str) -> str:
    return page.findChild(QPlainTextEdit, f"{name}_text").toPlainText()


def test_an_empty_page_leads_home(page: TrainPage, session: Session, qtbot: QtBot) -> None:
    with qtbot.waitSignal(session.page_wanted) as wanted:
        qtbot.mouseClick(page.findChild(QPushButton, "action_go_home"), Qt.MouseButton.LeftButton)
    assert wanted.args == ["home"]


def test_a_run_that_is_running_already_is_followed(page: TrainPage, session: Session, qtbot: QtBot, run: Run) -> None:
    """The window was killed, or the run was started from a terminal: it is found again as it is."""
    add_run(session.runs.folder, "a newer one that has ended", RunState.RUNNING)
    newer = next(folder for folder in session.runs.folder.iterdir() if folder != run.folder)
    Exit(state=RunState.FINISHED, step=20).write(newer / "exit.json")
    until(qtbot, session, lambda: len(session.runs.facts) == 2)
    assert session.run_id == run.id
    qtbot.waitUntil(lambda: len(losses(page)) == 20)
    write_events(run, stepped_event(21))
    qtbot.waitUntil(lambda: len(losses(page)) == 21)
    assert "value" in text(page, "samples")
    assert "validation loss 0.5" in text(page, "log")
    assert "[training]" in text(page, "config_text")


def test_a_cut_last_line_is_passed_over(page: TrainPage, session: Session, qtbot: QtBot, run: Run) -> None:
    with open(run.folder / "events.jsonl", "a") as file:
        file.write(stepped_event(21).model_dump_json()[:30])
    until(qtbot, session, lambda: len(losses(page)) == 20)
    with open(run.folder / "events.jsonl", "a") as file:
        file.write(stepped_event(21).model_dump_json()[30:] + "\n")
    qtbot.waitUntil(lambda: len(losses(page)) == 21)


def test_another_run_takes_the_place_of_the_first(page: TrainPage, session: Session, qtbot: QtBot, run: Run) -> None:
    other = add_run(session.runs.folder, "another", RunState.PAUSED, step=5)
    until(qtbot, session, lambda: len(session.runs.facts) == 2)
    for chosen, steps in ((other, 5), (run, 20), (other, 5)):
        session.choose_run(chosen.id)
        qtbot.waitUntil(lambda steps=steps: len(losses(page)) == steps)
        assert page.findChild(QLabel, "run_label").text() == chosen.label
    write_events(run, stepped_event(21))
    qtbot.wait(300)
    assert len(losses(page)) == 5


def test_a_failure_is_told_with_its_sentence_and_its_last_words(
    page: TrainPage, session: Session, qtbot: QtBot, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(qtbot, session, lambda: len(losses(page)) == 20)
    (run.folder / "log.txt").write_text("Segmentation fault\n")
    said = list[str]()
    monkeypatch.setattr("app.pages.train.announce", lambda widget, words: said.append(words))
    Exit(state=RunState.FAILED, step=20, sentence="The loss is not a number in step 21.").write(
        run.folder / "exit.json"
    )
    until(qtbot, session, lambda: session.runs.facts[0].state == RunState.FAILED)
    assert said == ["A first run: failed. The loss is not a number in step 21."]
    sentence = page.findChild(QLabel, "run_sentence")
    assert sentence.isVisible()
    assert sentence.text() == "The loss is not a number in step 21."
    assert sentence.property("tone") == "bad"
    qtbot.waitUntil(lambda: "Segmentation fault" in text(page, "log"))


def test_the_design_is_trained_from_here(
    page: TrainPage, session: Session, qtbot: QtBot, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Run] = []
    offers: list[tuple[str, str, Callable[[], None], Callable[[], bool]]] = []
    monkeypatch.setattr(session_module, "start_trainer", started.append)
    monkeypatch.setattr(run_queue, "start_queue", lambda runs: None)
    session.offered.connect(lambda *offer: offers.append(offer))
    until(qtbot, session, lambda: session.runs.facts)
    qtbot.mouseClick(page.findChild(QPushButton, "action_start_run_here"), Qt.MouseButton.LeftButton)
    until(qtbot, session, lambda: len(session.runs.facts) == 2)
    assert page.findChild(QListView, "run_list").currentIndex().row() == 0
    assert not started, "while another trains on the same device, it waits"
    until(qtbot, session, lambda: [facts.place for facts in session.runs.facts] == [1, 0])
    assert session.run_id == session.runs.facts[0].id
    assert page.findChild(QLabel, "run_state").text() == "next in the queue"
    assert "when its turn comes" in page.findChild(QLabel, "run_sentence").text()
    sentence, word, act, holds = offers[0]
    assert (word, "“A first run” has not ended" in sentence) == ("Train now", True)
    act()
    qtbot.waitUntil(lambda: len(started) == 1)
    assert started[0].id == session.run_id
    assert holds()
    write_status(started[0], RunState.RUNNING)
    until(qtbot, session, lambda: not holds())
    (started[0].folder / "status.json").unlink()
    until(qtbot, session, holds)
    Exit(state=RunState.FINISHED, step=20).write(run.folder / "exit.json")
    until(qtbot, session, lambda: not holds())  # what it said to train has ended, though it may still wait for another


def test_when_the_chosen_run_is_deleted_the_next_one_is_shown(
    page: TrainPage, session: Session, qtbot: QtBot, run: Run
) -> None:
    other = add_run(session.runs.folder, "another", step=5)
    until(qtbot, session, lambda: len(session.runs.facts) == 2)
    session.choose_run(other.id)
    page.findChild(QAction, "action_delete_run").trigger()
    until(qtbot, session, lambda: session.run_id == run.id)
    qtbot.waitUntil(lambda: len(losses(page)) == 20)


def test_its_neighbour_takes_the_place_of_a_deleted_run(
    page: TrainPage, session: Session, qtbot: QtBot, own_folders: Path
) -> None:
    for number in range(4):
        add_run(own_folders / "runs", f"run {number}", RunState.FINISHED, step=1)
    until(qtbot, session, lambda: len(session.runs.facts) == 4)
    ids = [facts.id for facts in session.runs.facts]
    session.choose_run(ids[2])
    until(qtbot, session, lambda: page._place == 2)
    for gone, instead in ((2, 3), (3, 1)):
        shutil.rmtree(session.runs.folder / ids[gone])
        until(qtbot, session, lambda instead=instead: session.run_id == ids[instead])


def test_a_run_that_was_made_just_now_is_shown_though_the_list_has_not_seen_it(
    session: Session, qtbot: QtBot, run: Run
) -> None:
    """The page is built for it, with a list from before."""
    until(qtbot, session, lambda: session.runs.facts)
    session.runs.stop()
    new = add_run(session.runs.folder, "the first from Home", RunState.RUNNING, step=5)
    session._on_run_started(new)
    page = TrainPage(session)
    qtbot.addWidget(page)
    assert session.run_id == new.id
    session.runs.blockSignals(False)
    until(qtbot, session, lambda: len(losses(page)) == 5)
    assert session.run_id == new.id
    shutil.rmtree(new.folder)
    until(qtbot, session, lambda: session.run_id == run.id)


def test_the_config_is_read_again_when_a_run_goes_on_with_another(
    page: TrainPage, session: Session, qtbot: QtBot, run: Run
) -> None:
    Exit(state=RunState.FAILED, step=20).write(run.folder / "exit.json")
    until(qtbot, session, lambda: [facts.state for facts in session.runs.facts] == [RunState.FAILED])
    qtbot.waitUntil(lambda: "batch_size = 16" not in text(page, "config_text") != "")
    run.change(["training.batch_size=16", "training.accumulation=2"])
    (run.folder / "exit.json").unlink()
    until(qtbot, session, lambda: "batch_size = 16" in text(page, "config_text"))
    assert session.runs.facts[0].config.training.batch_size == 16


def test_smoothing_and_tab_are_remembered(page: TrainPage, session: Session, qtbot: QtBot, run: Run) -> None:
    page.findChild(QTabWidget, "run_tabs").setCurrentIndex(2)
    page.findChild(QSlider, "field_smoothing").setValue(50)
    again = TrainPage(session)
    qtbot.addWidget(again)
    assert again.findChild(QTabWidget, "run_tabs").currentIndex() == 2
    assert again.findChild(QSlider, "field_smoothing").value() == 50
    assert again._curves.plots["loss"].smoothing == 0.5


def test_smoothing_belongs_to_the_curves(page: TrainPage, session: Session, qtbot: QtBot, run: Run) -> None:
    until(qtbot, session, lambda: session.runs.facts)
    tabs = page.findChild(QTabWidget, "run_tabs")
    for tab in range(tabs.count()):
        tabs.setCurrentIndex(tab)
        assert page._curves.toolbar.isVisible() == (tab == 0)


def test_the_splitter_is_remembered(page: TrainPage, session: Session, qtbot: QtBot, run: Run) -> None:
    until(qtbot, session, lambda: session.runs.facts)
    page._splitter.setSizes([400, 800])
    page._splitter.splitterMoved.emit(400, 1)
    assert session.settings.get("train.splitter", [0])[0] == page._splitter.sizes()[0]


def test_preparing_shows_what_is_counted(page: TrainPage, session: Session, qtbot: QtBot, own_folders: Path) -> None:
    run = add_run(own_folders / "runs", "Dates", step=1)
    write_status(run, RunState.PREPARING, phase="training the tokenizer", done=3000, total=20_000)
    until(qtbot, session, lambda: session.runs.facts)
    assert page.findChild(QLabel, "run_words").text() == "training the tokenizer, 3,000 of 20,000"
