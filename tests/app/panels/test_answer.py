"""Answer: the best answer lit up where it stands, the next ones, and that there is none."""

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.panels.answer import NONE, AnswerPanel
from app.panels.examples import parted
from app.session import Session
from tests.app.fake_engine import FakeEngine, connect, open_task
from tfmcore.messages import Answer, Answered, FoundAnswer

CONTEXT = "😀 The meeting was held in Hungary, and the ticket cost a lot"


@pytest.fixture
def engine(session: Session) -> FakeEngine:
    return connect(session, FakeEngine())


@pytest.fixture
def panel(session: Session, engine: FakeEngine, qtbot: QtBot) -> AnswerPanel:
    """After it has answered about CONTEXT."""
    panel = AnswerPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1196, 660)
    panel.show()
    panel.show_model(open_task(session, "question_answering"))
    panel.text.setPlainText("Where?")
    panel.context.setPlainText(CONTEXT)
    qtbot.keyClick(panel.text, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: panel.table.rowCount() > 0)
    return panel


def rows(panel: AnswerPanel) -> list[str]:
    return [panel.table.item(row, 2).text() for row in range(panel.table.rowCount())]


def lit(panel: AnswerPanel) -> list[str]:
    return [CONTEXT[mark.start : mark.end] for mark in panel.marked.marks]


def test_return_asks_with_question_and_text(panel: AnswerPanel, engine: FakeEngine) -> None:
    asked = engine.last(Answer)
    assert (asked.question, asked.context) == ("Where?", CONTEXT)


def test_the_best_answer_is_lit_up_and_the_next_ones_follow(panel: AnswerPanel) -> None:
    assert lit(panel) == ["a lot"]
    assert rows(panel)[:2] == ["a lot", "ticket cost"]
    assert rows(panel)[2] == NONE, "it stands where its probability puts it"
    assert panel._best.text().startswith("“a lot”, 60.0 %")
    panel.table.setCurrentCell(1, 2)
    assert lit(panel) == ["ticket cost"]
    panel.table.setCurrentCell(2, 2)
    assert lit(panel) == []


def test_a_text_without_an_answer_says_so(panel: AnswerPanel) -> None:
    found = FoundAnswer(text="The", start=2, end=5, score=1.0, probability=0.2)
    panel.take_reply(Answered(id=1, answers=[found], no_answer=0.8, num_windows=3), {})
    assert rows(panel) == [NONE, "The"]
    assert "the answer is not in the text, 80.0 %" in panel._best.text()
    assert "3 windows" in panel._best.text()
    assert lit(panel) == []


def test_no_answer_at_all_and_none_that_is_likely(panel: AnswerPanel) -> None:
    panel.take_reply(Answered(id=1, answers=[], no_answer=1.0), {})
    assert rows(panel) == [NONE]


@pytest.mark.parametrize("empty", ["text", "context"])
def test_without_a_question_or_a_text_nothing_is_asked(panel: AnswerPanel, engine: FakeEngine, empty: str) -> None:
    before = len(engine.asked)
    getattr(panel, empty).setPlainText(" ")
    panel.act()
    assert len(engine.asked) == before
    assert panel.refusal.isVisible()


def test_an_example_brings_its_text(panel: AnswerPanel, engine: FakeEngine) -> None:
    panel.examples.chosen.emit("Who?\nAnna did.")
    assert (engine.last(Answer).question, engine.last(Answer).context) == ("Who?", "Anna did.")
    assert parted("Who? · Anna did · it") == ("Who?", "Anna did · it")
    assert parted("Who?") == ("Who?", "")
