"""Thumbnails and lines: selecting, toggling, locking, and long inputs."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QSizeF, Qt
from PySide6.QtGui import QImage

from app.widgets.attention_arcs import MAX_LINES, ROW, AttentionArcs
from app.widgets.thumbnails import ThumbnailGrid


@pytest.fixture
def grid(qtbot) -> ThumbnailGrid:
    widget = ThumbnailGrid()
    qtbot.addWidget(widget)
    widget.set_maps(np.random.default_rng(0).random((3, 4, 8, 8)))
    widget.resize(400, 300)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def box(grid: ThumbnailGrid, layer: int, head: int):
    return grid._box((layer, head), grid._side(QSizeF(grid.size()))).center().toPoint()


def test_a_click_selects_and_hovering_names(grid: ThumbnailGrid, qtbot, hover) -> None:
    with qtbot.waitSignal(grid.selected) as caught:
        qtbot.mouseClick(grid, Qt.MouseButton.LeftButton, pos=box(grid, 2, 1))
    assert caught.args == [2, 1]
    hover(grid, box(grid, 0, 3))
    assert grid.toolTip() == "layer 1, head 4"


def test_arrow_keys_stay_within_the_grid(grid: ThumbnailGrid, qtbot) -> None:
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Up):
        qtbot.keyClick(grid, key)
    assert grid.selection == (0, 1)
    grid.set_maps(np.ones((1, 1, 2, 2)))
    assert grid.selection is None


@pytest.mark.parametrize("shape", [(0, 0, 1, 1), (1, 1, 1, 1), (2, 3, 5, 9), (24, 16, 64, 64)])
def test_any_number_of_heads_is_drawn_and_fits(qtbot, shape) -> None:
    widget = ThumbnailGrid()
    qtbot.addWidget(widget)
    maps = np.random.default_rng(0).random(shape).astype(np.float32)
    maps[..., 0] = np.nan
    widget.set_maps(maps)
    assert not widget.grab().isNull()
    if shape[0]:
        widget.resize(widget.minimumSize())
        last = widget._box((shape[0] - 1, shape[1] - 1), widget._side(QSizeF(widget.size())))
        assert last.right() <= widget.width()
        assert last.bottom() <= widget.height()


TOKENS = ["[CLS]", "a", "b", "[SEP]"]


@pytest.fixture
def arcs(qtbot) -> AttentionArcs:
    widget = AttentionArcs()
    qtbot.addWidget(widget)
    widget.resize(400, 300)
    widget.set_weights(np.random.default_rng(0).random((3, 4, 4)), TOKENS, TOKENS)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def square(arcs: AttentionArcs, head: int):
    return arcs._head_box(head).center().toPoint()


def test_squares_toggle_and_a_double_click_shows_one_head_alone(arcs: AttentionArcs, qtbot) -> None:
    qtbot.mouseClick(arcs.viewport(), Qt.MouseButton.LeftButton, pos=square(arcs, 1))
    assert arcs.active.tolist() == [True, False, True]
    assert 1 not in arcs._lines(range(4))[0]
    qtbot.keyClick(arcs, Qt.Key.Key_2)
    assert arcs.active.all()
    for expected in ([False, False, True], [True, True, True]):  # alone, then all again
        qtbot.mouseClick(arcs.viewport(), Qt.MouseButton.LeftButton, pos=square(arcs, 2))
        qtbot.mouseDClick(arcs.viewport(), Qt.MouseButton.LeftButton, pos=square(arcs, 2))
        assert arcs.active.tolist() == expected


def test_hovering_a_token_hides_the_other_lines_and_a_click_locks(arcs: AttentionArcs, qtbot, hover) -> None:
    assert set(arcs._lines(range(4))[1].tolist()) == {0, 1, 2, 3}
    at = QPoint(arcs.viewport().width() - 10, 32 + 20 * 2 + 5)
    with qtbot.waitSignal(arcs.token_hovered) as caught:
        hover(arcs.viewport(), at)
    assert caught.args == [("col", 2)]
    assert set(arcs._lines(range(4))[2].tolist()) == {2}
    qtbot.mouseClick(arcs.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert arcs.locked == ("col", 2)
    qtbot.keyClick(arcs, Qt.Key.Key_Escape)
    assert arcs.locked is None


def test_the_keyboard_locks_tokens_of_both_sides_and_says_where_they_attend_to(arcs: AttentionArcs, qtbot) -> None:
    rows, columns = arcs.tokens["row"], arcs.tokens["col"]
    assert arcs.accessibleDescription() == f"{len(arcs.weights)} heads, {len(rows)} tokens"
    qtbot.keyClick(arcs, Qt.Key.Key_Down)
    qtbot.keyClick(arcs, Qt.Key.Key_Down)
    assert arcs.locked == ("row", 1)
    best = int(arcs.weights[:, 1].mean(axis=0).argmax())
    assert arcs.accessibleDescription().startswith(f"1 {rows[1]}: to {columns[best]} ")
    qtbot.keyClick(arcs, Qt.Key.Key_Right)
    assert arcs.locked == ("col", 1)
    assert arcs.accessibleDescription().startswith(f"1 {columns[1]}: from ")


def test_shapes_must_agree(arcs: AttentionArcs) -> None:
    with pytest.raises(ValueError, match="need 2 and 4 tokens"):
        arcs.set_weights(np.zeros((1, 2, 4)), TOKENS, TOKENS)


def test_long_inputs_scroll_and_paint_only_what_is_seen(qtbot, monkeypatch) -> None:
    widget = AttentionArcs()
    qtbot.addWidget(widget)
    widget.resize(480, 600)
    tokens = [f"t{i}" for i in range(1024)]
    weights = np.full((8, 1024, 1024), 0.03, dtype=np.float32)
    widget.set_weights(weights, tokens, tokens)
    assert widget.verticalScrollBar().maximum() > 0
    assert len(widget._lines(range(40))[0]) == MAX_LINES
    painted: list[int] = []
    draw = AttentionArcs._draw_tokens
    monkeypatch.setattr(AttentionArcs, "_draw_tokens", lambda arcs, *args: (painted.extend(args[2]), draw(arcs, *args)))
    widget.viewport().render(QImage(widget.viewport().size(), QImage.Format.Format_RGB32))
    assert 2 <= len(painted) <= 2 * (600 / ROW + 2)
