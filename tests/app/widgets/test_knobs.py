"""Knobs hold the values that they are given, within their bounds, and let a page scroll; segments have one choice."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.widgets.knobs import Choice, Knob, Knobs, Number, Slider, Word
from app.widgets.segments import Segments

KINDS = ("slider", "number", "choice")


def test_knobs_give_their_values_and_say_when_they_change(qtbot: QtBot) -> None:
    knobs = Knobs("test")
    qtbot.addWidget(knobs)
    knobs.add("heat", "Heat", "How hot", Slider(0.0, 2.0, zero="cold"))
    knobs.add("most", "Most", "How many", Number(0, 10, zero="all"))
    knobs.add("seed", "Seed", "Which", Word(pattern=r"\d{0,3}"))
    with qtbot.waitSignal(knobs.changed):
        knobs.knobs["heat"].setValue(1.35)
    assert knobs.knobs["heat"].focusProxy().accessibleDescription() == "1.35", "its own value counts the steps"
    knobs.knobs["most"].setValue(99)
    qtbot.keyClicks(knobs.knobs["seed"], "1x2 34")
    assert knobs.values() == {"heat": 1.35, "most": 10, "seed": "123"}
    assert knobs.knobs["heat"].objectName() == "field_test_heat"
    assert knobs.knobs["heat"].toolTip() == "How hot"
    knobs.knobs["heat"].setValue(0)
    assert "cold" in {label.text() for label in knobs.findChildren(QLabel)}


@pytest.mark.parametrize("make", [lambda: Slider(0, 2), lambda: Number(0, 9), lambda: Choice("a", "b")], ids=KINDS)
def test_the_wheel_scrolls_the_page_and_the_keys_turn_the_knob(qtbot: QtBot, make: Callable[[], Knob]) -> None:
    knob, content, area = make(), QWidget(), QScrollArea(widgetResizable=True)
    QVBoxLayout(content).addWidget(knob)
    content.setMinimumHeight(2000)
    area.setWidget(content)
    qtbot.addWidget(area)
    area.resize(300, 400)
    area.show()
    area.setFocus()
    area.ensureWidgetVisible(knob)
    before, bar = knob.value(), area.verticalScrollBar()
    for notch, went in ((-120, True), (120, False)):
        place = bar.value()
        QTest.wheelEvent(area.windowHandle(), QPointF(knob.mapTo(area, knob.rect().center())), QPoint(0, notch))
        assert (bar.value() > place) == went
        assert bar.value() != place
        assert (knob.value(), knob.hasFocus()) == (before, False)
    up = Qt.Key.Key_Down if isinstance(knob, Choice) else Qt.Key.Key_Up
    qtbot.keyClick(knob.focusProxy() or knob, up)
    assert knob.value() != before


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
