"""Which part of a grid of cells is on show, and where: zoom, pan, and from pixels to cells and back."""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtCore import QPointF, QRectF

MAX_CELL, MAX_ZOOMED_CELL, LEGIBLE_CELL = 48.0, 96.0, 24.0
NARROW = 2
"""A grid that is so many times as long as wide is a strip."""


@dataclass
class MapView:
    """`x` and `y` are the cell coordinates of the area's top left; a zoom of 1 shows the whole grid. Cells are square;
    those of a strip are longer across it, as far as there is room and until they can be read."""

    rows: int = 0
    columns: int = 0
    area: QRectF = field(default_factory=QRectF)
    zoom: float = 1.0
    x: float = 0.0
    y: float = 0.0

    @property
    def fit(self) -> float:
        """The cell's side in pixels at which the whole grid is seen."""
        if not self.rows or not self.columns:
            return 1.0
        return max(1e-3, min(self.area.width() / self.columns, self.area.height() / self.rows, MAX_CELL))

    @property
    def cell(self) -> float:
        """The shorter side of a cell."""
        return self.fit * self.zoom

    @property
    def width(self) -> float:
        """Of a column."""
        return self._side(self.columns, self.rows, self.area.width())

    @property
    def height(self) -> float:
        """Of a row."""
        return self._side(self.rows, self.columns, self.area.height())

    def _side(self, cells: int, others: int, room: float) -> float:
        return max(self.cell, min(room / cells, LEGIBLE_CELL)) if 0 < NARROW * cells < others else self.cell

    @property
    def shown(self) -> QRectF:
        """The part of the area that cells cover."""
        width, height = self.columns * self.width, self.rows * self.height
        return QRectF(self.area.left(), self.area.top(), min(width, self.area.width()), min(height, self.area.height()))

    def place(self, area: QRectF) -> None:
        self.area = area
        self._clamp()

    def reset(self) -> None:
        self.zoom, self.x, self.y = 1.0, 0.0, 0.0

    def zoom_by(self, factor: float, at: QPointF) -> None:
        """Zoom and keep the cell under `at` where it is."""
        column = self.x + (at.x() - self.area.left()) / self.width
        row = self.y + (at.y() - self.area.top()) / self.height
        self.zoom = min(max(self.zoom * factor, 1.0), max(1.0, MAX_ZOOMED_CELL / self.fit))
        self.x = column - (at.x() - self.area.left()) / self.width
        self.y = row - (at.y() - self.area.top()) / self.height
        self._clamp()

    def pan(self, pixels: QPointF) -> None:
        self.x -= pixels.x() / self.width
        self.y -= pixels.y() / self.height
        self._clamp()

    def reveal(self, row: int, column: int) -> None:
        """Pan no further than it takes to show the cell."""
        across, down = self.area.width() / self.width, self.area.height() / self.height
        self.x = min(max(self.x, column + 1 - across), column)
        self.y = min(max(self.y, row + 1 - down), row)
        self._clamp()

    def cell_at(self, point: QPointF) -> tuple[int, int] | None:
        """(row, column) under a point, or None outside the grid."""
        if not self.shown.contains(point):
            return None
        return self.row_at(point.y()), self.column_at(point.x())

    def row_at(self, y: float) -> int:
        return min(max(int(self.y + (y - self.area.top()) / self.height), 0), self.rows - 1)

    def column_at(self, x: float) -> int:
        return min(max(int(self.x + (x - self.area.left()) / self.width), 0), self.columns - 1)

    def rect(self, row: int, column: int, rows: int = 1, columns: int = 1) -> QRectF:
        """Where a block of cells lies, in pixels."""
        left = self.area.left() + (column - self.x) * self.width
        top = self.area.top() + (row - self.y) * self.height
        return QRectF(left, top, columns * self.width, rows * self.height)

    def visible(self) -> tuple[range, range]:
        """The rows and columns that are at least partly on show."""
        if not self.rows or not self.columns:
            return range(0), range(0)
        shown = self.shown
        bottom, right = self.row_at(shown.bottom() - 1e-6), self.column_at(shown.right() - 1e-6)
        return range(self.row_at(shown.top()), bottom + 1), range(self.column_at(shown.left()), right + 1)

    def _clamp(self) -> None:
        self.x = min(max(self.x, 0.0), max(0.0, self.columns - self.area.width() / self.width))
        self.y = min(max(self.y, 0.0), max(0.0, self.rows - self.area.height() / self.height))
