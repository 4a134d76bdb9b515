"""The samples of a run: the newest of each prompt, followed, and those of the chosen one by step."""

import time
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from app.history import History, blocks
from app.panels.sample_tables import SampleTable, shared
from app.panels.samples import Samples
from app.session import Session
from app.theme import theme
from tfmcore.messages import Event, Sampled, Started

STARTED = Started(steps=9, parameters=1, vocab_size=2, num_train=3, num_validation=4, device="cpu", threads=1)


@pytest.fixture
def samples(session: Session, qtbot: QtBot) -> Samples:
    samples = Samples(session)
    qtbot.addWidget(samples)
    samples.resize(560, 380)
    samples.show()
    return samples


def sampled(step: int, *texts: str, expected: str = "") -> list[Event]:
    return [Sampled(step=step, prompt=f"prompt {n}", text=text, expected=expected) for n, text in enumerate(texts)]


def advance(samples: Samples, history: History, events: list[Event]) -> None:
    items = list(blocks(events))
    history.extend(items)
    samples.advance(history, items)


def cells(table: SampleTable) -> list[list[str]]:
    model = table.model()
    there = [column for column in range(model.columnCount()) if not table.isColumnHidden(column)]
    return [[model.index(row, column).data() for column in there] for row in range(model.rowCount())]


def read(samples: Samples) -> str:
    return samples.findChild(QPlainTextEdit, "samples_text").toPlainText()


@pytest.fixture
def history(samples: Samples) -> History:
    """Of two prompts with right answers, at two steps."""
    history = History()
    samples.show_run(history)
    advance(samples, history, [STARTED, *sampled(10, "x", "y", expected="z")])
    advance(samples, history, sampled(20, "z", "y\ny", expected="z"))
    return history


def test_without_samples_it_says_what_will_stand_here(samples: Samples, history: History) -> None:
    assert not samples._empty.isVisible()
    samples.show_run(History())
    assert samples._empty.isVisible()


def test_a_row_is_the_newest_of_a_prompt_with_its_mark(samples: Samples, history: History) -> None:
    assert cells(samples.prompts) == [
        ["prompt 0", "z", "✓", "z", "20"],
        ["prompt 1", "z", "✗", "y ↵ y", "20"],
    ]
    assert cells(samples.steps) == [["20", "✓", "z"], ["10", "✗", "x"]]
    marks = [samples.prompts.model().index(row, 2).data(Qt.ItemDataRole.ForegroundRole).name() for row in (0, 1)]
    assert marks == [theme().good, theme().bad]
    assert read(samples).startswith("── step 20 ──")


def test_where_nothing_is_expected_there_is_no_column_for_it(samples: Samples) -> None:
    history = History()
    samples.show_run(history)
    advance(samples, history, sampled(10, "once upon a time\n" * 200))
    row = cells(samples.prompts)[0]
    assert (row[0], row[2]) == ("prompt 0", "10")
    assert len(cells(samples.steps)[0]) == 2
    assert read(samples).count("once upon a time") == 200, "it can be read whole"


def test_the_newest_is_followed_unless_one_looks_at_an_older(samples: Samples, history: History, qtbot: QtBot) -> None:
    advance(samples, history, sampled(30, "a", "b", expected="z"))
    assert read(samples).startswith("── step 30 ──")
    qtbot.keyClick(samples.steps, Qt.Key.Key_Down)
    assert read(samples).startswith("── step 20 ──")
    advance(samples, history, sampled(40, "c", "d", expected="z"))
    assert read(samples).startswith("── step 20 ──")
    assert samples.steps.currentIndex().row() == 2
    qtbot.keyClick(samples.prompts, Qt.Key.Key_Down)
    assert read(samples).startswith("── step 20 ──\n▸ prompt 1"), "the same step of the other prompt"
    qtbot.keyClick(samples.steps, Qt.Key.Key_Home, Qt.KeyboardModifier.ControlModifier)
    advance(samples, history, sampled(50, "e", "f", expected="z"))
    assert read(samples).startswith("── step 50 ──\n▸ prompt 1")
    assert cells(samples.prompts)[0][3:] == ["e", "50"]


def test_a_restart_voids_what_is_trained_again(samples: Samples, history: History, qtbot: QtBot) -> None:
    qtbot.keyClick(samples.prompts, Qt.Key.Key_Down)
    advance(samples, history, [STARTED.model_copy(update={"step": 10})])
    assert cells(samples.steps) == [["10", "✗", "y"]]
    assert "step 20" not in samples.text
    advance(samples, history, [STARTED])
    assert samples._empty.isVisible()
    advance(samples, history, sampled(10, "q", expected="z"))
    assert cells(samples.prompts) == [["prompt 0", "z", "✗", "q", "10"]]


def test_another_run_begins_at_its_first_prompt(samples: Samples, history: History, qtbot: QtBot) -> None:
    qtbot.keyClick(samples.prompts, Qt.Key.Key_Down)
    qtbot.keyClick(samples.steps, Qt.Key.Key_Down)
    samples.show_run(history)
    assert read(samples).startswith("── step 20 ──\n▸ prompt 0")


def test_an_output_and_all_samples_are_copied_and_saved(
    samples: Samples, history: History, session: Session, qtbot: QtBot, tmp_path: Path
) -> None:
    qtbot.keyClick(samples.prompts, Qt.Key.Key_Down)
    qtbot.keyClick(samples.prompts, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "y\ny"
    qtbot.mouseClick(samples.findChild(QPushButton, "action_copy_samples"), Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == samples.text
    assert samples.text.startswith("── step 10 ──\n▸ prompt 0\n✗ x\nexpected: z\n\n── step 10 ──")
    qtbot.mouseClick(samples.findChild(QPushButton, "action_save_samples"), Qt.MouseButton.LeftButton)
    dialog = samples.findChild(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "samples.txt"))
    dialog.reject()
    qtbot.waitUntil((tmp_path / "samples.txt").exists)
    assert (tmp_path / "samples.txt").read_text(encoding="utf-8") == samples.text


def test_a_long_text_is_whole_in_the_tooltip(samples: Samples, history: History) -> None:
    advance(samples, history, sampled(30, "long " * 100, "b", expected="z"))
    cell = samples.prompts.model().index(0, 3)
    assert len(cell.data()) < 500 <= len(cell.data(Qt.ItemDataRole.ToolTipRole))


def test_columns_share_the_room(samples: Samples, history: History) -> None:
    assert shared([50, 400, 900], 600) == [50, 275, 275]
    assert shared([50, 60, 70], 600) == [50, 60, 490]
    assert sum(samples.prompts.columnWidth(column) for column in range(5)) == samples.prompts.viewport().width()


def test_a_sample_after_thousands_takes_a_frame(samples: Samples, qtbot: QtBot) -> None:
    history = History()
    samples.show_run(history)
    advance(samples, history, [event for step in range(5000) for event in sampled(step, "a", "b", "c", expected="z")])
    samples.steps.setCurrentIndex(samples.steps.model().index(3000, 0))
    top = samples.steps.indexAt(QPoint(5, 5)).data(Qt.ItemDataRole.DisplayRole)
    times = []
    for step in range(5000, 5005):
        start = time.thread_time()
        advance(samples, history, sampled(step, "a", "b", "c", expected="z"))
        times.append(time.thread_time() - start)
    assert min(times) < 0.05
    assert samples.steps.model().rowCount() == 5005
    assert samples.steps.indexAt(QPoint(5, 5)).data(Qt.ItemDataRole.DisplayRole) == top, "what one reads stays in place"
