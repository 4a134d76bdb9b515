"""Classify: bars while one types, newer texts replace older ones, pairs, names of languages."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.panels.classify import ClassifyPanel
from app.session import Session
from tests.app.fake_engine import FakeEngine, connect, open_preset
from tfmcore.config import SavedModel
from tfmcore.messages import Classify


@pytest.fixture
def engine(session: Session) -> FakeEngine:
    return connect(session, FakeEngine())


@pytest.fixture
def panel(session: Session, engine: FakeEngine, qtbot: QtBot) -> ClassifyPanel:
    panel = ClassifyPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1196, 660)
    panel.show()
    panel.show_model(open_preset(session, "tell-languages"))
    qtbot.waitUntil(lambda: bool(panel.bars.bars))
    return panel


def test_typing_asks_once_after_a_pause_and_shows_the_bars(
    panel: ClassifyPanel, engine: FakeEngine, qtbot: QtBot
) -> None:
    before = len(engine.asked)
    panel.text.clear()
    qtbot.keyClicks(panel.text, "hola mundo")
    qtbot.waitUntil(lambda: len(engine.asked) > before and not engine.busy)
    asked = engine.asked[before:]
    assert [request.text for request in asked] == ["hola mundo"]
    assert {request.panel for request in asked} == {"classify"}
    assert panel.bars.bars[0][0] == "English", "labels that are languages are written out"
    assert panel.strip.pieces[0].special


def test_a_newer_text_replaces_the_older_one(panel: ClassifyPanel, engine: FakeEngine, qtbot: QtBot) -> None:
    panel.text.setPlainText("one")
    panel.act()
    older = engine.last(Classify).id
    panel.text.setPlainText("another one")
    panel.act()
    assert engine.cancelled == [older]
    qtbot.waitUntil(lambda: not engine.busy)
    assert len(panel.strip.pieces) == len("another one") + 2


def test_an_empty_text_asks_nothing(panel: ClassifyPanel, engine: FakeEngine, qtbot: QtBot) -> None:
    before = len(engine.asked)
    panel.text.setPlainText("  ")
    panel.act()
    assert len(engine.asked) == before
    assert panel.bars.bars == []


def test_any_classifier_may_be_given_a_pair(panel: ClassifyPanel, engine: FakeEngine, qtbot: QtBot) -> None:
    """An imported one with neither columns nor token types, such as ModernBERT, may well have learned from pairs."""
    assert not panel.findChild(QWidget, "field_classify_pair").isVisible()
    qtbot.mouseClick(panel.second.button, Qt.MouseButton.LeftButton)
    assert panel.findChild(QWidget, "field_classify_pair").isVisible()
    panel.text.setPlainText("A man eats.")
    panel.act()
    assert (engine.last(Classify).text, engine.last(Classify).pair) == ("A man eats.", "")
    panel.pair.setPlainText("Nobody eats.")
    panel.act()
    assert (engine.last(Classify).text, engine.last(Classify).pair) == ("A man eats.", "Nobody eats.")


def test_a_pair_is_asked_for_where_the_task_has_one(
    panel: ClassifyPanel, session: Session, engine: FakeEngine, qtbot: QtBot
) -> None:
    assert not panel.findChild(QWidget, "field_classify_pair").isVisible()
    assert session.model is not None
    data = session.model.data.model_copy(update={"columns": {"text": "a", "pair": "b", "label": "c"}})
    paired = SavedModel(**(session.model.model_dump() | {"data": data.model_dump()}))
    assert (session.model.second, paired.second) == ("", "pair")
    panel.show_model(paired)
    assert panel.findChild(QWidget, "field_classify_pair").isVisible()
    panel.text.setPlainText("first")
    panel.pair.setPlainText("second")
    panel.act()
    assert (engine.last(Classify).text, engine.last(Classify).pair) == ("first", "second")


def test_an_example_is_classified_by_a_click(panel: ClassifyPanel, engine: FakeEngine, qtbot: QtBot) -> None:
    panel.examples.chosen.emit("2021. március 2., kedd")
    qtbot.waitUntil(lambda: engine.last(Classify).text == "2021. március 2., kedd")
