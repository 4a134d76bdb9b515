"""A block diagram of a transformer in the manner of "Attention Is All You Need", drawn from plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QWidget

from app.theme import body_font, mix, mono_font, theme
from app.widgets.block_layout import BARE_KINDS, NOTE, RADIUS, Block, Column, Drawing, lay_out
from app.widgets.export import Exporter

LEAST_SCALE, GREATEST_SCALE = 0.8, 1.15
HEAD, TITLE = 5.0, 20.0
"""Half the length of an arrow's head, and the height of a title with lines beneath it."""


class BlockDiagram(QAbstractScrollArea):
    """Scales to its view while it stays readable, then scrolls; `block_clicked(key)` and `block_hovered(key or "")`."""

    block_clicked = Signal(str)
    block_hovered = Signal(str)

    def __init__(self, parent: QWidget | None = None, **properties: Any) -> None:
        super().__init__(parent, **({"accessibleName": "Block diagram"} | properties))
        self.drawing = Drawing()
        self.current = ""
        self._hovered = ""
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.exporter = Exporter(self, name="model", paint=self.paint_figure, size=self._figure_size)

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show these columns side by side, an encoder left of its decoder."""
        self.drawing = lay_out(columns)
        self._hovered = ""
        names = [block.title for _, block in self.drawing.boxes]
        self.setAccessibleDescription(", ".join(names))
        self._arrange()

    def set_current(self, key: str) -> None:
        """Frame the block whose fields are being edited; "" frames none."""
        self.current = key
        self.viewport().update()

    def sizeHint(self) -> QSize:
        return self._figure_size().expandedTo(QSize(240, 240))

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 200)

    # Painting

    def _figure_size(self) -> QSize:
        return QSizeF(*self.drawing.size).toSize()

    @property
    def _scale(self) -> float:
        width, height = self.drawing.size
        if not width or not height:
            return 1.0
        fitting = min(self.viewport().width() / width, self.viewport().height() / height)
        return min(max(fitting, LEAST_SCALE), GREATEST_SCALE)

    @property
    def _origin(self) -> QPointF:
        """Where the drawing's corner lies in the viewport: centred, or where it has been scrolled to."""
        width, height = (length * self._scale for length in self.drawing.size)
        left = max((self.viewport().width() - width) / 2, 0) - self.horizontalScrollBar().value()
        top = max((self.viewport().height() - height) / 2, 0) - self.verticalScrollBar().value()
        return QPointF(left, top)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.viewport().rect(), QColor(theme().surface))
        painter.translate(self._origin)
        painter.scale(self._scale, self._scale)
        self.paint_figure(painter, QSizeF(*self.drawing.size))
        painter.end()

    def paint_figure(self, painter: QPainter, size: QSizeF) -> None:
        """Paint the whole diagram at its natural size."""
        self._draw_frames(painter)
        for corners, head in self.drawing.lines:
            _draw_line(painter, corners, head)
        for at in self.drawing.sums:
            _draw_sum(painter, at)
        for rect, block in self.drawing.boxes:
            self._draw_box(painter, rect, block)
        self._draw_texts(painter)

    def _draw_frames(self, painter: QPainter) -> None:
        t = theme()
        for frame, text, right in self.drawing.frames:
            painter.setPen(QPen(QColor(t.border), 1))
            painter.setBrush(QColor(t.background))
            painter.drawRoundedRect(frame, 10, 10)
            beside = QRectF(frame.right() + 6 if right else frame.left() - 66, frame.top(), 60, frame.height())
            side = Qt.AlignmentFlag.AlignLeft if right else Qt.AlignmentFlag.AlignRight
            painter.setFont(body_font(bold=True))
            painter.setPen(QColor(t.text))
            painter.drawText(beside, side | Qt.AlignmentFlag.AlignVCenter, text)

    def _draw_box(self, painter: QPainter, rect: QRectF, block: Block) -> None:
        t = theme()
        marked = block.key in (self._hovered, self.current)
        if block.kind not in BARE_KINDS:
            kind = "attention" if block.kind == "cross_attention" else block.kind
            fill = t.blocks.get(kind, t.raised)
            edge = QColor(t.accent) if marked else mix(fill, t.text, 0.35)
            painter.setPen(QPen(edge, 2 if block.key == self.current else 1))
            painter.setBrush(QColor(fill))
            painter.drawRoundedRect(rect, 5, 5)
        below = [*([block.subtitle] if block.subtitle else []), *block.notes]
        title = rect.adjusted(4, 0, -4, 0)
        if below:
            title.setHeight(TITLE)
            title.translate(0, 4)
        _draw_text(painter, title, block.title, body_font(), t.accent if marked and not below else t.text)
        for number, text in enumerate(below):
            line = QRectF(rect.left() + 4, title.bottom() - 1 + number * NOTE, rect.width() - 8, NOTE + 2)
            _draw_text(painter, line, text, body_font(small=True), mix(t.muted, t.text, 0.5).name())

    def _draw_texts(self, painter: QPainter) -> None:
        t = theme()
        painter.setFont(mono_font(small=True))
        painter.setPen(QColor(t.muted))
        for at, text in self.drawing.labels:
            painter.drawText(QRectF(at.x(), at.y() - 8, 200, 16), Qt.AlignmentFlag.AlignVCenter, text)
        for at, text in self.drawing.titles:
            _draw_text(painter, QRectF(at.x() - 90, at.y() - 10, 180, 20), text, body_font(bold=True), t.muted)

    # Reacting

    def _arrange(self) -> None:
        width, height = (int(length * self._scale) for length in self.drawing.size)
        for bar, whole, page in (
            (self.horizontalScrollBar(), width, self.viewport().width()),
            (self.verticalScrollBar(), height, self.viewport().height()),
        ):
            at_its_end = bar.value() == bar.maximum()  # at the foot, where the text goes in, until one scrolls
            bar.setPageStep(page)
            bar.setSingleStep(24)
            bar.setRange(0, max(0, whole - page))
            if at_its_end and bar is self.verticalScrollBar():
                bar.setValue(bar.maximum())
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()

    def _block_at(self, point: QPointF) -> str:
        at = (point - self._origin) / self._scale
        return next((block.key for rect, block in self.drawing.boxes if rect.contains(at)), "")

    def _point_at(self, key: str) -> None:
        if key != self._hovered:
            self._hovered = key
            cursor = Qt.CursorShape.PointingHandCursor if key else Qt.CursorShape.ArrowCursor
            self.viewport().setCursor(cursor)
            self.block_hovered.emit(key)
            self.viewport().update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point_at(self._block_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self._point_at("")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        key = self._block_at(event.position())
        if key and event.button() == Qt.MouseButton.LeftButton:
            self.set_current(key)
            self.block_clicked.emit(key)

    def focusInEvent(self, event: QFocusEvent) -> None:
        if self.drawing.boxes and event.reason() != Qt.FocusReason.MouseFocusReason:
            keys = [block.key for _, block in self.drawing.boxes]
            self._go_to(self.current if self.current in keys else keys[0])

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._point_at("")

    def _go_to(self, key: str) -> None:
        """By the keys: the block is seen, and said."""
        block = next(block for _, block in self.drawing.boxes if block.key == key)
        self._point_at(key)
        self._reveal(key)
        self.setAccessibleDescription(", ".join(filter(None, (block.title, block.subtitle, *block.notes))))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        keys = list(dict.fromkeys(block.key for _, block in self.drawing.boxes))
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}
        if keys and event.key() in steps:
            at = keys.index(self._hovered or self.current) if (self._hovered or self.current) in keys else -1
            self._go_to(keys[min(max(at + steps[Qt.Key(event.key())], 0), len(keys) - 1)])
        elif self._hovered and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.set_current(self._hovered)
            self.block_clicked.emit(self._hovered)
        else:
            super().keyPressEvent(event)

    def _reveal(self, key: str) -> None:
        rect = next(rect for rect, block in self.drawing.boxes if block.key == key)
        bar, scale = self.verticalScrollBar(), self._scale
        least, most = int(rect.bottom() * scale) + 8 - bar.pageStep(), int(rect.top() * scale) - 8
        bar.setValue(min(max(bar.value(), least), most))


