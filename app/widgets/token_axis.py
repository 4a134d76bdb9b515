"""The labels along one side of a map of tokens: thinned out when dense, elided when long, one of them emphasised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter

from app.theme import mono_font, theme
from app.widgets.tokens import is_special, visible

MAX_LENGTH = 112.0
GAP = 6.0


class TokenAxis:
    """Tokens, and the ranges of them that each cell covers where a map has been pooled.

    `bins` holds the first token of each cell and, last, the end: (cells + 1,) increasing integers.
    """

    def __init__(self, tokens: Sequence[str], cells: int, bins: Sequence[int] | np.ndarray | None = None) -> None:
        edges = np.arange(cells + 1) if bins is None else np.asarray(bins, dtype=np.int64)
        if len(edges) != cells + 1 or edges[-1] > len(tokens) or (np.diff(edges) <= 0).any():
            raise ValueError(f"{cells} cells need {cells + 1} increasing bin edges within {len(tokens)} tokens")
        self.tokens, self.edges, self.pooled = tuple(tokens), edges, bins is not None
        self.font = mono_font(small=True)
        self.metrics = QFontMetricsF(self.font)
        step = max(1, cells // 256)  # enough of a long axis to know how wide its labels are
        widths = [self.metrics.horizontalAdvance(self.label(cell)) for cell in range(0, cells, step)]
        self.length = min(max(widths, default=0.0), MAX_LENGTH)

    def label(self, cell: int) -> str:
        return visible(self.tokens[self.edges[cell]])

    def name(self, cell: int) -> str:
        """The cell in words: "12 ␣the", or of a pooled map "96–103 ␣the … ␣of"."""
        first, last = int(self.edges[cell]), int(self.edges[cell + 1]) - 1
        if first == last:
            return f"{first} {visible(self.tokens[first])}"
        return f"{first}–{last} {visible(self.tokens[first])} … {visible(self.tokens[last])}"

    def names(self) -> list[str]:
        """Every cell's token, or its range where pooled: the headings of an exported table."""
        if not self.pooled:
            return list(self.tokens)
        return [self.name(cell) for cell in range(len(self.edges) - 1)]

    def draw(self, painter: QPainter, cells: range, at: dict[int, QRectF], *, rotated: bool, strong: set[int]) -> None:
        """Draw the labels of `cells` into `at(cell)`; those in `strong` always and on top of their neighbours."""
        if not cells:
            return
        side = at[cells.start].width() if rotated else at[cells.start].height()
        step = _step(self.metrics.height() / max(side, 1e-6))
        painter.setFont(self.font)
        for cell in cells:
            if cell % step == 0 and cell not in strong:
                self._draw_label(painter, cell, at[cell], rotated, strong=False)
        for cell in strong.intersection(cells):
            self._draw_label(painter, cell, at[cell], rotated, strong=True)

    def _draw_label(self, painter: QPainter, cell: int, rect: QRectF, rotated: bool, strong: bool) -> None:
        t = theme()
        text = self.metrics.elidedText(self.label(cell), Qt.TextElideMode.ElideRight, MAX_LENGTH)
        height = self.metrics.height()
        painter.save()
        if rotated:
            painter.translate(rect.center().x(), rect.bottom())
            painter.rotate(-90)
            box = QRectF(0, -height / 2, rect.height(), height)
            flags = Qt.AlignmentFlag.AlignLeft
        else:
            box = QRectF(rect.left(), rect.center().y() - height / 2, rect.width(), height)
            flags = Qt.AlignmentFlag.AlignRight
        colour = t.accent if strong else t.muted if is_special(self.tokens[self.edges[cell]]) else t.text
        if strong:
            painter.fillRect(box, QColor(t.surface))
        painter.setPen(QColor(colour))
        # Absolute: right-to-left text would otherwise jump to the other side of its box.
        painter.drawText(box, flags | Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignAbsolute, text)
        painter.restore()


def _step(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 … that is at least `least`."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if step * factor >= least:
                return step * factor
        step *= 10
