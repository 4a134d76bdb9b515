"""A grid of small maps, a row a layer and a column a head: hover for the name, click or arrow keys to select."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, body_font, theme
from app.widgets.colour_maps import image, levels, magnitude_map
from app.widgets.export import Exporter
from app.widgets.focus import reveal

GAP, LABELS_TOP = 4.0, 18.0
SMALLEST, LARGEST = 24.0, 96.0
Place = tuple[int, int]


class ThumbnailGrid(QWidget):
    """Shows (L, H, n, m) maps; `selected(layer, head)` counts both from zero, the labels from one."""

    selected = Signal(int, int)
    hovered = Signal(object)

    def __init__(
        self, parent: QWidget | None = None, *, row_name: str = "layer", column_name: str = "head", **properties: Any
    ) -> None:
        super().__init__(parent, **({"accessibleName": "Layers and heads"} | properties))
        self.row_name, self.column_name = row_name, column_name
        self.maps = np.zeros((0, 0, 1, 1), dtype=np.float32)
        self.selection: Place | None = None
        self._left = 0.0
        self._largest: float | None = None
        self._hovered: Place | None = None
        self._levels = np.zeros((0, 0, 1, 1), dtype=np.uint8)
        self._picture: tuple[object, QImage] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.exporter = Exporter(self, name="heads", paint=self.paint_figure, table=self.table, arrays=self.arrays)

    def set_maps(self, maps: np.ndarray) -> None:
        """Show (L, H, n, m) maps; the selection stays if it still exists."""
        self.maps = np.asarray(maps, dtype=np.float32)
        layers, heads = self.maps.shape[:2]
        self.set_scale(self._largest)
        widest = QFontMetricsF(body_font(small=True)).horizontalAdvance(f"{self.row_name} {max(layers, 10)}")
        self._left = float(int(widest)) + GRID + 2
        if self.selection is not None and (self.selection[0] >= layers or self.selection[1] >= heads):
            self.selection = None
        self.mark(self.selection)
        self.setMinimumSize(self._size_at(SMALLEST).toSize())
        self.updateGeometry()
        self.update()

    def set_scale(self, largest: float | None) -> None:
        """Draw `largest` in the map's last colour; None: the maximum of each map."""
        self._largest = largest
        peak = np.nan_to_num(self.maps).max(axis=(2, 3), keepdims=True, initial=0.0) if largest is None else largest
        self._levels = levels(self.maps / np.where(peak > 0, peak, 1.0), 0.0, 1.0)
        self._picture = None
        self.update()

    def select(self, layer: int, head: int) -> None:
        """Frame one map and say so; the same one again says nothing."""
        if (layer, head) != self.selection:
            self.mark((layer, head))
            self.selected.emit(layer, head)

    def mark(self, place: Place | None) -> None:
        """Frame one map, or none, without a signal."""
        self.selection = place
        layers, heads = self.maps.shape[:2]
        words = f"{layers} × {heads} maps: a row per {self.row_name}, a column per {self.column_name}"
        self.setAccessibleDescription(self.name(place) if place else words)
        self.update()

    def name(self, place: Place) -> str:
        return f"{self.row_name} {place[0] + 1}, {self.column_name} {place[1] + 1}"

    def table(self) -> Iterable[Sequence[object]]:
        weights = (
            [layer + 1, head + 1, row, column, float(value)]
            for (layer, head, row, column), value in np.ndenumerate(self.maps)
        )
        return chain([[self.row_name, self.column_name, "row", "column", "value"]], weights)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"maps": self.maps}

    def sizeHint(self) -> QSize:
        return self._size_at(56.0).toSize()

    def _size_at(self, side: float) -> QSizeF:
        layers, heads = self.maps.shape[:2]
        return QSizeF(self._left + heads * (side + GAP) + GRID, LABELS_TOP + layers * (side + GAP) + GRID)

    def _side(self, size: QSizeF) -> float:
        layers, heads = self.maps.shape[:2]
        across = (size.width() - self._left - GRID) / max(heads, 1) - GAP
        down = (size.height() - LABELS_TOP - GRID) / max(layers, 1) - GAP
        return float(int(min(max(min(across, down), SMALLEST), LARGEST)))

    def _box(self, place: Place, side: float) -> QRectF:
        return QRectF(self._left + place[1] * (side + GAP), LABELS_TOP + place[0] * (side + GAP), side, side)

    def _place_at(self, point: QPointF) -> Place | None:
        pitch = self._side(QSizeF(self.size())) + GAP
        layer, head = int((point.y() - LABELS_TOP) // pitch), int((point.x() - self._left) // pitch)
        layers, heads = self.maps.shape[:2]
        return (layer, head) if 0 <= layer < layers and 0 <= head < heads else None

    # Painting

    def paint_figure(self, painter: QPainter, size: QSizeF) -> None:
        """Paint the whole grid with its labels."""
        layers, heads = self.maps.shape[:2]
        if not layers or not heads:
            return
        t, side = theme(), self._side(size)
        origin = self._box((0, 0), side).topLeft()
        painter.drawImage(origin, self._mosaic(int(side), painter.device().devicePixelRatioF()))
        painter.setFont(body_font(small=True))
        marked = self._hovered or self.selection
        step = 1 if side >= 28 else 2
        if side < 44:
            corner = QRectF(0, 0, self._left - GRID, LABELS_TOP - 2)
            painter.setPen(QColor(t.muted))
            painter.drawText(corner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, self.column_name)
        for layer in range(layers):
            box = self._box((layer, 0), side)
            painter.setPen(QColor(t.text if marked and marked[0] == layer else t.muted))
            left = QRectF(0, box.top(), self._left - GRID, side)
            painter.drawText(
                left, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{self.row_name} {layer + 1}"
            )
        for head in range(heads):
            here = marked is not None and marked[1] == head
            if head % step and not here:
                continue
            box = self._box((0, head), side)
            painter.setPen(QColor(t.text if here else t.muted))
            text = f"{self.column_name} {head + 1}" if side >= 44 else str(head + 1)
            above = QRectF(box.left() - side, 0, 3 * side, LABELS_TOP - 2)
            painter.drawText(above, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom, text)
        self._frame(painter, self._hovered, t.muted, 1, side)
        self._frame(painter, self.selection, t.accent, 2, side)

    def _frame(self, painter: QPainter, place: Place | None, colour: str, width: int, side: float) -> None:
        if place is not None:
            painter.setPen(QPen(QColor(colour), width))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self._box(place, side).adjusted(-1, -1, 1, 1))

    def _mosaic(self, side: int, ratio: float) -> QImage:
        """All maps in one picture, kept until size, theme or maps change."""
        key = (side, ratio, theme().name)
        if self._picture is None or self._picture[0] != key:
            self._picture = (key, self._draw_mosaic(side, ratio))
        return self._picture[1]

    def _draw_mosaic(self, side: int, ratio: float) -> QImage:
        layers, heads = self.maps.shape[:2]
        pitch = side + int(GAP)
        picture = QImage(QSize(heads * pitch, layers * pitch) * ratio, QImage.Format.Format_ARGB32_Premultiplied)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setPen(QColor(theme().border))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.maps.shape[2] > side * ratio)
        for layer in range(layers):
            for head in range(heads):
                box = QRectF(head * pitch, layer * pitch, side, side)
                painter.drawImage(box, image(self._levels[layer, head], magnitude_map()))
                painter.drawRect(box.adjusted(0, 0, -1, -1))
        painter.end()
        return picture

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.paint_figure(painter, QSizeF(self.size()))
        if self.hasFocus() and self.maps.size:
            self._frame(painter, self.selection or (0, 0), theme().text, 1, self._side(QSizeF(self.size())))
        painter.end()

    # Reacting

    def _point_at(self, place: Place | None) -> None:
        if place != self._hovered:
            self._hovered = place
            self.setToolTip(self.name(place) if place else "")
            self.hovered.emit(place)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point_at(self._place_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self._point_at(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self._place_at(event.position())
        if place is not None and event.button() == Qt.MouseButton.LeftButton:
            self.select(*place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0), Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1)}
        step, (layers, heads) = steps.get(Qt.Key(event.key())), self.maps.shape[:2]
        if step is None or not layers or not heads:
            super().keyPressEvent(event)
            return
        layer, head = self.selection or (-step[0], -step[1])
        self.select(min(max(layer + step[0], 0), layers - 1), min(max(head + step[1], 0), heads - 1))
        reveal(self, self._box(self.selection or (0, 0), self._side(QSizeF(self.size()))))
