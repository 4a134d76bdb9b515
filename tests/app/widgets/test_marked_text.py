"""Marked text: any script, any spans, colours that can be read."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QTextCursor

from app.theme import DARK, LIGHT, apply_theme, contrast, mix
from app.widgets.marked_text import SHADE, STRONG, Mark, MarkedText

TEXT = "😀 Anna went\nto 日本 and שלום in 2019"


@pytest.fixture
def widget(qtbot) -> MarkedText:
    widget = MarkedText()
    qtbot.addWidget(widget)
    widget.resize(400, 300)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def shaded(widget: MarkedText) -> list[str]:
    """The texts with a background."""
    found, block = [], widget.document().begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            fragment = iterator.fragment()
            if fragment.charFormat().background().style() != Qt.BrushStyle.NoBrush:
                found.append(fragment.text().replace("\u202f", "").replace("\u00a0", " "))
            iterator += 1
        block = block.next()
    return found


def test_every_span_is_shaded_and_followed_by_its_words(widget: MarkedText) -> None:
    words = ["Anna", "日本", "שלום", "2019"]
    widget.set_text(
        TEXT, [Mark(TEXT.index(w), TEXT.index(w) + len(w), f"it {n}", n) for n, w in enumerate(words)][::-1]
    )
    assert shaded(widget) == [part for n, w in enumerate(words) for part in (w, f"it {n}")]
    assert [mark.colour for mark in widget.marks] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([(0, 4), (2, 6)], ["abcd", "ef"]),
        ([(0, 4), (1, 2)], ["abcd"]),
        ([(3, 99)], ["def"]),
        ([(9, 12)], []),
        ([(2, 2)], []),
    ],
)
def test_spans_that_overlap_or_lie_outside_are_cut(widget: MarkedText, marks, expected) -> None:
    widget.set_text("abcdef", [Mark(start, end, colour=n) for n, (start, end) in enumerate(marks)])
    assert shaded(widget) == expected
    assert widget.toPlainText() == "abcdef"


def test_a_click_and_the_pointer_tell_the_mark(widget: MarkedText, qtbot, hover) -> None:
    widget.set_text("one two three", [Mark(4, 7, "X", tip="the second")])
    place = QTextCursor(widget.document())
    place.setPosition(5)
    inside = widget.cursorRect(place).center()
    with qtbot.waitSignal(widget.hovered) as hovered:
        hover(widget.viewport(), inside)
    assert hovered.args == [0]
    assert widget.toolTip() == "the second"
    with qtbot.waitSignal(widget.clicked) as clicked:
        qtbot.mouseClick(widget.viewport(), Qt.MouseButton.LeftButton, pos=inside)
    assert clicked.args == [0]
    with qtbot.waitSignal(widget.hovered) as left:
        hover(widget.viewport(), QPoint(380, 280))
    assert left.args == [-1]


def test_a_mark_far_down_is_revealed(widget: MarkedText) -> None:
    text = "word\n" * 200
    widget.set_text(text, [Mark(len(text) - 5, len(text) - 1)])
    widget.reveal(0)
    assert widget.verticalScrollBar().value() > 0


def test_colours_follow_the_theme_and_stay_readable(widget: MarkedText, qapp, tmp_path: Path) -> None:
    widget.set_text("abc", [Mark(0, 2, "x")])
    for name, theme in (("light", LIGHT), ("dark", DARK)):
        apply_theme(qapp, name)
        assert shaded(widget) == ["ab", "x"]
        for colour in theme.series:
            for share in (SHADE, STRONG):
                assert contrast(theme.text, mix(theme.surface, colour, share).name()) >= 4.5, (name, colour)
    for suffix in ("png", "svg", "csv"):
        assert widget.exporter.save(tmp_path / f"text.{suffix}").stat().st_size > 20
