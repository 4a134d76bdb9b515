"""A matrix over tokens as an image with the tokens on both axes: zoom, hover for the value, pin a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from app.theme import GRID, body_font, mono_font, theme, translucent
from app.widgets.colour_maps import image, levels, magnitude_map, signed_map
from app.widgets.export import Exporter
from app.widgets.map_view import MapView
from app.widgets.token_axis import GAP, TokenAxis
from tfmcore import units

STRIP, BAR, TITLES = 24, QSizeF(96, 8), QSizeF(40, 28)
LINE = 48 * GRID
"""Least width of the line beneath, for the cell in words beside the colour bar."""
BOTTOM_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom
Cell = tuple[int, int]


class HeatMap(QWidget):
    """Rows are queries (from), columns are keys (to); rows and columns in signals count cells.

    Signals: `hovered(row, column, value)`, `left()` and `row_pinned(row or None)`.
    """

    hovered = Signal(int, int, float)
    left = Signal()
    row_pinned = Signal(object)

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        name: str = "attention",
        row_title: str = "from",
        col_title: str = "to",
        **properties: Any,
    ) -> None:
        super().__init__(parent, **({"accessibleName": "Heat map"} | properties))
        self.row_title, self.col_title = row_title, col_title
        self.values = np.zeros((0, 0), dtype=np.float32)
        self.view = MapView()
        self.cursor_cell: Cell | None = None
        self.pinned: int | None = None
        self._rows, self._columns = TokenAxis((), 0), TokenAxis((), 0)
        self._low, self._high, self._signed = 0.0, 1.0, False
        self._levels = np.zeros((0, 0), dtype=np.uint8)
        self._picture: tuple[object, QImage] | None = None
        self._pressed: QPointF | None = None
        self._dragging = False
        self._pinned_before: int | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.exporter = Exporter(self, name=name, paint=self.paint_figure, table=self.table, arrays=self.arrays)

    def set_matrix(
        self,
        values: np.ndarray,
        row_tokens: Sequence[str],
        col_tokens: Sequence[str],
        row_bins: Sequence[int] | np.ndarray | None = None,
        col_bins: Sequence[int] | np.ndarray | None = None,
        *,
        signed: bool | None = None,
        limits: tuple[float, float] | None = None,
    ) -> None:
        """Show (R, C) `values`; a map of the same shape keeps the zoom, the cursor and the pin.

        `row_bins` (R + 1,) are the edges of the tokens that a row covers, where the matrix has been pooled.
        `signed` (default: whether any value is negative) picks the diverging map; `limits` the colour's range.
        Raises ValueError if shapes and tokens do not agree.
        """
        values = np.asarray(values, dtype=np.float32)
        rows, columns = values.shape
        self._rows, self._columns = TokenAxis(row_tokens, rows, row_bins), TokenAxis(col_tokens, columns, col_bins)
        if values.shape != self.values.shape:
            self.view = MapView(rows, columns)
            self.cursor_cell = None
            self._pin(None)
        self.values = values
        finite = values[np.isfinite(values)]
        self._signed = bool((finite < 0).any()) if signed is None else signed
        self._say()
        self.set_limits(limits)

    def set_limits(self, limits: tuple[float, float] | None) -> None:
        """The range of the colours; None: from zero, or its opposite, to the largest value."""
        largest = float(np.abs(self.values[np.isfinite(self.values)]).max(initial=0.0))
        self._low, self._high = limits or ((-largest if self._signed else 0.0), largest)
        self._levels = levels(self.values, self._low, self._high)
        self._picture = None
        self.update()

    def clear(self) -> None:
        self.set_matrix(np.zeros((0, 0)), (), ())

    def reset_view(self) -> None:
        self.view.reset()
        self.update()

    def describe(self, cell: Cell) -> str:
        """One cell in words: "3 ␣cat → 1 ␣the  0.412"."""
        row, column = cell
        return f"{self._rows.name(row)} → {self._columns.name(column)}   {units.number(float(self.values[cell]), 3)}"

    def _say(self) -> None:
        if self.cursor_cell:
            self.setAccessibleDescription(self.describe(self.cursor_cell))
        else:
            rows, columns = self.values.shape
            largest = float(self.values[np.isfinite(self.values)].max(initial=0.0))
            self.setAccessibleDescription(f"{rows:,} × {columns:,} cells, the largest {units.number(largest, 3)}")

    def table(self) -> Iterable[Sequence[object]]:
        rows = zip(self._rows.names(), self.values, strict=True)
        return chain([["", *self._columns.names()]], ([name, *row.tolist()] for name, row in rows))

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "values": self.values,
            "row_tokens": np.array(self._rows.tokens, dtype=np.str_),
            "col_tokens": np.array(self._columns.tokens, dtype=np.str_),
            "row_bins": self._rows.edges,
            "col_bins": self._columns.edges,
        }

    def sizeHint(self) -> QSize:
        return QSize(480, 440)

    # Painting

    def paint_figure(self, painter: QPainter, size: QSizeF) -> None:
        """Paint the map with its axes and colour bar into (0, 0, width, height)."""
        if not self.values.size:
            return
        self._arrange(size)
        self._draw_cells(painter)
        self._draw_axes(painter)
        self._draw_strip(painter, size)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme().surface))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.paint_figure(painter, QSizeF(self.size()))
        if self.hasFocus() and self.values.size:
            painter.setPen(QPen(QColor(theme().accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.view.shown.adjusted(-1, -1, 1, 1))
        painter.end()

    def _arrange(self, size: QSizeF) -> None:
        left = max(self._rows.length, TITLES.width()) + GAP + GRID
        top = max(self._columns.length, TITLES.height()) + GAP + GRID
        width, height = size.width() - left - GRID, size.height() - top - STRIP - GRID
        self.view.place(QRectF(left, top, max(width, 16.0), max(height, 16.0)))

    def _draw_cells(self, painter: QPainter) -> None:
        view, t = self.view, theme()
        rows, columns = view.visible()
        target = view.rect(rows.start, columns.start, len(rows), len(columns))
        painter.save()
        painter.setClipRect(view.shown)
        painter.drawImage(target, self._image(rows, columns, target, painter.device().devicePixelRatioF()))
        if self.pinned is not None:
            veil = translucent(t.surface, 0.6)
            painter.fillRect(view.rect(0, 0, self.pinned, view.columns), veil)
            painter.fillRect(view.rect(self.pinned + 1, 0, view.rows - self.pinned - 1, view.columns), veil)
            painter.setPen(QPen(QColor(t.accent), 1))
            painter.drawRect(view.rect(self.pinned, 0, 1, view.columns).adjusted(0.5, -0.5, -0.5, 0.5))
        if self.cursor_cell is not None:
            painter.setPen(QPen(QColor(t.text), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(view.rect(*self.cursor_cell).adjusted(-0.5, -0.5, 0.5, 0.5))
        painter.restore()
        painter.setPen(QPen(QColor(t.border), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(view.shown.adjusted(-0.5, -0.5, 0.5, 0.5))

    def _image(self, rows: range, columns: range, target: QRectF, ratio: float) -> QImage:
        """The visible cells at the device's resolution, kept until something changes."""
        table = signed_map() if self._signed else magnitude_map()
        size = (target.size() * ratio).toSize().expandedTo(QSize(1, 1))
        key = (rows, columns, size, theme().name)
        if self._picture is None or self._picture[0] != key:
            cells = image(self._levels[rows.start : rows.stop, columns.start : columns.stop], table)
            smooth = self.view.cell * ratio < 1  # several cells a pixel: average them, or thin lines would drop out
            mode = Qt.TransformationMode.SmoothTransformation if smooth else Qt.TransformationMode.FastTransformation
            self._picture = (key, cells.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, mode))
        return self._picture[1]

    def _draw_axes(self, painter: QPainter) -> None:
        view, shown = self.view, self.view.shown
        rows, columns = view.visible()
        strong_rows = {self.pinned} if self.pinned is not None else set()
        strong_columns = set()
        if self.cursor_cell is not None:
            strong_rows = strong_rows | {self.cursor_cell[0]}
            strong_columns = {self.cursor_cell[1]}
        left, top = shown.left() - GAP, shown.top() - GAP
        row_boxes = {row: QRectF(0, view.rect(row, 0).top(), left, view.height) for row in rows}
        column_boxes = {column: QRectF(view.rect(0, column).left(), 0, view.width, top) for column in columns}
        self._rows.draw(painter, rows, row_boxes, rotated=False, strong=strong_rows)
        self._columns.draw(painter, columns, column_boxes, rotated=True, strong=strong_columns)
        painter.setFont(body_font(small=True))
        painter.setPen(QColor(theme().muted))
        corner = QRectF(0, 0, left, top)
        painter.drawText(corner, BOTTOM_RIGHT, f"{self.col_title} →\n{self.row_title} ↓")

    def _draw_strip(self, painter: QPainter, size: QSizeF) -> None:
        """The line beneath: the cell under the cursor in words, and the colour bar."""
        t, font = theme(), mono_font(small=True)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        low, high = units.number(self._low, 3), units.number(self._high, 3)
        top = min(self.view.shown.bottom() + GRID, size.height() - STRIP)
        width = min(max(self.view.shown.right() - GRID, LINE), size.width() - 2 * GRID)  # it ends where the map does
        line = QRectF(GRID, top, width, STRIP)
        right = line.right() - metrics.horizontalAdvance(high)
        bar = QRectF(QPointF(right - 4 - BAR.width(), line.center().y() - BAR.height() / 2), BAR)
        painter.drawImage(
            bar, image(np.arange(256, dtype=np.uint8)[None], signed_map() if self._signed else magnitude_map())
        )
        painter.setPen(QPen(QColor(t.border), 1))
        painter.drawRect(bar)
        painter.setPen(QColor(t.muted))
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignAbsolute
        painter.drawText(line, flags | Qt.AlignmentFlag.AlignRight, high)
        painter.drawText(QRectF(0, top, bar.left() - 4, STRIP), flags | Qt.AlignmentFlag.AlignRight, low)
        cell = self.cursor_cell
        if cell is not None:
            room = bar.left() - 8 - metrics.horizontalAdvance(low) - line.left()
            text = metrics.elidedText(self.describe(cell), Qt.TextElideMode.ElideMiddle, int(room))
            painter.setPen(QColor(t.text))
            painter.drawText(line, flags | Qt.AlignmentFlag.AlignLeft, text)

    # Reacting

    def _point_at(self, cell: Cell | None) -> None:
        if cell == self.cursor_cell:
            return
        self.cursor_cell = cell
        if cell is None:
            self.left.emit()
        else:
            self._say()
            self.hovered.emit(*cell, float(self.values[cell]))
        self.update()

    def pin_row(self, row: int | None) -> None:
        """Keep one row lit and the others veiled; None lets go."""
        self._pin(row)
        self.update()

    def _pin(self, row: int | None) -> None:
        if row != self.pinned:
            self.pinned = row
            self.row_pinned.emit(row)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._dragging = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self._pressed is not None:
            moved = at - self._pressed
            self._dragging = self._dragging or moved.manhattanLength() >= QApplication.startDragDistance()
            if self._dragging:
                self.view.pan(moved)
                self._pressed = at
                self.update()
        elif self.values.size:
            self._point_at(self.view.cell_at(at))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._pressed is not None and not self._dragging and self.values.size:
            at, shown = event.position(), self.view.shown
            if shown.top() <= at.y() < shown.bottom() and at.x() < shown.right():
                row = self.view.row_at(at.y())
                self._pinned_before = self.pinned
                self.pin_row(None if row == self.pinned else row)
        self._pressed = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.pin_row(self._pinned_before)  # the first of the two clicks was not meant as a pin
        self.reset_view()

    def leaveEvent(self, event: QEvent) -> None:
        self._point_at(None)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.view.zoom_by(1.0015 ** event.angleDelta().y(), event.position())
        self.update()
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0), Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1)}
        key = Qt.Key(event.key())
        if not self.values.size:
            super().keyPressEvent(event)
        elif key in steps:
            row, column = self.cursor_cell or (0, 0)
            down, right = steps[key] if self.cursor_cell else (0, 0)
            cell = (min(max(row + down, 0), self.view.rows - 1), min(max(column + right, 0), self.view.columns - 1))
            self.view.reveal(*cell)
            self._point_at(cell)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self.cursor_cell is not None:
            self.pin_row(None if self.cursor_cell[0] == self.pinned else self.cursor_cell[0])
        elif key == Qt.Key.Key_Escape and self.pinned is not None:
            self.pin_row(None)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self.view.zoom_by(1.25 if key != Qt.Key.Key_Minus else 0.8, self.view.shown.center())
            self.update()
        elif key == Qt.Key.Key_0:
            self.reset_view()
        else:
            super().keyPressEvent(event)
