"""Tag: coloured spans while one types, a legend with counts, any text and any label."""

import pytest
from pytestqt.qtbot import QtBot

from app.panels.tag import TagPanel
from app.session import Session
from tests.app.fake_engine import FakeEngine, connect, open_task
from tfmcore.messages import Tag

TEXT = "😀 Anna went to Norway in 2019 for $12.50.\n日本, café"


@pytest.fixture
def engine(session: Session) -> FakeEngine:
    return connect(session, FakeEngine())


@pytest.fixture
def panel(session: Session, engine: FakeEngine, qtbot: QtBot) -> TagPanel:
    panel = TagPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1196, 660)
    panel.show()
    panel.show_model(open_task(session, "token_tagging"))
    qtbot.waitUntil(lambda: bool(panel.tagged.marks))
    return panel


def test_typing_asks_once_after_a_pause_and_marks_the_text(panel: TagPanel, engine: FakeEngine, qtbot: QtBot) -> None:
    before = len(engine.asked)
    panel.text.setPlainText(TEXT)
    qtbot.waitUntil(lambda: len(engine.asked) > before and not engine.busy)
    assert [request.text for request in engine.asked[before:]] == [TEXT]
    marked = [(TEXT[mark.start : mark.end], mark.words.split()[0]) for mark in panel.tagged.marks]
    assert marked == [("Anna", "place"), ("Norway", "place"), ("2019", "date"), ("$12.50", "price")]
    assert {kind: swatch.count for kind, swatch in panel.swatches.items()} == {"date": 1, "place": 2, "price": 1}
    assert all(mark.colour == panel.swatches[mark.words.split()[0]].colour for mark in panel.tagged.marks)
    assert "%" in panel.tagged.marks[0].words
    assert panel.strip.pieces[0].special


def test_an_empty_text_asks_nothing_and_clears(panel: TagPanel, engine: FakeEngine) -> None:
    before = len(engine.asked)
    panel.text.setPlainText("  ")
    panel.act()
    assert len(engine.asked) == before
    assert panel.tagged.marks == []
    assert {swatch.count for swatch in panel.swatches.values()} == {0}


def test_a_label_that_the_model_did_not_name_gets_a_colour_of_its_own(panel: TagPanel, engine: FakeEngine) -> None:
    panel._show_legend(["date"])
    reply, _ = next(engine.answer(Tag(id=1, model="", text=TEXT)))
    panel.take_reply(reply, {})
    assert [swatch.colour for swatch in panel.swatches.values()] == [0, 1, 2]
