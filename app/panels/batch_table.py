"""The first batch as the model sees it: the tokens that go in, what must come out, and what is hidden."""

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QFontMetrics
from PySide6.QtWidgets import QAbstractItemView, QTableView

from app.bidirectional import isolated
from app.theme import GRID, mix, mono_font, theme
from app.widgets.tokens import is_special, visible
from tfmcore.messages import ShownSequence

PADDING = 3 * GRID
"""What a cell takes beside its text."""
MOST_COLUMNS, WIDEST = 512, 160

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Line:
    """One row: the tokens that go in, or (`ids` empty) those that must come out."""

    title: str
    tokens: list[str]
    ids: list[int]
    masked: frozenset[int] = frozenset()


def lines(sequences: list[ShownSequence]) -> list[Line]:
    """Two rows for a sequence with targets, else one; a label stands in the title."""
    rows = []
    for sequence in sequences:
        title = sequence.name + (f" · label {isolated(sequence.label)}" if sequence.label else "")
        rows.append(Line(title, sequence.tokens, sequence.ids, frozenset(sequence.masked)))
        if any(sequence.targets):
            rows.append(Line("to predict", sequence.targets, [], frozenset(sequence.masked)))
    return rows


class BatchModel(QAbstractTableModel):
    """Rows of tokens by position."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Line] = []
        self.length = 0

    def show(self, sequences: list[ShownSequence]) -> None:
        self.beginResetModel()
        self.rows = lines(sequences)
        self.length = min(max((len(row.tokens) for row in self.rows), default=0), MOST_COLUMNS)
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else self.length

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return self.rows[section].title[:40] if orientation == Qt.Orientation.Vertical else str(section)
        if role == Qt.ItemDataRole.ToolTipRole and orientation == Qt.Orientation.Vertical:
            return self.rows[section].title
        return None

    def token(self, row: int, column: int) -> str:
        tokens = self.rows[row].tokens
        return visible(tokens[column]) if column < len(tokens) and tokens[column] else ""

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        line, column = self.rows[index.row()], index.column()
        token = self.token(index.row(), column)
        masked, t = column in line.masked, theme()
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return token
            case Qt.ItemDataRole.TextAlignmentRole:
                return Qt.AlignmentFlag.AlignCenter
            case Qt.ItemDataRole.BackgroundRole if token and (masked or not line.ids):
                return mix(t.surface, t.validation if line.ids else t.training, 0.22)
            case Qt.ItemDataRole.ForegroundRole if token and is_special(line.tokens[column]):
                return QColor(t.muted)
            case Qt.ItemDataRole.ToolTipRole if token:
                number = f" · id {line.ids[column]}" if column < len(line.ids) else " · to predict here"
                return f"{column}: {token}{number}" + (" · hidden from the model" if masked and line.ids else "")
        return None


class BatchTable(QTableView):
    """Scrolls sideways along the positions."""

    def __init__(self) -> None:
        super().__init__(objectName="first_batch", accessibleName="First batch as the model sees it")
        self._model = BatchModel()
        self.setModel(self._model)
        self.setFont(mono_font())
        self.setShowGrid(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().setDefaultSectionSize(24)
        self.horizontalHeader().setHighlightSections(False)
        self.verticalHeader().setHighlightSections(False)
        self.horizontalHeader().setMinimumSectionSize(24)
        self.setWordWrap(False)

    def show_batch(self, sequences: list[ShownSequence]) -> None:
        """Show sequences, each column as wide as its widest token."""
        self._model.show(sequences)
        metrics = QFontMetrics(mono_font())
        for column in range(self._model.length):
            widest = max(
                metrics.horizontalAdvance(self._model.token(row, column)) for row in range(len(self._model.rows))
            )
            self.setColumnWidth(column, min(max(widest + PADDING, 4 * GRID), WIDEST))
