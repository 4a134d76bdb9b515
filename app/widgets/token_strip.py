"""Text as its tokens, flowing like text: a shade for each token's value, whitespace visible, ids beneath on request."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import mix, mono_font, theme
from app.widgets.export import Exporter
from app.widgets.focus import reveal
from app.widgets.tokens import is_newline, is_special, visible
from tfmcore import units

PADDING, GAP, LINE, IDS = 3.0, 2.0, 24, 14
SHADE = 0.42
"""How much of the accent lies under a token of value 1: as much as still leaves its text readable."""


@dataclass(slots=True)
class Piece:
    """One token as shown, and where: its line and the left edge of its box."""

    token: str
    text: str
    special: bool
    value: float | None
    id: int | None
    category: int | None
    line: int = 0
    x: float = 0.0
    width: float = 0.0


class TokenStrip(QWidget):
    """Tokens in lines as wide as the widget; `hovered(index or -1)` and `clicked(index)`.

    Put it into a resizable scroll area: its height follows its width, and only tokens in view are painted.
    """

    hovered = Signal(int)
    clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None, *, show_ids: bool = False, **properties: Any) -> None:
        super().__init__(parent, **({"accessibleName": "Tokens"} | properties))
        self.pieces: list[Piece] = []
        self.show_ids = show_ids
        self.selection: int | None = None
        self._hovered: int | None = None
        self._line_starts: list[int] = [0]
        self._metrics = QFontMetricsF(mono_font())
        self._widths: dict[str, float] = {}
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.exporter = Exporter(self, name="tokens", paint=self.paint_figure, table=self.table)

    def set_tokens(
        self,
        tokens: Sequence[str],
        values: Sequence[float] | None = None,
        ids: Sequence[int] | None = None,
        special: Iterable[int] | None = None,
        categories: Sequence[int | None] | None = None,
    ) -> None:
        """Replace everything shown.

        `values` of 0 to 1 shade the tokens; `categories` colour them by number instead; `special` are the indices
        of the special tokens (default: those that look like one).
        """
        marked = None if special is None else set(special)
        self.pieces = [
            self._piece(
                token,
                None if values is None else values[i],
                None if ids is None else int(ids[i]),
                is_special(token) if marked is None else i in marked,
                None if categories is None else categories[i],
            )
            for i, token in enumerate(tokens)
        ]
        self.selection = self._hovered = None
        self._say()
        self._flow_all()

    def append_token(
        self,
        token: str,
        value: float | None = None,
        id: int | None = None,
        special: bool | None = None,
        category: int | None = None,
    ) -> None:
        """Add one token at the end, without touching the others."""
        self.pieces.append(self._piece(token, value, id, is_special(token) if special is None else special, category))
        lines = len(self._line_starts)
        self._flow(len(self.pieces) - 1, self.width())
        if len(self._line_starts) != lines or len(self.pieces) == 1:
            self._resize()
        self.update()

    def clear(self) -> None:
        self.set_tokens(())

    def select(self, index: int | None) -> None:
        """Frame one token, as a click does, without the signal."""
        self.selection = index
        self._say()
        self.update()

    def _say(self) -> None:
        at = self.selection
        self.setAccessibleDescription(f"{len(self.pieces):,} tokens" if at is None else self.describe(at))

    def table(self) -> Iterable[Sequence[object]]:
        pieces = [(index, piece.token, piece.id, piece.value) for index, piece in enumerate(self.pieces)]
        return [("index", "token", "id", "value"), *pieces]

    # Laying out

    def _piece(self, token: str, value: float | None, id: int | None, special: bool, category: int | None) -> Piece:
        text = visible(token)
        width = self._widths.get(text)
        if width is None:
            width = self._widths[text] = self._metrics.horizontalAdvance(text) + 2 * PADDING
        return Piece(token, text, special, value, id, category, width=width)

    @property
    def _line_height(self) -> int:
        return LINE + (IDS if self.show_ids else 0)

    def _flow(self, index: int, width: float) -> None:
        """Place one token after the one before it, or at the start of the next line."""
        piece = self.pieces[index]
        if self.show_ids and piece.id is not None:
            piece.width = max(self._widths[piece.text], len(str(piece.id)) * 7.0 + 4)
        if index == 0:
            piece.line, piece.x = 0, 0.0
            return
        before = self.pieces[index - 1]
        piece.line, piece.x = before.line, before.x + before.width + GAP
        if piece.x + piece.width > width or is_newline(before.token):
            piece.line, piece.x = before.line + 1, 0.0
            self._line_starts.append(index)

    def _flow_all(self) -> None:
        self._line_starts = [0]
        width = self.width()
        for index in range(len(self.pieces)):
            self._flow(index, width)
        self._resize()
        self.update()

    def _resize(self) -> None:
        self.setMinimumHeight(self._height())
        self.updateGeometry()

    def _height(self) -> int:
        return len(self._line_starts) * self._line_height + 2

    def sizeHint(self) -> QSize:
        return QSize(400, self._height())

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        lines, x, previous = 1, 0.0, ""
        for piece in self.pieces:
            if x and (x + piece.width > width or is_newline(previous)):
                lines, x = lines + 1, 0.0
            x += piece.width + GAP
            previous = piece.token
        return lines * self._line_height + 2

    def resizeEvent(self, event: QResizeEvent) -> None:
        if event.size().width() != event.oldSize().width():
            self._flow_all()

    # Painting

    def paint_figure(self, painter: QPainter, size: QSizeF) -> None:
        """Paint every token."""
        self._paint_lines(painter, 0, len(self._line_starts) - 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        first, last = event.rect().top() // self._line_height, event.rect().bottom() // self._line_height
        self._paint_lines(painter, first, last)
        painter.end()

    def _paint_lines(self, painter: QPainter, first: int, last: int) -> None:
        if not self.pieces or first >= len(self._line_starts):
            return
        start = self._line_starts[max(first, 0)]
        stop = self._line_starts[last + 1] if last + 1 < len(self._line_starts) else len(self.pieces)
        font, small = mono_font(), mono_font(small=True)
        painter.setFont(font)
        for index in range(start, stop):
            self._paint_piece(painter, index)
        if self.show_ids:
            painter.setFont(small)
            painter.setPen(QColor(theme().muted))
            for piece in self.pieces[start:stop]:
                if piece.id is not None:
                    box = QRectF(piece.x, piece.line * self._line_height + LINE - 2, piece.width, IDS)
                    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(piece.id))

    def _paint_piece(self, painter: QPainter, index: int) -> None:
        t, piece, box = theme(), self.pieces[index], self._box(index)
        fill = self._fill(piece)
        framed = index in (self.selection, self._hovered)
        painter.setPen(QColor(t.accent if framed else t.border) if framed or piece.special else Qt.PenStyle.NoPen)
        painter.setBrush(fill if fill is not None else Qt.BrushStyle.NoBrush)
        if fill is not None or framed or piece.special:
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        painter.setPen(QColor(t.muted if piece.special and fill is None else t.text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, piece.text)

    def _fill(self, piece: Piece) -> QColor | None:
        t = theme()
        if piece.category is not None:
            return mix(t.surface, t.series[piece.category % len(t.series)], 0.28)
        if piece.value is not None and piece.value == piece.value:
            return mix(t.surface, t.accent, SHADE * min(max(piece.value, 0.0), 1.0))
        return None

    def _box(self, index: int) -> QRectF:
        piece = self.pieces[index]
        return QRectF(piece.x, piece.line * self._line_height + 2, piece.width, LINE - 4)

    # Reacting

    def index_at(self, point: QPointF) -> int | None:
        """The token under a point."""
        line = int(point.y() // self._line_height)
        if not self.pieces or not 0 <= line < len(self._line_starts):
            return None
        start = self._line_starts[line]
        stop = self._line_starts[line + 1] if line + 1 < len(self._line_starts) else len(self.pieces)
        index = bisect_right(self.pieces, point.x(), start, stop, key=lambda piece: piece.x) - 1
        return index if index >= start and point.x() <= self.pieces[index].x + self.pieces[index].width else None

    def describe(self, index: int) -> str:
        """One token in words, for the tool tip and for readers of the screen."""
        piece = self.pieces[index]
        parts = [f"{index}: {piece.text}"]
        if piece.id is not None:
            parts.append(f"id {piece.id}")
        if piece.value is not None:
            parts.append(units.percent(piece.value))
        return " · ".join(parts)

    def _point_at(self, index: int | None) -> None:
        if index != self._hovered:
            self._hovered = index
            self.setToolTip("" if index is None else self.describe(index))
            self.hovered.emit(-1 if index is None else index)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point_at(self.index_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self._point_at(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.index_at(event.position())
        if index is not None and event.button() == Qt.MouseButton.LeftButton:
            self.select(index)
            self.clicked.emit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if self.pieces and event.key() in steps:
            index = 0 if self.selection is None else self.selection + steps[Qt.Key(event.key())]
            index = min(max(index, 0), len(self.pieces) - 1)
            self.select(index)
            reveal(self, self._box(index))
            self.hovered.emit(index)
        elif self.selection is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit(self.selection)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: Any) -> None:
        if self.selection is None and self.pieces and event.reason() != Qt.FocusReason.MouseFocusReason:
            self.select(0)
