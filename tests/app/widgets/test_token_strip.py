"""Tokens as text: what is visible, where lines break, what is told, and how much is painted."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QScrollArea

from app.widgets.bars import ProbabilityBars
from app.widgets.thumbnails import ThumbnailGrid
from app.widgets.token_strip import TokenStrip
from app.widgets.tokens import is_newline, is_special, visible


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (" the", "␣the"),
        ("a\nb\t", "a↵b⇥"),
        ("", "∅"),
        ("\u0301", "◌\u0301"),
        ("\x07", "\\x07"),
        ("日本", "日本"),
        ("שלום", "שלום"),
        ("[MASK]", "[MASK]"),
    ],
)
def test_whitespace_and_controls_are_visible(token: str, text: str) -> None:
    assert visible(token) == text


def test_special_tokens_and_line_ends_are_known() -> None:
    assert all(map(is_special, ("[CLS]", "<pad>", "</s>", "<|endoftext|>", "<extra_id_0>", "[unused12]")))
    assert not any(map(is_special, ("[", "[a b]", "<0x0A>", "a[b]", "<>", "cls")))
    assert all(map(is_newline, ("\n", "a\n", "<0x0A>")))
    assert not any(map(is_newline, ("n", "\na", "<0x0B>")))


@pytest.fixture
def strip(qtbot) -> TokenStrip:
    widget = TokenStrip()
    qtbot.addWidget(widget)
    widget.resize(300, 200)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def middle(strip: TokenStrip, index: int) -> QPoint:
    return strip._box(index).center().toPoint()


def test_a_token_is_found_where_it_is_drawn(strip: TokenStrip, qtbot) -> None:
    strip.set_tokens([f"w{i}" for i in range(60)])
    assert len(strip._line_starts) > 3
    for index in range(60):
        assert strip.index_at(QPointF(middle(strip, index))) == index
    assert strip.index_at(QPointF(299, 1)) is None
    assert strip.index_at(QPointF(1, 9999)) is None
    assert max(piece.x + piece.width for piece in strip.pieces) <= 300


def test_a_newline_breaks_the_line(strip: TokenStrip) -> None:
    strip.set_tokens(["a", "\n", "b", "c\n", "d"])
    assert [piece.line for piece in strip.pieces] == [0, 0, 1, 1, 2]
    assert strip.heightForWidth(300) == strip._height()


@pytest.mark.parametrize("show_ids", [False, True])
@pytest.mark.parametrize("width", [60, 123, 300])
def test_streaming_lays_out_as_setting_does(qtbot, width: int, show_ids: bool) -> None:
    tokens = [f"token{i % 13}" if i % 7 else "\n" for i in range(100)]
    strip = TokenStrip(show_ids=show_ids)
    qtbot.addWidget(strip)
    strip.resize(width, 200)
    strip.show()
    strip.set_tokens(tokens, ids=range(100))
    whole = [(piece.line, piece.x) for piece in strip.pieces]
    assert strip.heightForWidth(width) == strip._height()
    strip.clear()
    for index, token in enumerate(tokens):
        strip.append_token(token, id=index)
    assert [(piece.line, piece.x) for piece in strip.pieces] == whole


def test_pointing_and_clicking_tell_the_index(strip: TokenStrip, qtbot, hover) -> None:
    strip.set_tokens(["the", " cat"], values=[0.5, 0.25], ids=[7, 8])
    with qtbot.waitSignal(strip.hovered) as caught:
        hover(strip, middle(strip, 1))
    assert caught.args == [1]
    assert strip.toolTip() == "1: ␣cat · id 8 · 25.0 %"
    with qtbot.waitSignal(strip.clicked) as caught:
        qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=middle(strip, 0))
    assert caught.args == [0]


def test_the_keyboard_walks_and_chooses(strip: TokenStrip, qtbot) -> None:
    strip.set_tokens(["a", "b", "c"])
    assert strip.accessibleDescription() == "3 tokens"
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Right):
        qtbot.keyClick(strip, key)
    with qtbot.waitSignal(strip.clicked) as caught:
        qtbot.keyClick(strip, Qt.Key.Key_Return)
    assert caught.args[0] in (1, 2)
    assert strip.accessibleDescription().startswith(f"{caught.args[0]}:")


def test_the_keyboard_takes_what_is_seen_with_it(qtbot) -> None:
    strip, grid, bars = TokenStrip(), ThumbnailGrid(), ProbabilityBars()
    strip.set_tokens(["token"] * 300)
    grid.set_maps(np.zeros((40, 2, 4, 4)))
    bars.set_bars([("label", 0.1)] * 30)
    for widget, key in ((strip, Qt.Key.Key_Right), (grid, Qt.Key.Key_Down), (bars, Qt.Key.Key_Down)):
        area = QScrollArea(widgetResizable=True)
        qtbot.addWidget(area)
        area.setWidget(widget)
        area.resize(300, 120)
        area.show()
        for _ in range(40):
            qtbot.keyClick(widget, key)
        assert area.verticalScrollBar().value() > 0


def test_values_categories_and_specials_look_different(strip: TokenStrip) -> None:
    strip.set_tokens(["a", "a", "[SEP]"], values=[0.0, 1.0, float("nan")])
    fills = [strip._fill(piece) for piece in strip.pieces]
    assert fills[0] is not None
    assert fills[0] != fills[1]
    assert fills[2] is None
    assert [piece.special for piece in strip.pieces] == [False, False, True]
    strip.set_tokens(["a", "b", "[SEP]"], categories=[0, 1, None], special=[0])
    assert strip._fill(strip.pieces[0]) != strip._fill(strip.pieces[1])
    assert [piece.special for piece in strip.pieces] == [True, False, False]


def test_its_height_follows_its_width_in_a_scroll_area(qtbot) -> None:
    area, strip = QScrollArea(widgetResizable=True), TokenStrip()
    qtbot.addWidget(area)
    area.setWidget(strip)
    area.resize(400, 100)
    area.show()
    qtbot.waitExposed(area)
    strip.set_tokens(["word"] * 500)
    qtbot.waitUntil(lambda: area.verticalScrollBar().maximum() > 0)
    before = strip.height()
    area.resize(800, 100)
    qtbot.waitUntil(lambda: strip.height() < before)


def test_of_five_thousand_tokens_only_those_in_view_are_painted(qtbot, monkeypatch) -> None:
    area, strip = QScrollArea(widgetResizable=True), TokenStrip()
    qtbot.addWidget(area)
    area.setWidget(strip)
    area.resize(600, 400)
    strip.set_tokens([f"token{i}" for i in range(5000)], values=[0.5] * 5000)
    area.show()
    qtbot.waitExposed(area)
    painted: list[int] = []
    monkeypatch.setattr(TokenStrip, "_paint_piece", lambda strip, painter, index: painted.append(index))
    area.viewport().render(QImage(area.viewport().size(), QImage.Format.Format_RGB32))
    assert 50 < len(painted) < 250
