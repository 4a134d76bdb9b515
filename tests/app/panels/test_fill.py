"""Fill: gaps by [MASK] or underscores, candidates for each, and putting one in."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.panels.fill import FillPanel, put_in
from app.session import Session
from tests.app.fake_engine import FakeEngine, connect, open_preset
from tfmcore.messages import Fill


@pytest.fixture
def engine(session: Session) -> FakeEngine:
    return connect(session, FakeEngine())


@pytest.fixture
def panel(session: Session, engine: FakeEngine, qtbot: QtBot) -> FillPanel:
    panel = FillPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    panel.show_model(open_preset(session, "bert-mini"))
    return panel


def test_underscores_are_gaps_and_every_gap_gets_its_bars(panel: FillPanel, engine: FakeEngine, qtbot: QtBot) -> None:
    panel.show_text("The ___ of the [MASK].")
    assert engine.last(Fill).text == "The [MASK] of the [MASK]."
    qtbot.waitUntil(lambda: len(panel.masks) == 2)
    assert panel.masks[0].bars.bars[0] == (" value", pytest.approx(0.6))


def test_a_click_puts_a_candidate_in_and_asks_for_the_other_gaps(
    panel: FillPanel, engine: FakeEngine, qtbot: QtBot
) -> None:
    panel.show_text("The ___ of the [MASK].")
    qtbot.waitUntil(lambda: len(panel.masks) == 2)
    panel.masks[0].bars.clicked.emit(1)
    assert panel.text.toPlainText() == "The type of the [MASK]."
    qtbot.waitUntil(lambda: len(panel.masks) == 1)
    assert engine.last(Fill).text == "The type of the [MASK]."
    panel.masks[0].bars.clicked.emit(0)
    assert panel.text.toPlainText() == "The type of the value."
    assert panel.masks == []


def test_a_gap_is_inserted_at_the_cursor(panel: FillPanel, qtbot: QtBot) -> None:
    panel.text.setPlainText("a b")
    panel.text.moveCursor(QTextCursor.MoveOperation.Start)
    qtbot.mouseClick(panel.findChild(QPushButton, "action_insert_mask"), Qt.MouseButton.LeftButton)
    assert panel.text.toPlainText() == "[MASK]a b"


def test_a_text_without_a_gap_is_refused_beside_its_field(panel: FillPanel, engine: FakeEngine) -> None:
    panel.show_text("nothing is missing")
    assert not engine.asked
    assert "[MASK]" in panel.refusal.text()


@pytest.mark.parametrize(
    ("text", "number", "word", "expected"),
    [
        ("the [MASK] sat", 0, " cat", "the cat sat"),
        ("the[MASK] sat", 0, " cat", "the cat sat"),
        ("[MASK] sat", 0, " Cat", "Cat sat"),
        ("a ___ and a ____", 1, "dog", "a ___ and a dog"),
        ("un[MASK]", 0, "able", "unable"),
    ],
)
def test_no_space_comes_twice(text: str, number: int, word: str, expected: str) -> None:
    assert put_in(text, number, word) == expected
