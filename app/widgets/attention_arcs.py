"""Two columns of tokens joined by lines as strong as the attention, a colour a head (after BertViz's head view)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QWidget

from app.theme import GRID, mono_font, theme, translucent
from app.widgets.export import Exporter
from app.widgets.tokens import is_special, visible
from tfmcore import units

ROW, SQUARE, HEADER = 20, 14, 32
MAX_TOKEN, MAX_LINES, SHADES = 140.0, 2000, 16
MOST_SAID = 3
Token = tuple[str, int]
"""("row" or "col", index)"""


class AttentionArcs(QAbstractScrollArea):
    """Click a head's square to toggle it, double-click to see it alone; hover a token to see its lines, click to lock.

    Signals: `token_hovered((side, index) or None)`, `token_locked(…)`, `heads_changed([head, …])`.
    """

    token_hovered = Signal(object)
    token_locked = Signal(object)
    heads_changed = Signal(list)

    def __init__(self, parent: QWidget | None = None, *, threshold: float = 0.02, **properties: Any) -> None:
        super().__init__(parent, **({"accessibleName": "Attention as lines"} | properties))
        self.threshold = threshold
        self.weights = np.zeros((0, 0, 0), dtype=np.float32)
        self.tokens: dict[str, list[str]] = {"row": [], "col": []}
        self.active: np.ndarray = np.zeros(0, dtype=bool)
        self.locked: Token | None = None
        self._hovered: Token | None = None
        self._column = 0.0
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.verticalScrollBar().setSingleStep(ROW)
        self.exporter = Exporter(
            self, name="attention lines", paint=self.paint_figure, size=self._figure_size, table=self.table
        )

    def set_weights(self, weights: np.ndarray, row_tokens: Sequence[str], col_tokens: Sequence[str]) -> None:
        """Show (H, T, S) weights of T queries (left) on S keys (right); as many heads as before stay as toggled.

        Raises ValueError if shapes and tokens do not agree.
        """
        weights = np.asarray(weights, dtype=np.float32)
        if weights.shape[1:] != (len(row_tokens), len(col_tokens)):
            raise ValueError(f"weights of shape {weights.shape} need {weights.shape[1]} and {weights.shape[2]} tokens")
        self.weights = np.nan_to_num(weights)
        self.tokens = {"row": [visible(token) for token in row_tokens], "col": [visible(token) for token in col_tokens]}
        if len(self.active) != len(weights):
            self.active = np.ones(len(weights), dtype=bool)
        self.locked = self._hovered = None
        self._say()
        metrics = QFontMetricsF(mono_font())
        widest = max((metrics.horizontalAdvance(t) for t in set(self.tokens["row"] + self.tokens["col"])), default=0.0)
        self._column = min(widest, MAX_TOKEN) + 2 * GRID
        self._arrange()

    def set_heads(self, heads: Sequence[int]) -> None:
        """Show only these heads' lines."""
        self.active = np.isin(np.arange(len(self.weights)), heads)
        self._say()
        self.heads_changed.emit([int(head) for head in heads])
        self.viewport().update()

    def toggle_head(self, head: int) -> None:
        """Show or hide one head's lines; the keys 1 to 9 do the same."""
        self.set_heads(np.flatnonzero(self.active ^ (np.arange(len(self.active)) == head)).tolist())

    def lock(self, token: Token | None) -> None:
        """Keep one token's lines on show; None lets go."""
        self.locked = token
        self._say()
        self.token_locked.emit(token)
        self.viewport().update()

    def _say(self) -> None:
        """The locked token and where most of its attention goes to or comes from, for those who hear it."""
        side, at = self.locked or ("row", -1)
        if not 0 <= at < len(self.tokens[side]):  # none, or one of another part of a long text
            self.setAccessibleDescription(f"{len(self.weights)} heads, {len(self.tokens['row']):,} tokens")
            return
        shown = self.weights[self.active]
        mean = (shown[:, at, :] if side == "row" else shown[:, :, at]).mean(axis=0) if len(shown) else np.zeros(0)
        other, way = ("col", "to") if side == "row" else ("row", "from")
        most = np.argsort(-mean)[:MOST_SAID].tolist()
        found = ", ".join(f"{way} {self.tokens[other][place]} {units.percent(float(mean[place]))}" for place in most)
        self.setAccessibleDescription(f"{at} {self.tokens[side][at]}: {found}")

    def table(self) -> Iterable[Sequence[object]]:
        heads, rows, columns = shown = np.nonzero(self.weights > self.threshold)
        tokens = [np.array(self.tokens[side], dtype=object)[at] for side, at in (("row", rows), ("col", columns))]
        head = ["head", "from", "from token", "to", "to token", "weight"]
        return chain([head], zip(heads + 1, rows, tokens[0], columns, tokens[1], self.weights[shown], strict=True))

    def head_colour(self, head: int) -> str:
        return theme().series[head % len(theme().series)]

    def sizeHint(self) -> QSize:
        return QSize(420, 440)

    def minimumSizeHint(self) -> QSize:
        return QSize(220, 120)

    # Painting

    def _figure_size(self) -> QSize:
        """The visible part for long inputs, everything for those that fit on a page."""
        rows = max(len(self.tokens["row"]), len(self.tokens["col"]))
        return QSize(
            self.viewport().width(), max(HEADER + rows * ROW + GRID if rows <= 200 else self.viewport().height(), 40)
        )

    def paint_figure(self, painter: QPainter, size: QSizeF) -> None:
        """Paint head squares, lines and tokens; on screen only the rows in view."""
        if not self.weights.size:
            return
        whole = size.height() > self.viewport().height()
        scroll = 0 if whole else self.verticalScrollBar().value()
        painter.save()
        painter.setClipRect(QRectF(0, HEADER, size.width(), size.height() - HEADER))
        painter.translate(0, HEADER - scroll)
        first, last = scroll // ROW, int((scroll + size.height() - HEADER) // ROW) + 1
        rows = range(first, min(last, len(self.tokens["row"])))
        columns = range(first, min(last, len(self.tokens["col"])))
        self._draw_shades(painter, size.width())
        self._draw_lines(painter, size.width(), rows)
        self._draw_tokens(painter, "row", rows, size.width())
        self._draw_tokens(painter, "col", columns, size.width())
        painter.restore()
        self._draw_heads(painter)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.viewport().rect(), QColor(theme().surface))
        self.paint_figure(painter, QSizeF(self.viewport().size()))
        if self.hasFocus():
            painter.setPen(QPen(QColor(theme().accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.viewport().rect().adjusted(0, 0, -1, -1))
        painter.end()

    def _draw_heads(self, painter: QPainter) -> None:
        for head in range(len(self.weights)):
            box = self._head_box(head)
            colour = self.head_colour(head)
            painter.setPen(QPen(QColor(colour), 1))
            painter.setBrush(QColor(colour) if self.active[head] else translucent(colour, 0.12))
            painter.drawRoundedRect(box, 2, 2)

    def _head_box(self, head: int) -> QRectF:
        pitch = min(SQUARE + 4.0, (self.viewport().width() - 2 * GRID) / max(len(self.weights), 1))
        return QRectF(GRID + head * pitch, (HEADER - SQUARE) / 2, pitch - 4.0, SQUARE)

    def _draw_shades(self, painter: QPainter, width: float) -> None:
        """Behind the tokens on the other side: how much of the chosen token's attention each has, a stripe a head."""
        token, heads = self._chosen(), np.flatnonzero(self.active)
        if token is None or not len(heads):
            return
        side, index = token
        shares = self.weights[heads, index, :] if side == "row" else self.weights[heads, :, index]
        other, stripe = "col" if side == "row" else "row", (self._column - GRID) / len(heads)
        left = (width - self._column + GRID / 2) if other == "col" else GRID / 2
        for at, row in np.argwhere(shares > self.threshold).tolist():
            colour = translucent(self.head_colour(int(heads[at])), min(float(shares[at, row]), 1.0) * 0.6)
            painter.fillRect(QRectF(left + at * stripe, row * ROW + 1, stripe, ROW - 2), colour)

    def _draw_lines(self, painter: QPainter, width: float, rows: range) -> None:
        heads, at_rows, at_columns, weights = self._lines(rows)
        pen_width = 1 if self._chosen() is None else 2  # thick pens cost ten times as much: only for few lines
        left, right = self._column, width - self._column
        shades = np.clip((weights * SHADES).astype(int), 0, SHADES - 1)
        for head in np.unique(heads).tolist():
            for shade in np.unique(shades[heads == head]).tolist():
                chosen = (heads == head) & (shades == shade)
                ends = zip(at_rows[chosen].tolist(), at_columns[chosen].tolist(), strict=True)
                painter.setPen(QPen(translucent(self.head_colour(head), (shade + 1) / SHADES), pen_width))
                painter.drawLines([QLineF(left, (r + 0.5) * ROW, right, (c + 0.5) * ROW) for r, c in ends])

    def _lines(self, rows: range) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Heads, rows, columns and weights of what to draw: above the threshold, from rows in view, the strongest."""
        token = self._chosen()
        if token is None:
            part, offset = self.weights[:, rows.start : rows.stop, :], (rows.start, 0)
        elif token[0] == "row":
            part, offset = self.weights[:, token[1] : token[1] + 1, :], (token[1], 0)
        else:
            part, offset = self.weights[:, :, token[1] : token[1] + 1], (0, token[1])
        heads, at_rows, at_columns = np.nonzero((part > self.threshold) & self.active[:, None, None])
        weights = part[heads, at_rows, at_columns]
        if len(weights) > MAX_LINES:
            strongest = np.argpartition(weights, -MAX_LINES)[-MAX_LINES:]
            heads, at_rows, at_columns = heads[strongest], at_rows[strongest], at_columns[strongest]
            weights = weights[strongest]
        return heads, at_rows + offset[0], at_columns + offset[1], weights

    def _draw_tokens(self, painter: QPainter, side: str, rows: range, width: float) -> None:
        t, font, chosen = theme(), mono_font(), self._chosen()
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        left = 0.0 if side == "row" else width - self._column + GRID
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignAbsolute
        flags |= Qt.AlignmentFlag.AlignRight if side == "row" else Qt.AlignmentFlag.AlignLeft
        for row in rows:
            token = self.tokens[side][row]
            colour = t.accent if chosen == (side, row) else t.muted if is_special(token) else t.text
            painter.setPen(QColor(colour))
            box = QRectF(left, row * ROW, self._column - GRID, ROW)
            painter.drawText(box, flags, metrics.elidedText(token, Qt.TextElideMode.ElideRight, self._column - GRID))

    # Reacting

    def _chosen(self) -> Token | None:
        return self._hovered or self.locked

    def _arrange(self) -> None:
        rows = max(len(self.tokens["row"]), len(self.tokens["col"]))
        page = self.viewport().height() - HEADER
        self.verticalScrollBar().setPageStep(page)
        self.verticalScrollBar().setRange(0, max(0, rows * ROW + GRID - page))
        self.viewport().update()

    def _head_at(self, point: QPointF) -> int | None:
        heads = range(len(self.weights))
        return next((head for head in heads if self._head_box(head).adjusted(-2, -4, 2, 4).contains(point)), None)

    def _token_at(self, point: QPointF) -> Token | None:
        if point.y() < HEADER:
            return None
        row = int((point.y() - HEADER + self.verticalScrollBar().value()) // ROW)
        side = (
            "row" if point.x() < self._column else "col" if point.x() > self.viewport().width() - self._column else ""
        )
        return (side, row) if side and row < len(self.tokens[side]) else None

    def _point_at(self, token: Token | None) -> None:
        if token != self._hovered:
            self._hovered = token
            self.token_hovered.emit(token)
            self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        head = self._head_at(event.position())
        self.viewport().setToolTip(
            "" if head is None else f"head {head + 1}: click to toggle, double-click to see it alone"
        )
        self._point_at(self._token_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self._point_at(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        head, token = self._head_at(event.position()), self._token_at(event.position())
        if head is not None:
            self.toggle_head(head)
        elif token is not None or self.locked is not None:
            self.lock(None if token == self.locked else token)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        head = self._head_at(event.position())
        if head is None:
            self.mousePressEvent(event)
            return
        others = np.delete(self.active, head)  # the first click has toggled this head, so only the others tell
        self.set_heads([head] if others.any() else list(range(len(self.active))))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.locked is not None:
            self.lock(None)
        elif 0 <= event.key() - Qt.Key.Key_1 < min(len(self.weights), 9):
            self.toggle_head(event.key() - Qt.Key.Key_1)
        elif event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and self.weights.size:
            step = 1 if event.key() == Qt.Key.Key_Down else -1
            side, row = self.locked or ("row", -1 if step > 0 else 1)
            row = min(max(row + step, 0), len(self.tokens[side]) - 1)
            bar = self.verticalScrollBar()
            bar.setValue(min(max(bar.value(), (row + 1) * ROW - bar.pageStep()), row * ROW))
            self.lock((side, row))
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right) and self.weights.size:
            side, row = ("row" if event.key() == Qt.Key.Key_Left else "col"), (self.locked or ("row", 0))[1]
            self.lock((side, min(row, len(self.tokens[side]) - 1)))
        else:
            super().keyPressEvent(event)
