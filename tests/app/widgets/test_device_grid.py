"""The cards of processes: all that have room, the others counted; what they say, and where they stand."""

import pytest
from PySide6.QtCore import QEvent, QPointF
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QToolTip

from app.theme import apply_theme
from app.widgets.device_grid import COLOURS, MOST_HEIGHT, TITLE, Card, DeviceGrid
from tfmcore.config.parallel import KINDS
from tfmcore.config.placement import Held


def card(rank: int) -> Card:
    lines = (Held("tensor", f"heads {rank}", 0.25, 0.5, " of 64"), Held("", "all 8 examples"))
    return Card(f"Process {rank + 1}", lines, f"rank {rank}")


@pytest.fixture
def grid(qtbot) -> DeviceGrid:
    grid = DeviceGrid(objectName="device_grid")
    qtbot.addWidget(grid)
    grid.resize(552, 10)
    return grid


def test_every_kind_has_a_colour_of_its_own():
    assert set(COLOURS) == set(KINDS)
    assert len(set(COLOURS.values())) == len(KINDS)


@pytest.mark.parametrize("number", [2, 3, 8, 64, 4096])
def test_a_row_shows_all_or_says_how_many_more(grid, number):
    grid.set_cards([("data", number)], card)
    shown = len(grid.drawing.cards)
    assert [rank for _, rank in grid.drawing.cards] == list(range(shown))
    assert [text for _, text in grid.drawing.more] == ([f"… {number - shown:,} more"] if shown < number else [])
    assert (shown == number) == (number <= 8)
    assert_within(grid)


@pytest.mark.parametrize("sizes", [(2, 2), (2, 4), (8, 2), (2, 8), (64, 64)])
def test_two_kinds_are_rows_and_columns(grid, sizes):
    rows, columns = sizes
    grid.set_cards([("data", rows), ("tensor", columns)], card)
    assert len(grid.drawing.cards) == len(grid.drawing.rows) * len(grid.drawing.columns)
    assert grid.drawing.columns[0][1] == f"tensor 1 of {columns}"
    assert grid.drawing.rows[0][1] == f"data 1 of {rows}"
    if len(grid.drawing.rows) > 1:
        assert grid.drawing.cards[len(grid.drawing.columns)][1] == columns
    words = [text for _, text in grid.drawing.more]
    left = (columns - len(grid.drawing.columns), rows - len(grid.drawing.rows))
    assert words == [f"… {n} more{what}" for n, what in zip(left, ("", " rows"), strict=True) if n]
    assert_within(grid)


def assert_within(grid: DeviceGrid) -> None:
    """Nothing lies outside, or upon another card."""
    places = [rect for rect, _ in (*grid.drawing.cards, *grid.drawing.more)]
    assert grid.height() == round(grid.drawing.height) <= MOST_HEIGHT + 2 * TITLE
    assert all(grid.rect().toRectF().contains(place) for place in places)
    assert not any(a.intersects(b) for n, a in enumerate(places) for b in places[n + 1 :])


def test_a_wider_page_shows_more(grid):
    grid.show()
    grid.set_cards([("data", 2), ("tensor", 8)], card)
    before = len(grid.drawing.columns)
    grid.resize(1400, grid.height())
    assert len(grid.drawing.columns) == 8 > before
    assert not grid.brief
    grid.resize(240, grid.height())
    assert len(grid.drawing.columns) == 1


def test_what_it_says(qtbot, grid):
    grid.set_cards([("tensor", 2)], card)
    assert "Process 1: heads 0 of 64, all 8 examples; Process 2" in grid.accessibleDescription()
    place = grid.drawing.cards[1][0].center()
    assert grid.card_at(place) == card(1)
    assert grid.card_at(QPointF(-5, -5)) is None
    grid.show()
    grid.event(QHelpEvent(QEvent.Type.ToolTip, place.toPoint(), grid.mapToGlobal(place.toPoint())))
    assert QToolTip.text() == "rank 1"
    QToolTip.hideText()


def test_it_is_painted_in_both_looks_and_exported(qtbot, qapp, grid, tmp_path):
    grid.set_cards([("data", 2), ("tensor", 2)], card)
    looks = []
    for name in ("light", "dark"):
        apply_theme(qapp, name)
        looks.append(grid.grab().toImage())
    assert looks[0] != looks[1]
    assert grid.exporter.save(tmp_path / "devices.png").stat().st_size > 1000
    rows = grid.exporter.save(tmp_path / "devices.csv").read_text(encoding="utf-8-sig").splitlines()
    assert rows[0] == "process,holds"
    assert len(rows) == 5
