"""A short table of what was found, best first: figures at the left, the text at the right, one row chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from app.theme import GRID, mono_font

ROW, MOST_ROWS = 26, 7
MIDDLE = Qt.AlignmentFlag.AlignVCenter
RIGHT = MIDDLE | Qt.AlignmentFlag.AlignRight


class Ranking(QTableWidget):
    """As tall as its rows, up to a limit; `chosen(row)` by mouse, keys and, for the first row, `set_rows`."""

    chosen = Signal(int)

    def __init__(self, figures: Sequence[str], title: str, parent: QWidget | None = None, **properties: Any) -> None:
        super().__init__(0, len(figures) + 1, parent, showGrid=False, **properties)
        for column, name in enumerate((*figures, title)):
            heading = QTableWidgetItem(name)
            heading.setTextAlignment(RIGHT if column < len(figures) else MIDDLE | Qt.AlignmentFlag.AlignLeft)
            self.setHorizontalHeaderItem(column, heading)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(len(figures), QHeaderView.ResizeMode.Stretch)
        for column in range(len(figures)):
            header.resizeSection(column, 11 * GRID)
        self.setStyleSheet(f"QTableWidget::item {{ padding: 0 {GRID}px; }}")
        self.currentCellChanged.connect(self._on_current_changed)
        self.set_rows([])

    def set_rows(self, rows: Sequence[Sequence[str]]) -> None:
        """Show (figure, …, text) rows and choose the first."""
        last = self.columnCount() - 1
        self.setCurrentCell(-1, -1)
        self.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                item = QTableWidgetItem(text)
                if column < last:
                    item.setFont(mono_font(small=True))
                    item.setTextAlignment(RIGHT)
                else:
                    item.setToolTip(text)
                self.setItem(number, column, item)
        shown = min(max(len(rows), 1), MOST_ROWS)
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + shown * ROW + 2)
        if rows:
            self.setCurrentCell(0, last)

    def _on_current_changed(self, row: int, _column: int, before: int, _: int) -> None:
        if row >= 0 and row != before:
            self.chosen.emit(row)
