"""A question: the newest counts, a refusal is one sentence, and a model whose files are gone is said as that."""

import shutil
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.question import Question, gone
from app.session import Session
from tests.app.conftest import add_checkpoint, until
from tests.app.fake_engine import FakeEngine, connect, open_preset
from tfmcore.messages import Classified, Classify, Generate, Token
from tfmcore.runs import Run


@pytest.fixture
def engine(session: Session) -> FakeEngine:
    return connect(session, FakeEngine())


def test_only_the_newest_question_is_answered(session: Session, engine: FakeEngine, qtbot: QtBot) -> None:
    open_preset(session, "tell-languages")
    question, heard, busy = Question(session, "test"), [], []
    question.replied.connect(lambda reply, arrays: heard.append(reply))
    question.busy_changed.connect(busy.append)
    question.ask(Classify, text="first")
    question.ask(Classify, text="second one")
    qtbot.waitUntil(lambda: not engine.busy)
    assert [type(reply) for reply in heard] == [Classified]
    assert "".join(heard[0].tokens[1:-1]) == "second one"
    assert busy == [True, False]


def test_what_is_forgotten_is_not_heard_of_again(session: Session, engine: FakeEngine, qtbot: QtBot) -> None:
    open_preset(session, "write-manual")
    question, heard = Question(session, "test"), []
    question.replied.connect(lambda reply, arrays: heard.append(reply))
    question.ask(Generate, prompt="", max_new_tokens=100_000)
    qtbot.waitUntil(lambda: len(heard) > 2)
    question.forget()
    before = len(heard)
    assert not question.busy
    qtbot.waitUntil(lambda: not engine.busy)
    assert len(heard) == before
    assert all(isinstance(reply, Token) for reply in heard)


def test_a_model_whose_files_are_gone_is_said_as_that(session: Session, engine: FakeEngine, qtbot: QtBot) -> None:
    open_preset(session, "tell-languages")
    engine.faults["classify"] = "there is no run 'step-00000010'"
    question, heard = Question(session, "test"), []
    question.refused.connect(lambda sentence, details: heard.append(sentence))
    for _ in range(2):
        question.ask(Classify, text="a")
        qtbot.waitUntil(lambda: not engine.busy)
        Path(session.model_path, "config.json").unlink(missing_ok=True)
    name = Path(session.model_path).name
    removed = f"The files of “{name}” were removed: {session.model_path} is no longer there."
    assert heard == [engine.faults["classify"], f"{removed} Open another model."]


def test_of_a_run_that_is_there_the_best_checkpoint_of_now_is_named(
    session: Session, engine: FakeEngine, qtbot: QtBot, run: Run
) -> None:
    folder = add_checkpoint(run)
    until(qtbot, session, lambda: session.runs.facts)
    with qtbot.waitSignal(session.model_changed):
        session.open_model(str(run.folder))
    for removed, advice in ((folder, "circling arrow beside the model."), (run.folder, "Open another model.")):
        shutil.rmtree(removed)
        assert gone(session).startswith("The files of “A first run” were removed")
        assert gone(session).endswith(advice)
