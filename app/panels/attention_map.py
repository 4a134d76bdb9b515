"""The heat map of one head; of a long text a coarse one at first, and a finer one of the part that is zoomed into."""

import numpy as np
from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.capture import NOTHING, Capture
from app.question import Question
from app.session import Session
from app.theme import GRID
from app.widgets.heat_map import HeatMap
from tfmcore.messages import AnyReply, Arrays, AttentionViewed, ViewAttention

LEAST_CELLS, MOST_CELLS = 128, 1024
AXES = 80
"""Pixels that the tokens beside a map take, about."""
REFINE_MS = 250
FINER_FROM = 1.9
"""The zoom from which a coarse map is asked for anew."""

Range = tuple[int, int]


class AttentionMap(QWidget):
    """`row_pinned(token or None)` counts tokens, whatever the map's cells cover."""

    row_pinned = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="attention_map")
        self._session = session
        self._capture = NOTHING
        self._asked: tuple[Range, Range] = ((0, 0), (0, 0))
        self._row_edges, self._column_edges = np.zeros(1, np.int64), np.zeros(1, np.int64)
        self._row: int | None = None
        self._pooled = self._moved = False
        self._limits: tuple[float, float] | None = None
        self.map = HeatMap(name="attention", objectName="attention", accessibleName="Attention of one head")
        self._part = QLabel(objectName="attention_part", wordWrap=True)
        self._part.setProperty("role", "muted")
        self._whole = QPushButton("Whole map", objectName="action_whole_map", toolTip="0, or a double click")
        self._question = Question(session, "inspect_map", self)
        self._later = QTimer(self, singleShot=True, interval=REFINE_MS)
        self._lay_out()
        self.map.installEventFilter(self)
        self.map.row_pinned.connect(self._on_row_pinned)
        self._whole.clicked.connect(self.show_whole)
        self._later.timeout.connect(self._refine)
        self._question.replied.connect(self._on_replied)
        self._question.say_refusals()

    def _lay_out(self) -> None:
        line = QHBoxLayout(spacing=GRID)
        line.addWidget(self._part, 1)
        line.addWidget(self._whole)
        column = QVBoxLayout(self, spacing=GRID // 2)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(line)
        column.addWidget(self.map, 1)
        self._part.hide()
        self._whole.hide()

    # ── what is on show ──────────────────────────────────────────────────────────────────────────────────────────────

    def show_capture(self, capture: Capture) -> None:
        """Another text or another kind of attention: all of it, no row pinned."""
        self._capture, self._row = capture, None
        self.show_whole()

    def show_whole(self) -> None:
        self._ask((0, len(self._capture.facts.rows)), (0, len(self._capture.facts.columns)), moved=True)

    def show_head(self) -> None:
        """The session's head, or the mean of its layer, of the part on show."""
        self._ask(*self._asked, moved=False)

    def scale(self, largest: float | None) -> None:
        """The weight that has the last colour; None: the largest on show."""
        self._limits = None if largest is None else (0.0, largest)
        self.map.set_limits(self._limits)

    def pin_row(self, token: int | None) -> None:
        self._row = token
        self._pin()

    def clear(self) -> None:
        self._question.forget()
        self.map.clear()

    def _ask(self, rows: Range, columns: Range, *, moved: bool) -> None:
        self._asked, self._moved = (rows, columns), moved or self._moved
        head = self._session.head
        self._question.ask(
            ViewAttention,
            **self._capture.fields,
            layer=self._session.layer,
            heads=[] if head is None else [head],
            rows=rows,
            columns=columns,
            size=self._num_cells(),
        )

    def _num_cells(self) -> int:
        """As many as there are pixels for: of finer cells only a mean could be drawn, in which single weights drown."""
        pixels = (min(self.map.width(), self.map.height()) - AXES) * self.devicePixelRatioF()
        return min(max(int(pixels), LEAST_CELLS), MOST_CELLS)

    def _on_replied(self, reply: AnyReply, arrays: Arrays) -> None:
        if not isinstance(reply, AttentionViewed):
            return
        rows, columns = self._asked
        self._pooled = reply.pooled
        self._row_edges = arrays.get("row_edges", np.arange(rows[0], rows[1] + 1))
        self._column_edges = arrays.get("column_edges", np.arange(columns[0], columns[1] + 1))
        whole = (rows, columns) == ((0, len(self._capture.facts.rows)), (0, len(self._capture.facts.columns)))
        bins = (None, None) if whole and not self._pooled else (self._row_edges, self._column_edges)
        self.map.blockSignals(True)
        facts = self._capture.facts
        self.map.set_matrix(arrays["weights"][0], facts.rows, facts.columns, *bins, limits=self._limits)
        if self._moved:
            self._moved = False
            self.map.reset_view()
        self.map.blockSignals(False)
        self._pin()
        self._whole.setVisible(not whole)
        self._part.setText(self._words(rows, columns))
        self._part.setVisible(not whole or self._pooled)

    def _words(self, rows: Range, columns: Range) -> str:
        part = f"tokens {rows[0]:,}–{rows[1] - 1:,} × {columns[0]:,}–{columns[1] - 1:,}"
        if not self._pooled:
            return part
        size = int(max(np.diff(self._row_edges).max(), np.diff(self._column_edges).max()))
        return f"{part}, a cell shows the largest of {size} × {size} weights; zoom in for all"

    # ── the pinned row ───────────────────────────────────────────────────────────────────────────────────────────────

    def _pin(self) -> None:
        """Light the cell that covers the pinned token, without saying so."""
        cell = None
        if self._row is not None and self._row_edges[0] <= self._row < self._row_edges[-1]:
            cell = int(np.searchsorted(self._row_edges, self._row, "right")) - 1
        self.map.blockSignals(True)
        self.map.pin_row(cell if self.map.values.size else None)
        self.map.blockSignals(False)

    def _on_row_pinned(self, cell: int | None) -> None:
        self._row = None if cell is None else int(self._row_edges[cell])
        self.row_pinned.emit(self._row)

    # ── zooming ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The map zooms by itself; this asks for what it cannot know."""
        part = self._whole.isVisibleTo(self)
        match event:
            case QWheelEvent() if part and event.angleDelta().y() < 0 and self.map.view.zoom <= 1.0:
                self._widen()
                return True
            case QKeyEvent() if part and event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_0:
                self.show_whole()
            case _ if part and event.type() == QEvent.Type.MouseButtonDblClick:
                self.show_whole()
            case QWheelEvent() | QKeyEvent():
                self._later.start()
            case _ if event.type() == QEvent.Type.MouseButtonRelease:
                self._later.start()
        return super().eventFilter(watched, event)

    def _refine(self) -> None:
        """Ask for the visible part of a coarse map in full, or as finely as it can be shown."""
        if self._pooled and self.map.view.zoom >= FINER_FROM:
            rows, columns = self.map.view.visible()
            self._ask(_span(self._row_edges, rows), _span(self._column_edges, columns), moved=True)

    def _widen(self) -> None:
        """Show twice as much of both axes, around the same middle."""
        facts, (rows, columns) = self._capture.facts, self._asked
        self._ask(_twice(rows, len(facts.rows)), _twice(columns, len(facts.columns)), moved=True)


def _span(edges: np.ndarray, cells: range) -> Range:
    """The tokens that some cells cover."""
    return int(edges[cells.start]), int(edges[cells.stop])


def _twice(span: Range, length: int) -> Range:
    width = min(2 * (span[1] - span[0]), length)
    start = min(max((span[0] + span[1] - width) // 2, 0), length - width)
    return start, start + width
