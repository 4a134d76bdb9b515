"""Texts to try: those of the source, of the config, and of the run's own samples."""

import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.panels.examples import EXAMPLES, MOST, Examples, built_in
from app.session import Session
from tests.app.conftest import write_events
from tests.app.fake_engine import open_preset
from tfmcore.config import SOURCES, DataConfig
from tfmcore.messages import Sampled
from tfmcore.runs import Run


def test_every_built_in_source_has_examples_for_each_of_its_tasks() -> None:
    served = {(name, task) for name, source in SOURCES.items() if name != "file" for task in source.tasks}
    assert set(EXAMPLES) == served


def test_phrases_are_offered_only_in_their_language(session: Session) -> None:
    saved = open_preset(session, "translate-phrases")
    assert "in 3 days" in built_in(saved)
    data = DataConfig(**(saved.data.model_dump() | {"source_language": "hu", "target_language": "en"}))
    assert built_in(saved.model_copy(update={"data": data})) == ()


def test_the_runs_own_samples_come_first(session: Session, run: Run, qtbot: QtBot) -> None:
    write_events(run, Sampled(step=40, prompt="Another one", text="a"), Sampled(step=40, prompt="The ", text="b"))
    qtbot.waitUntil(lambda: session.runs.find(run.id) is not None)
    examples = Examples(session, "test")
    qtbot.addWidget(examples)
    examples.show_model(open_preset(session, "reverse").model_copy(update={"run": run.id}))
    qtbot.waitUntil(lambda: examples.first == "The ")
    assert examples.texts == ["The ", "Another one", "playground", "abcd"]
    qtbot.waitUntil(lambda: len(examples.findChildren(QPushButton, "examples_test_1")) == 1)  # an older one is to go
    with qtbot.waitSignal(examples.chosen) as chosen:
        examples.findChild(QPushButton, "examples_test_1").click()
    assert chosen.args == ["Another one"]


@pytest.mark.parametrize("texts", [[], ["a & b\nc" * 20] * 20, [str(n) for n in range(50)]])
def test_any_texts_are_shown(session: Session, qtbot: QtBot, texts: list[str]) -> None:
    examples = Examples(session, "test")
    qtbot.addWidget(examples)
    examples._show(texts)
    assert len(examples.texts) <= MOST
    assert examples.isVisibleTo(None) == bool(texts)
