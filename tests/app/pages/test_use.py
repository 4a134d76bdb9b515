"""The Use page: the panel that fits the model, streaming, alternatives, refusals, and what is remembered."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.pages.use import PANELS, UsePage
from app.panels.generate import GeneratePanel
from app.panels.use_panel import DIM_AFTER_MS
from app.session import Session
from tests.app.conftest import write_status
from tests.app.fake_engine import FakeEngine, connect, open_preset, open_task, open_trained
from tfmcore.config import TASKS, find_preset
from tfmcore.messages import Generate, Generated
from tfmcore.runs import Run, RunState


@pytest.fixture
def engine(session: Session) -> FakeEngine:
    return connect(session, FakeEngine())


@pytest.fixture
def page(session: Session, engine: FakeEngine, qtbot: QtBot) -> UsePage:
    page = UsePage(session)
    qtbot.addWidget(page)
    page.resize(1196, 720)
    page.show()
    qtbot.waitExposed(page)
    return page


@pytest.fixture
def generate(page: UsePage, session: Session, qtbot: QtBot) -> GeneratePanel:
    """The panel after it has written 20 tokens."""
    open_preset(session, "write-manual")
    panel = page.panel
    assert isinstance(panel, GeneratePanel)
    panel.knobs.knobs["max_new_tokens"].setValue(20)
    qtbot.mouseClick(panel.findChild(QPushButton, "action_generate"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(panel.written.tokens) == 20 and not panel.question.busy)
    return panel


def visible(page: QWidget, name: str) -> bool:
    widget = page.findChild(QWidget, name)
    return widget is not None and widget.isVisible()


def test_every_verb_of_every_task_has_its_panel() -> None:
    assert set(PANELS) == {task.verb for task in TASKS.values()}


@pytest.mark.parametrize("task", TASKS)
def test_a_model_brings_its_panel_which_fits_and_answers(
    page: UsePage, session: Session, engine: FakeEngine, qtbot: QtBot, task: str
) -> None:
    assert visible(page, "no_model_use")
    open_task(session, task)
    verb = TASKS[task].verb
    assert visible(page, f"panel_{verb}")
    assert page.width() == 1196
    assert page.minimumSizeHint().width() <= 880, "it must fit a narrow window too"
    editor = page.findChild(QPlainTextEdit, f"field_{verb}_{'prompt' if verb == 'generate' else 'text'}")
    assert editor.toPlainText(), "a sensible first text stands there"
    editor.setFocus()
    qtbot.keyClick(editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: bool(engine.asked) and not engine.busy)
    assert engine.asked[-1].kind == verb  # type: ignore[attr-defined]
    assert engine.asked[-1].panel == verb
    assert not page.panel.refusal.isVisible()


@pytest.mark.parametrize("task", [task for task, facts in TASKS.items() if facts.verb != "generate"])
def test_an_answer_is_dimmed_once_it_is_not_that_of_what_is_asked(
    page: UsePage, session: Session, engine: FakeEngine, qtbot: QtBot, task: str
) -> None:
    open_task(session, task)
    panel = page.panel
    panel.text.setPlainText("no model [MASK] yet")
    qtbot.wait(DIM_AFTER_MS + 100)
    assert not panel.is_old, "there is none"
    panel.act()
    qtbot.waitUntil(lambda: not engine.busy)
    assert not panel.is_old
    engine.faults[panel.verb] = "It cannot be done."
    panel.text.setPlainText("another [MASK] text")
    qtbot.waitUntil(lambda: panel.is_old)
    panel.act()
    qtbot.waitUntil(panel.refusal.isVisible)
    panel.text.setPlainText("no model [MASK] yet")
    panel.act()
    qtbot.waitUntil(lambda: not engine.busy)
    assert panel.is_old, "it has been refused"
    engine.faults.clear()
    panel.act()
    qtbot.waitUntil(lambda: not panel.is_old)


def test_tokens_stream_and_the_statistics_follow(generate: GeneratePanel) -> None:
    words = generate.written.statistics.text()
    assert len(generate.written.strip.pieces) == 20
    for word in ("20 tokens", "tokens/s", "perplexity", "mean probability", "maximum length"):
        assert word in words
    assert generate.written.whole.startswith("The value of ")


def test_an_alternative_is_continued_from_instead(generate: GeneratePanel, engine: FakeEngine, qtbot: QtBot) -> None:
    before = [token.token.id for token in generate.written.tokens]
    generate.written.strip.clicked.emit(4)
    other = generate.written.tokens[4].alternatives[2]
    generate.prompt.setPlainText("something else by now")
    generate.written.bars.clicked.emit(2)
    asked = engine.last(Generate)
    assert asked.continuation == [*before[:4], other.id]
    assert asked.prompt == "The value of "
    assert generate.written.strip.pieces[4].token == other.text
    qtbot.waitUntil(lambda: not engine.busy)
    assert len(generate.written.tokens) == 25
    assert generate.written.tokens[4].token == other


def test_hovering_shows_alternatives_and_leaving_returns_to_the_chosen(generate: GeneratePanel) -> None:
    strip, bars = generate.written.strip, generate.written.bars
    strip.select(3)
    strip.clicked.emit(3)
    strip.hovered.emit(7)
    assert [share for _, share in bars.bars] == [c.probability for c in generate.written.tokens[7].alternatives]
    strip.hovered.emit(-1)
    assert [share for _, share in bars.bars] == [c.probability for c in generate.written.tokens[3].alternatives]


def test_write_on_goes_on_at_the_end(generate: GeneratePanel, engine: FakeEngine, qtbot: QtBot) -> None:
    qtbot.mouseClick(generate.findChild(QPushButton, "action_write_on"), Qt.MouseButton.LeftButton)
    assert len(engine.last(Generate).continuation) == 20
    qtbot.waitUntil(lambda: not engine.busy)
    assert len(generate.written.tokens) == 40


def test_stop_keeps_what_is_written(generate: GeneratePanel, engine: FakeEngine, qtbot: QtBot) -> None:
    generate.knobs.knobs["max_new_tokens"].setValue(100_000)
    generate.act()
    assert generate.findChild(QWidget, "action_stop_generate").isVisible()
    qtbot.waitUntil(lambda: len(generate.written.tokens) > 5)
    qtbot.keyClick(generate.prompt, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: not engine.busy)
    assert 5 < len(generate.written.tokens) < 100_000
    assert "stopped" in generate.written.statistics.text()
    assert not generate.findChild(QWidget, "action_stop_generate").isVisible()


def test_a_model_that_ends_at_once_is_not_met_with_silence(generate: GeneratePanel) -> None:
    generate.written.start("The end.", [])
    assert generate.written.statistics.text() == "", "nothing is said before it has answered"
    nothing = Generated(id=1, text="", prompt_tokens=["The"], num_tokens=0, seconds=0.1, reason="end")
    generate.take_reply(nothing, {})
    assert generate.written.statistics.text() == "no token · end token"
    generate.written.clear()
    assert generate.written.statistics.text() == ""


def test_options_reach_the_engine_and_are_remembered(
    generate: GeneratePanel, engine: FakeEngine, session: Session, qtbot: QtBot
) -> None:
    values = {
        "temperature": 1.25, "top_k": 12, "top_p": 0.9, "beams": 1, "max_new_tokens": 7, "min_p": 0.05,
        "repetition_penalty": 1.3, "length_penalty": 2.0, "seed": "42", "stop": r"END; \n\n",
        "precision": "bf16",
    }  # fmt: skip
    for name, value in values.items():
        generate.knobs.knobs[name].setValue(value)
    generate.prompt.setPlainText("A prompt of my own")
    generate.act()
    asked = engine.last(Generate)
    assert (asked.temperature, asked.top_k, asked.top_p, asked.max_new_tokens) == (1.25, 12, 0.9, 7)
    assert (asked.min_p, asked.repetition_penalty, asked.length_penalty) == (0.05, 1.3, 2.0)
    assert (asked.seed, asked.stop, asked.precision) == (42, ["END", "\n\n"], "bf16")
    again = GeneratePanel(session)
    qtbot.addWidget(again)
    assert session.model is not None
    again.show_model(session.model)
    assert again.knobs.values() == values
    assert again.prompt.toPlainText() == "A prompt of my own"


def test_the_separator_of_its_prompts_is_put_after_each(
    page: UsePage, session: Session, engine: FakeEngine, qtbot: QtBot
) -> None:
    """Once, also where the text is written on."""
    config = find_preset("write-manual").config()
    open_trained(session, config.replaced(data__source="file", data__path="a.csv", data__separator=" ="), "prompted")
    panel = page.panel
    assert isinstance(panel, GeneratePanel)
    panel.prompt.setPlainText("2+2")
    panel.act()
    qtbot.waitUntil(lambda: not panel.question.busy)
    panel.findChild(QPushButton, "action_write_on").click()
    assert panel.prompt.toPlainText() == "2+2"
    for request in engine.asked:
        if isinstance(request, Generate):
            assert (request.prompt, request.separator) == ("2+2 =", "")
    assert panel.written.whole.startswith("2+2 =")


def test_of_a_beam_search_every_text_can_be_read(generate: GeneratePanel, engine: FakeEngine, qtbot: QtBot) -> None:
    knobs = generate.knobs.knobs
    assert knobs["temperature"].isEnabled()
    assert not knobs["length_penalty"].isEnabled()
    knobs["beams"].setValue(3)
    assert not knobs["temperature"].isEnabled()
    assert knobs["length_penalty"].isEnabled()
    generate.act()
    qtbot.waitUntil(lambda: not engine.busy)
    written = generate.written
    assert written.hypotheses.isVisible()
    assert [written.hypotheses.item(row, 0).text() for row in range(3)] == ["−0.2", "−1.2", "−2.2"]
    best = written.text
    written.strip.clicked.emit(2)
    assert written.bars.bars
    written.hypotheses.setCurrentCell(2, 1)
    assert written.text == best + "!!"
    assert [piece.token for piece in written.strip.pieces][-2:] == ["!", "!"]
    written.strip.clicked.emit(2)
    assert not written.bars.bars, "alternatives are known for the best one only"
    written.hypotheses.setCurrentCell(0, 1)
    assert written.text == best
    generate.prompt.setPlainText("another")
    generate.act()
    assert not written.hypotheses.isVisible()


def test_a_prompt_that_was_cut_is_said(generate: GeneratePanel, engine: FakeEngine, qtbot: QtBot) -> None:
    generate.prompt.setPlainText("word " * 200)
    generate.act()
    qtbot.waitUntil(lambda: not engine.busy)
    assert "the model read the last 96" in generate.notice.text()
    assert generate.notice.isVisible()


def test_a_refusal_stands_in_the_panel_and_the_next_answer_removes_it(
    generate: GeneratePanel, engine: FakeEngine, qtbot: QtBot
) -> None:
    engine.faults["generate"] = "token 'x' at position 3 has the id 900, but the model knows 512 tokens"
    generate.act()
    qtbot.waitUntil(lambda: not engine.busy)
    assert "position 3" in generate.refusal.text()
    assert generate.refusal.isVisible()
    engine.faults.clear()
    generate.act()
    qtbot.waitUntil(lambda: not engine.busy)
    assert not generate.refusal.isVisible()


def test_an_engine_killed_in_mid_answer_is_said_and_the_next_request_works(
    generate: GeneratePanel, engine: FakeEngine, qtbot: QtBot
) -> None:
    generate.knobs.knobs["max_new_tokens"].setValue(100_000)
    generate.act()
    qtbot.waitUntil(lambda: len(generate.written.tokens) > 2)
    engine.kill()
    assert "was killed" in generate.refusal.text()
    assert not generate.question.busy
    assert generate.written.tokens, "what has been written stays"
    generate.knobs.knobs["max_new_tokens"].setValue(20)
    generate.act()
    qtbot.waitUntil(lambda: not engine.busy)
    assert len(generate.written.tokens) == 20


def test_text_is_copied_saved_and_inspected(
    generate: GeneratePanel, session: Session, qtbot: QtBot, tmp_path: Path
) -> None:
    pages: list[str] = []
    session.page_wanted.connect(pages.append)
    qtbot.mouseClick(generate.findChild(QPushButton, "action_copy_text"), Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == generate.written.whole
    generate.written.save(str(tmp_path / "story.txt"))
    assert (tmp_path / "story.txt").read_text(encoding="utf-8") == generate.written.whole
    with qtbot.waitSignal(session.notified) as notified:
        generate.written.save(str(tmp_path / "no such folder" / "story.txt"))
    assert notified.args[0] == "error"
    qtbot.mouseClick(generate.findChild(QPushButton, "action_inspect_text"), Qt.MouseButton.LeftButton)
    assert (session.pinned_text, pages) == (generate.written.whole, ["inspect"])


def test_another_model_drops_the_answer_under_way(
    generate: GeneratePanel, engine: FakeEngine, session: Session, qtbot: QtBot
) -> None:
    generate.knobs.knobs["max_new_tokens"].setValue(100_000)
    generate.act()
    qtbot.waitUntil(lambda: len(generate.written.tokens) > 2)
    open_preset(session, "write-manual")
    qtbot.waitUntil(lambda: not engine.busy)
    assert generate.written.tokens == []
    assert engine.cancelled


def test_without_a_model_the_runs_with_a_checkpoint_are_offered(
    page: UsePage, session: Session, run: Run, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run.folder / "checkpoints" / "step-00000020"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"step": 20, "files": {}}', encoding="utf-8")
    write_status(run, RunState.RUNNING, step=20, steps=1000)
    opened: list[str] = []
    monkeypatch.setattr(session, "open_model", opened.append)
    session.runs.refresh()
    qtbot.waitUntil(lambda: page.findChild(QPushButton, f"open_use_{run.id}") is not None)
    button = page.findChild(QPushButton, f"open_use_{run.id}")
    assert "A first run" in button.text()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert opened == [str(run.folder)]
    open_preset(session, "reverse")
    chooser = page._chooser
    assert chooser.combo.findText("A first run", Qt.MatchFlag.MatchStartsWith) >= 0
    chooser.combo.activated.emit(chooser.combo.findData(str(run.folder)))
    assert opened[-1] == str(run.folder)


def test_train_one_leads_home(page: UsePage, session: Session, qtbot: QtBot) -> None:
    with qtbot.waitSignal(session.page_wanted) as wanted:
        qtbot.mouseClick(page.findChild(QPushButton, "action_train_one_use"), Qt.MouseButton.LeftButton)
    assert wanted.args == ["home"]
    assert all(label.text() for label in page.findChildren(QLabel) if label.objectName().startswith("heading"))


@pytest.mark.parametrize("task", [task for task, facts in TASKS.items() if facts.verb != "generate"])
def test_what_has_been_answered_is_inspected(
    page: UsePage, session: Session, engine: FakeEngine, qtbot: QtBot, task: str
) -> None:
    pages: list[str] = []
    session.page_wanted.connect(pages.append)
    open_task(session, task)
    panel = page.panel
    inspect = panel.findChild(QPushButton, f"action_inspect_{panel.verb}")
    assert not inspect.isEnabled(), "nothing has been answered"
    panel.text.setPlainText("where is ___ now")
    panel.act()
    qtbot.waitUntil(lambda: not engine.busy)
    panel.text.setPlainText("another text")
    asked = engine.asked[-1]
    qtbot.mouseClick(inspect, Qt.MouseButton.LeftButton)
    first, second = {"answer": ("question", "context"), "classify": ("text", "pair")}.get(panel.verb, ("text", ""))
    assert session.pinned_text == getattr(asked, first)
    assert not second or session.pinned_second == getattr(asked, second)
    assert pages == ["inspect"]
