"""A picture of which process holds what: a card for each, in rows and columns where there are two kinds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QHelpEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.theme import GRID, body_font, mix, theme
from app.widgets.export import Exporter
from tfmcore.config.placement import Held

PADDING, TITLE, LINE, TRACK = 8, 20, 22, 4
LEAST_WIDTH, GREATEST_WIDTH = 104, 220
"""A card is as wide as its longest line, between these."""
AXIS, MORE = 18, 72
"""The height of the columns' names, which is the width of the rows' too; and the width of "… 60 more"."""
MOST_HEIGHT = 310
"""So much of the page the cards may take, but one row there always is."""
COLOURS = {"pipeline": 2, "tensor": 3, "fsdp": 5, "data": 0}
"""The colour of the series that stands for each kind."""


@dataclass(frozen=True)
class Card:
    """One process: `tip` says all of it."""

    title: str
    lines: Sequence[Held]
    tip: str = ""


@dataclass(frozen=True)
class Drawing:
    """Where everything stands: cards by rank, "… 60 more", names of columns and of rows."""

    cards: tuple[tuple[QRectF, int], ...] = ()
    more: tuple[tuple[QRectF, str], ...] = ()
    columns: tuple[tuple[QRectF, str], ...] = ()
    rows: tuple[tuple[QRectF, str], ...] = ()
    height: float = 0.0


class DeviceGrid(QWidget):
    """As high as its cards need at its width; those that are too many are counted instead."""

    def __init__(self, parent: QWidget | None = None, **properties: Any) -> None:
        super().__init__(parent, **({"accessibleName": "What each process holds"} | properties))
        self.axes: list[tuple[str, int]] = []
        self.drawing, self.brief = Drawing(), False
        self._card: Callable[[int], Card] = lambda rank: Card("", ())
        self._known: dict[int, Card] = {}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.exporter = Exporter(self, name="devices", paint=self.paint_figure, table=self._table)

    def set_cards(self, axes: Sequence[tuple[str, int]], card: Callable[[int], Card]) -> None:
        """One or two `axes`, as (name, number); `card` makes what is shown of a rank; the last axis counts fastest."""
        self.axes, self._card, self._known = list(axes), card, {}
        self._arrange()

    @property
    def num_processes(self) -> int:
        return math.prod(size for _, size in self.axes)

    def card(self, rank: int) -> Card:
        if rank not in self._known:
            self._known[rank] = self._card(rank)
        return self._known[rank]

    def card_at(self, point: QPointF) -> Card | None:
        return next((self.card(rank) for rect, rank in self.drawing.cards if rect.contains(point)), None)

    def sizeHint(self) -> QSize:
        return QSize(3 * GREATEST_WIDTH, round(self.drawing.height))

    def minimumSizeHint(self) -> QSize:
        return QSize(2 * LEAST_WIDTH, round(self.drawing.height))

    # ── where everything stands ──────────────────────────────────────────────────────────────────────────────────────

    def _arrange(self) -> None:
        if self.axes:
            self.drawing = self._in_a_row() if len(self.axes) == 1 else self._in_rows_and_columns()
        else:
            self.drawing = Drawing()
        shown = [self.card(rank) for _, rank in self.drawing.cards]
        room = min((rect.width() - 2 * PADDING for rect, _ in self.drawing.cards), default=0.0)
        metrics = QFontMetrics(body_font(small=True))
        self.brief = any(metrics.horizontalAdvance(line.sentence) > room for card in shown for line in card.lines)
        words = [f"{card.title}: {', '.join(line.sentence for line in card.lines)}" for card in shown]
        self.setAccessibleDescription("; ".join([*words, *(text for _, text in self.drawing.more)]))
        self.setFixedHeight(max(1, round(self.drawing.height)))
        self.update()

    def _card_size(self) -> tuple[float, float]:
        """The least width and the height of every card; those of the first and the last process have the longest lines
        of all, or nearly so."""
        cards = [self.card(0), self.card(self.num_processes - 1)]
        metrics = QFontMetrics(body_font(small=True))
        widest = max(metrics.horizontalAdvance(line.words) for card in cards for line in card.lines)
        height = TITLE + LINE * max(len(card.lines) for card in cards) + PADDING
        return min(max(widest + 2 * PADDING + 2, LEAST_WIDTH), GREATEST_WIDTH), height

    def _in_a_row(self) -> Drawing:
        """One kind: in as many rows as there is room for."""
        least, height = self._card_size()
        number = self.num_processes
        columns = min(number, _fitting(self.width(), least))
        rows = min(-(-number // columns), _fitting(MOST_HEIGHT, height))
        shown = number if number <= rows * columns else rows * columns - 1
        if shown == number:
            columns = -(-number // rows)
        width = (self.width() - GRID * (columns - 1)) / columns
        places = [
            QRectF(place % columns * (width + GRID), place // columns * (height + GRID), width, height)
            for place in range(shown + (shown < number))
        ]
        more = [(places[-1], f"… {number - shown:,} more")] if shown < number else []
        cards = list(zip(places, range(shown), strict=False))
        return Drawing(tuple(cards), tuple(more), height=places[-1].bottom() + 1)

    def _in_rows_and_columns(self) -> Drawing:
        """Two kinds: the processes of a row are neighbours."""
        least, height = self._card_size()
        (outer, num_rows), (inner, num_columns) = self.axes
        room = self.width() - AXIS
        columns = min(num_columns, _fitting(room, least))
        if columns < num_columns:
            columns = _fitting(room - MORE - GRID, least)
            room -= MORE + GRID
        rows = min(num_rows, _fitting(MOST_HEIGHT, height))
        width = (room - GRID * (columns - 1)) / columns
        lefts = [AXIS + column * (width + GRID) for column in range(columns)]
        tops = [AXIS + row * (height + GRID) for row in range(rows)]
        cards = [
            (QRectF(left, top, width, height), row * num_columns + column)
            for row, top in enumerate(tops)
            for column, left in enumerate(lefts)
        ]
        bottom, more = tops[-1] + height, []
        if columns < num_columns:
            beside = QRectF(lefts[-1] + width + GRID, AXIS, MORE, bottom - AXIS)
            more.append((beside, f"… {num_columns - columns:,} more"))
        if rows < num_rows:
            more.append((QRectF(AXIS, bottom, room, AXIS), f"… {num_rows - rows:,} more rows"))
            bottom += AXIS
        return Drawing(
            tuple(cards),
            tuple(more),
            tuple((QRectF(left, 0, width, AXIS), f"{inner} {n} of {num_columns:,}") for n, left in enumerate(lefts, 1)),
            tuple((QRectF(0, top, AXIS, height), f"{outer} {n} of {num_rows:,}") for n, top in enumerate(tops, 1)),
            bottom + 1,
        )

    # ── painting ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.paint_figure(painter, QSizeF(self.size()))
        painter.end()

    def paint_figure(self, painter: QPainter, size: QSizeF) -> None:
        """Paint all cards, with the names of their rows and columns."""
        t = theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for rect, rank in self.drawing.cards:
            _draw_card(painter, rect, self.card(rank), self.brief)
        painter.setFont(body_font(small=True))
        for rect, text in self.drawing.more:
            painter.setPen(QColor(t.muted))
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)
        for rect, text in self.drawing.columns:
            painter.setPen(_ink(self.axes[1][0]))
            painter.drawText(rect, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, text)
        for rect, text in self.drawing.rows:
            painter.save()
            painter.setPen(_ink(self.axes[0][0]))
            painter.translate(rect.bottomLeft())
            painter.rotate(-90)
            beside = QRectF(0, 0, rect.height(), rect.width())
            painter.drawText(beside, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, text)
            painter.restore()

    def _table(self) -> Iterable[Sequence[object]]:
        """All processes, for a file."""
        held = [", ".join(line.sentence for line in self._card(rank).lines) for rank in range(self.num_processes)]
        return [("process", "holds"), *enumerate(held, start=1)]

    # ── reacting ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def resizeEvent(self, event: QResizeEvent) -> None:
        if event.size().width() != event.oldSize().width():
            self._arrange()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            assert isinstance(event, QHelpEvent)
            card = self.card_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), card.tip if card else "", self)
            return True
        return super().event(event)


def _fitting(room: float, size: float) -> int:
    """How many of that size have room beside each other."""
    return max(1, int((room + GRID) // (size + GRID)))


def _draw_card(painter: QPainter, rect: QRectF, card: Card, brief: bool) -> None:
    """A line for each thing that is held, and a bar for its place in the whole, of which `brief` says no words."""
    t = theme()
    painter.setPen(QPen(QColor(t.border), 1))
    painter.setBrush(QColor(t.background))
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
    left, width = rect.left() + PADDING, rect.width() - 2 * PADDING
    middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
    painter.setFont(body_font(small=True, bold=True))
    painter.setPen(QColor(t.text))
    painter.drawText(QRectF(left, rect.top() + 2, width, TITLE - 2), middle, card.title)
    painter.setFont(body_font(small=True))
    for number, line in enumerate(card.lines):
        top = rect.top() + TITLE + number * LINE
        words = line.words if brief else line.sentence
        words = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, round(width) + 1)
        painter.setPen(QColor(t.text if line.kind else t.muted))
        painter.drawText(QRectF(left, top, width + 2, LINE - TRACK - 2), middle, words)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.hover))
        track = QRectF(left, top + LINE - TRACK - 2, width, TRACK)
        painter.drawRoundedRect(track, TRACK / 2, TRACK / 2)
        held = max((line.stop - line.start) * width, TRACK)
        begin = min(line.start * width, width - held)
        painter.setBrush(_colour(line.kind))
        painter.drawRoundedRect(QRectF(left + begin, track.top(), held, TRACK), TRACK / 2, TRACK / 2)


def _colour(kind: str) -> QColor:
    t = theme()
    return QColor(t.series[COLOURS[kind]]) if kind in COLOURS else mix(t.surface, t.muted, 0.55)


def _ink(kind: str) -> QColor:
    """A kind's colour, dark or light enough to be read."""
    t = theme()
    return mix(_colour(kind).name(), t.text, 0.5)
