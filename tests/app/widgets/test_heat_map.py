"""The heat map: cells, pins, pooled ranges, zoom, keyboard, what a paint does."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QImage

from app.widgets.colour_maps import magnitude_map
from app.widgets.heat_map import HeatMap
from app.widgets.map_view import MapView
from app.widgets.token_axis import TokenAxis

TOKENS = ["[CLS]", "the", " cat", "\n", "שלום", "日本", "incomprehensibilities-without-end", "[SEP]"]


@pytest.fixture
def heat_map(qtbot) -> HeatMap:
    widget = HeatMap(objectName="map")
    qtbot.addWidget(widget)
    rng = np.random.default_rng(0)
    widget.set_matrix(rng.random((8, 8)), TOKENS, TOKENS)
    widget.resize(500, 460)
    widget.show()
    qtbot.waitExposed(widget)
    widget.grab()
    return widget


def centre(widget: HeatMap, row: int, column: int) -> QPoint:
    return widget.view.rect(row, column).center().toPoint()


def test_hovering_tells_the_cell_and_its_value(heat_map: HeatMap, qtbot, hover) -> None:
    with qtbot.waitSignal(heat_map.hovered) as caught:
        hover(heat_map, centre(heat_map, 2, 1))
    row, column, value = caught.args
    assert (row, column) == (2, 1)
    assert value == pytest.approx(float(heat_map.values[2, 1]))
    assert heat_map.describe((2, 1)).startswith("2 ␣cat → 1 the")


def test_a_click_pins_the_row_and_another_lets_go(heat_map: HeatMap, qtbot) -> None:
    pins: list[object] = []
    heat_map.row_pinned.connect(pins.append)
    for at in (centre(heat_map, 3, 3), QPoint(20, centre(heat_map, 3, 0).y())):  # a cell, then its label
        qtbot.mouseClick(heat_map, Qt.MouseButton.LeftButton, pos=at)
    assert pins == [3, None]


def test_a_double_click_resets_the_view_and_leaves_the_pin(heat_map: HeatMap, qtbot) -> None:
    heat_map.pin_row(5)
    heat_map.view.zoom_by(3, QPointF(250, 250))
    at = centre(heat_map, *heat_map.view.cell_at(heat_map.view.shown.center()))
    qtbot.mouseClick(heat_map, Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseDClick(heat_map, Qt.MouseButton.LeftButton, pos=at)
    assert (heat_map.view.zoom, heat_map.pinned) == (1.0, 5)


def test_dragging_pans_and_pins_nothing(heat_map: HeatMap, qtbot) -> None:
    heat_map.view.zoom_by(2, heat_map.view.shown.center())
    before = heat_map.view.x
    start = heat_map.view.shown.center().toPoint()
    qtbot.mousePress(heat_map, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(heat_map, start + QPoint(30, 0))
    qtbot.mouseRelease(heat_map, Qt.MouseButton.LeftButton, pos=start + QPoint(30, 0))
    assert heat_map.view.x < before
    assert heat_map.pinned is None


def test_the_keyboard_reaches_everything(heat_map: HeatMap, qtbot) -> None:
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Return):
        qtbot.keyClick(heat_map, key)
    assert heat_map.cursor_cell == (1, 1)
    assert heat_map.pinned == 1
    assert heat_map.accessibleDescription() == heat_map.describe((1, 1))
    heat_map.set_matrix(heat_map.values / 2, heat_map._rows.tokens, heat_map._columns.tokens)
    assert heat_map.accessibleDescription() == heat_map.describe((1, 1)), "of another head, too"
    qtbot.keyClick(heat_map, Qt.Key.Key_Escape)
    assert heat_map.pinned is None
    qtbot.keyClick(heat_map, Qt.Key.Key_Plus)
    assert heat_map.view.zoom > 1
    qtbot.keyClick(heat_map, Qt.Key.Key_0)
    assert heat_map.view.zoom == 1


def test_another_head_keeps_view_and_pin_but_another_text_does_not(heat_map: HeatMap) -> None:
    heat_map.pin_row(4)
    heat_map.view.zoom_by(2, QPointF(250, 250))
    heat_map.set_matrix(np.ones((8, 8)), TOKENS, TOKENS)
    assert (heat_map.pinned, heat_map.view.zoom) == (4, 2.0)
    heat_map.set_matrix(np.ones((3, 3)), TOKENS[:3], TOKENS[:3])
    assert (heat_map.pinned, heat_map.view.zoom) == (None, 1.0)


def test_a_pooled_map_speaks_of_ranges(qtbot) -> None:
    widget = HeatMap()
    qtbot.addWidget(widget)
    tokens = [f"w{i}" for i in range(4096)]
    edges = np.arange(513) * 8
    widget.set_matrix(np.eye(512), tokens, tokens, edges, edges)
    assert widget.describe((12, 0)).startswith("96–103 w96 … w103 → 0–7 w0 … w7")
    assert next(iter(widget.table()))[1] == "0–7 w0 … w7"
    widget.resize(600, 600)
    assert not widget.grab().isNull()


@pytest.mark.parametrize(
    ("bins", "tokens"), [([0, 1], TOKENS), ([0, 2, 2], TOKENS), ([0, 4, 9], TOKENS), (None, TOKENS[:1])]
)
def test_tokens_and_bins_must_fit(qtbot, bins, tokens) -> None:
    widget = HeatMap()
    qtbot.addWidget(widget)
    with pytest.raises(ValueError, match="bin edges"):
        widget.set_matrix(np.ones((2, 2)), tokens, TOKENS, bins, None)


def test_odd_values_are_drawn(qtbot) -> None:
    widget = HeatMap()
    qtbot.addWidget(widget)
    widget.resize(300, 300)
    for values in (np.zeros((1, 1)), np.full((2, 3), np.nan), np.array([[1.0, -2.0, np.inf]]), np.zeros((0, 0))):
        rows, columns = values.shape
        widget.set_matrix(values, TOKENS[:rows], TOKENS[:columns])
        assert not widget.grab().isNull()


def test_the_colour_of_a_cell_is_its_value(qtbot, qapp) -> None:
    widget = HeatMap()
    qtbot.addWidget(widget)
    widget.resize(300, 300)
    widget.set_matrix(np.array([[0.0, 1.0]]), ["a"], ["b", "c"])
    shot = widget.grab().toImage()
    colours = [shot.pixelColor(centre(widget, 0, column)) for column in (0, 1)]
    for colour, expected in zip(colours, magnitude_map()[[0, 255]], strict=True):
        assert colour.getRgb()[:3] == tuple(expected)


def test_512_by_512_is_one_image_kept_between_paints_with_as_many_labels_as_fit(qtbot, monkeypatch) -> None:
    widget = HeatMap()
    qtbot.addWidget(widget)
    tokens = [f"token{i}" for i in range(512)]
    widget.set_matrix(np.random.default_rng(0).random((512, 512)), tokens, tokens)
    widget.resize(760, 760)
    labels: list[int] = []
    draw = TokenAxis._draw_label
    monkeypatch.setattr(
        TokenAxis, "_draw_label", lambda axis, *args, **how: (labels.append(args[1]), draw(axis, *args, **how))
    )
    canvas = QImage(widget.size(), QImage.Format.Format_RGB32)
    widget.render(canvas)
    picture = widget._picture
    assert picture is not None
    assert 20 < len(labels) <= 2 * widget.width() / widget._rows.metrics.height()
    widget.render(canvas)
    assert widget._picture is picture


def test_the_view_keeps_the_cell_under_the_mouse_and_never_leaves_the_grid() -> None:
    view = MapView(100, 50, QRectF(10, 10, 400, 400))
    at = QPointF(100, 200)
    before = view.cell_at(at)
    view.zoom_by(3.7, at)
    assert view.cell_at(at) == before
    view.pan(QPointF(1e6, -1e6))
    assert (view.x, view.y + view.area.height() / view.cell) == (0, pytest.approx(100))
    view.reveal(0, 49)
    rows, columns = view.visible()
    assert 0 in rows
    assert 49 in columns
    view.zoom_by(1e-9, at)
    assert view.zoom == 1


@pytest.mark.parametrize(("rows", "columns"), [(200, 12), (12, 200)])
def test_cells_of_a_strip_can_be_read_across_it(rows: int, columns: int) -> None:
    view = MapView(rows, columns, QRectF(10, 10, 600, 600))
    assert sorted((view.width, view.height)) == [3.0, 24.0]
    assert sorted((view.shown.width(), view.shown.height())) == [288.0, 600.0]
    last = view.rect(rows - 1, columns - 1)
    assert view.cell_at(last.center()) == (rows - 1, columns - 1)
    assert view.visible() == (range(rows), range(columns))
    view.zoom_by(20, QPointF(20, 20))
    assert view.width == view.height == 60.0, "cells that can be read are square"
