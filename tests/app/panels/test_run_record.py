"""A run in words: log and config, to read, to copy and to save."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from app.panels.run_record import OF_EVENT, ConfigText, Log, TextRecord, event_words
from app.session import Session
from tests.app.conftest import add_run
from tfmcore.messages import Changed, Evaluated, Event, Failed, Finished, Saved, Started, Warned
from tfmcore.runs import Run, RunState

STARTED = Started(steps=9, parameters=1, vocab_size=2, num_train=3, num_validation=4, device="cpu", threads=1)
EVENTS: list[Event] = [
    STARTED,
    Evaluated(step=1, loss=1.5, metrics={"macro_f1": 0.25}),
    Saved(step=2, folder="step-00000002", best=True),
    Changed(step=3, setting="learning_rate", value=0.01),
    Warned(step=4, sentence="careful"),
    Failed(step=5, sentence="no more memory", details="Traceback"),
    Finished(step=6, reason="early_stopping"),
]


@pytest.mark.parametrize("record", [Log, ConfigText])
def test_an_empty_record_says_what_will_stand_here(session: Session, qtbot: QtBot, record: type[TextRecord]) -> None:
    widget = record(session)
    qtbot.addWidget(widget)
    widget.show()
    assert widget._empty.isVisible()
    widget.append("something")
    assert not widget._empty.isVisible()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_every_event_has_its_line(event: Event) -> None:
    assert event_words(event).startswith(f"step {event.step}: ")


def test_the_log_follows_what_was_printed(session: Session, qtbot: QtBot, run: Run) -> None:
    (run.folder / "log.txt").write_text("a warning of a library\n")
    log = Log(session)
    qtbot.addWidget(log)
    log.show_run(run)
    log.advance(EVENTS)
    qtbot.waitUntil(lambda: "a warning of a library\n" in log.text and "step 0: started" in log.text)
    assert "Traceback" in log.text
    assert "validation loss 1.5000, macro F1 0.25" in log.text
    (run.folder / "log.txt").write_text("a warning of a library\nlast words\n")
    log.look_again()
    qtbot.waitUntil(lambda: "last words" in log.text)
    assert log.text.count("step 4: warning: careful") == 1


def test_what_log_txt_tells_of_events_is_not_told_twice(session: Session, qtbot: QtBot, run: Run) -> None:
    (run.folder / "log.txt").write_text("a warning\n2026-11-28 00:26:51  step 1,030: validation loss 2.5\nnot a line\n")
    log = Log(session)
    qtbot.addWidget(log)
    log.show_run(run)
    log.advance([Evaluated(step=1030, loss=2.5, time=0.0)])
    qtbot.waitUntil(lambda: "a warning\nnot a line\n" in log.text)
    assert log.text.count("validation loss") == 1
    assert OF_EVENT.match(log.text.splitlines()[-1]), "it has its time"


def test_the_words_of_a_run_never_appear_under_another(
    session: Session, qtbot: QtBot, run: Run, own_folders: Path
) -> None:
    other = add_run(own_folders / "runs", "another", RunState.RUNNING)
    (run.folder / "log.txt").write_text("of the first")
    (other.folder / "log.txt").write_text("of the second")
    log, config = Log(session), ConfigText(session)
    for widget in (log, config):
        qtbot.addWidget(widget)
        widget.show_run(run)
        widget.show_run(other)
    qtbot.waitUntil(lambda: log.text == "of the second" and "[data]" in config.text)


def test_a_record_is_copied_and_saved(session: Session, qtbot: QtBot, tmp_path: Path) -> None:
    log = Log(session)
    qtbot.addWidget(log)
    log.show()
    log.set_text("Übung 🙂")
    qtbot.mouseClick(log.findChild(QPushButton, "action_copy_log"), Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "Übung 🙂"
    qtbot.mouseClick(log.findChild(QPushButton, "action_save_log"), Qt.MouseButton.LeftButton)
    dialog = log.findChild(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "log.txt"))
    dialog.reject()
    qtbot.waitUntil((tmp_path / "log.txt").exists)
    assert (tmp_path / "log.txt").read_text(encoding="utf-8") == "Übung 🙂"
    with qtbot.waitSignal(session.notified) as said:
        log.acts.save(str(tmp_path / "no" / "such" / "folder.txt"))
    assert "could not be written" in said.args[1]
