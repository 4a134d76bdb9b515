"""Translate: hypotheses with scores, their tokens, the alignment, and the words of each task."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.panels.translate import TranslatePanel, words
from app.session import Session
from tests.app.fake_engine import FakeEngine, connect, open_preset
from tfmcore.messages import Translate

TEXT = "on Tuesday at noon"


@pytest.fixture
def engine(session: Session) -> FakeEngine:
    return connect(session, FakeEngine())


@pytest.fixture
def panel(session: Session, engine: FakeEngine, qtbot: QtBot) -> TranslatePanel:
    """After it has translated TEXT."""
    panel = TranslatePanel(session)
    qtbot.addWidget(panel)
    panel.resize(1196, 660)
    panel.show()
    panel.show_model(open_preset(session, "translate-phrases"))
    panel.text.setPlainText(TEXT)
    panel.knobs.knobs["beams"].setValue(3)
    qtbot.keyClick(panel.text, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(panel.strip.pieces))
    return panel


def test_return_translates_and_shift_return_does_not(panel: TranslatePanel, engine: FakeEngine, qtbot: QtBot) -> None:
    asked = engine.last(Translate)
    assert (asked.text, asked.beams, asked.length_penalty) == (TEXT, 3, 1.0)
    before = len(engine.asked)
    qtbot.keyClick(panel.text, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert len(engine.asked) == before
    assert "\n" in panel.text.toPlainText()


def test_it_draws_and_stops_as_any_model_that_writes(
    panel: TranslatePanel, engine: FakeEngine, session: Session, qtbot: QtBot
) -> None:
    knobs = panel.knobs.knobs
    assert not knobs["temperature"].isEnabled(), "a search draws nothing"
    knobs["beams"].setValue(1)
    assert knobs["temperature"].isEnabled()
    for name, value in {"temperature": 0.7, "top_k": 5, "top_p": 0.5, "seed": "7", "stop": r"END; \n"}.items():
        knobs[name].setValue(value)
    panel.act()
    asked = engine.last(Translate)
    assert (asked.beams, asked.temperature, asked.top_k, asked.top_p, asked.seed) == (1, 0.7, 5, 0.5, 7)
    assert asked.stop == ["END", "\n"]
    again = TranslatePanel(session)
    qtbot.addWidget(again)
    assert again.knobs.knobs["stop"].value() == r"END; \n", "what was last used is remembered"


def test_hypotheses_stand_with_scores_and_a_click_shows_tokens(panel: TranslatePanel) -> None:
    assert panel.table.rowCount() == 3
    assert panel.table.item(0, 0).text() == "−0.1"
    assert panel.table.item(0, 1).text() == "noon at Tuesday on"
    panel.table.setCurrentCell(2, 1)
    assert [piece.token for piece in panel.strip.pieces][-2:] == ["!", "!"]
    assert panel.strip.pieces[0].value == pytest.approx(0.9)


def test_the_alignment_has_target_rows_and_source_columns(panel: TranslatePanel, tmp_path: Path) -> None:
    assert panel.map.values.shape == (4, 4)
    assert panel.map.values[0].argmax() == 3, "the first word written is the last one read"
    assert panel.map.describe((0, 3)).startswith("0 ␣noon → 3 ␣noon")
    for suffix in ("png", "svg", "csv", "npz"):
        assert panel.map.exporter.save(tmp_path / f"alignment.{suffix}").stat().st_size > 100


def test_a_translation_is_inspected_with_its_target(panel: TranslatePanel, session: Session, qtbot: QtBot) -> None:
    panel.table.setCurrentCell(1, 1)
    qtbot.mouseClick(panel.findChild(QPushButton, "action_inspect_translate"), Qt.MouseButton.LeftButton)
    assert (session.pinned_text, session.pinned_second) == (TEXT, "noon at Tuesday on!")


def test_an_empty_text_is_refused_beside_its_field(panel: TranslatePanel, engine: FakeEngine) -> None:
    before = len(engine.asked)
    panel.text.setPlainText(" ")
    panel.act()
    assert len(engine.asked) == before
    assert panel.refusal.isVisible()


@pytest.mark.parametrize(
    ("preset", "expected"),
    [("translate-phrases", ("English", "Hungarian", "Translate")), ("reverse", ("String", "Reversed", "Reverse"))],
)
def test_each_task_is_called_by_its_name(session: Session, preset: str, expected: tuple[str, str, str]) -> None:
    connect(session, FakeEngine())
    assert words(open_preset(session, preset)) == expected