def _draw_line(painter: QPainter, corners: Sequence[QPointF], head: bool) -> None:
    """A line with rounded corners; its arrow head is filled."""
    colour = QColor(theme().muted)
    path = QPainterPath(corners[0])
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        path.lineTo(_towards(corner, before))
        path.quadTo(corner, _towards(corner, after))
    path.lineTo(corners[-1])
    painter.setPen(QPen(colour, 1.2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(path)
    if head:
        tip, along = corners[-1], corners[-1] - _towards(corners[-1], corners[-2], HEAD)
        across = QPointF(-along.y(), along.x()) * 0.6
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawPolygon(QPolygonF([tip, tip - along * 1.4 + across, tip - along * 1.4 - across]))


def _towards(start: QPointF, end: QPointF, distance: float = 6.0) -> QPointF:
    """The point `distance` from `start` on the way to `end`, at most half-way."""
    way = end - start
    length = (way.x() ** 2 + way.y() ** 2) ** 0.5
    return start + way * min(distance / length, 0.5) if length else start


def _draw_sum(painter: QPainter, at: QPointF) -> None:
    """A plus in a circle: the residual connection is added here."""
    t = theme()
    painter.setPen(QPen(QColor(t.muted), 1.2))
    painter.setBrush(QColor(t.surface))
    painter.drawEllipse(at, RADIUS, RADIUS)
    arm = RADIUS * 0.55
    painter.drawLine(at - QPointF(arm, 0), at + QPointF(arm, 0))
    painter.drawLine(at - QPointF(0, arm), at + QPointF(0, arm))


def _draw_text(painter: QPainter, rect: QRectF, text: str, font: QFont, colour: str) -> None:
    painter.setFont(font)
    painter.setPen(QColor(colour))
    fitting = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(rect.width()))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, fitting)
