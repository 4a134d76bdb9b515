"""Knobs hold the values that they are given, within their bounds; segments have one choice."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.widgets.knobs import Knobs, Number, Slider, Word
from app.widgets.segments import Segments


def test_knobs_give_their_values_and_say_when_they_change(qtbot: QtBot) -> None:
    knobs = Knobs("test")
    qtbot.addWidget(knobs)
    knobs.add("heat", "Heat", "How hot", Slider(0.0, 2.0, zero="cold"))
    knobs.add("most", "Most", "How many", Number(0, 10, zero="all"))
    knobs.add("seed", "Seed", "Which", Word(pattern=r"\d{0,3}"))
    with qtbot.waitSignal(knobs.changed):
        knobs.knobs["heat"].setValue(1.35)
    knobs.knobs["most"].setValue(99)
    qtbot.keyClicks(knobs.knobs["seed"], "1x2 34")
    assert knobs.values() == {"heat": 1.35, "most": 10, "seed": "123"}
    assert knobs.knobs["heat"].objectName() == "field_test_heat"
    assert knobs.knobs["heat"].toolTip() == "How hot"
    knobs.knobs["heat"].setValue(0)
    assert "cold" in {label.text() for label in knobs.findChildren(QLabel)}


def test_exactly_one_segment_is_chosen(qtbot: QtBot) -> None:
    segments = Segments(objectName="kind")
    qtbot.addWidget(segments)
    assert segments.value == ""
    segments.set_choices([("a", "First"), ("b", "Second")], "b")
    assert segments.value == "b"
    with qtbot.waitSignal(segments.chosen) as chosen:
        qtbot.mouseClick(segments.buttons["a"], Qt.MouseButton.LeftButton)
    assert (chosen.args, segments.value) == (["a"], "a")
    with qtbot.assertNotEmitted(segments.chosen):
        segments.choose("b")
    segments.set_choices([("c", "Third")])
    assert segments.value == "c"
