"""Two tables of samples: the newest of each prompt, and all those of one prompt by their steps."""

from collections.abc import Sequence
from typing import Any, ClassVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QFontMetrics, QGuiApplication, QKeyEvent, QKeySequence, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from app.samples import RIGHT, WRONG, mark_of
from app.theme import GRID, mono_font, theme
from tfmcore.messages import Sampled

ROW = 26
SHOWN, TOOLTIP = 300, 2000
"""Of a text so many characters stand in a cell, and in its tooltip."""
PADDING = 3 * GRID
WIDTHS = {"": 4 * GRID, "Step": 10 * GRID}
WORDS = {RIGHT: "right", WRONG: "wrong"}
FULL = Qt.ItemDataRole.UserRole
"""All that the model wrote."""

Index = QModelIndex | QPersistentModelIndex


class SampleRows(QAbstractTableModel):
    """A sample a row; what is in it of a column."""

    columns: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self._samples: Sequence[Sampled] = ()

    def sample(self, row: int) -> Sampled:
        return self._samples[row]

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(self.columns[section])
        return None

    def _text(self, sample: Sampled, column: str) -> str:
        match column:
            case "Prompt":
                return sample.prompt
            case "Expected":
                return sample.expected
            case "Step":
                return f"{sample.step:,}"
        return mark_of(sample) if column == "" else sample.text

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        sample, column = self.sample(index.row()), self.columns[index.column()]
        text = self._text(sample, column)
        match role:
            case Qt.ItemDataRole.UserRole:
                return sample.text
            case Qt.ItemDataRole.DisplayRole:
                return text[:SHOWN].replace("\n", " ↵ ")
            case Qt.ItemDataRole.ToolTipRole if column == "":
                return WORDS.get(text)
            case Qt.ItemDataRole.AccessibleTextRole if column == "":
                return WORDS.get(text)
            case Qt.ItemDataRole.ToolTipRole if column != "Step":
                return text[:TOOLTIP] + ("…" if len(text) > TOOLTIP else "")
            case Qt.ItemDataRole.ForegroundRole if column == "" and text:
                return QColor(theme().good if text == RIGHT else theme().bad)
            case Qt.ItemDataRole.ForegroundRole if column == "Step":
                return QColor(theme().muted)
            case Qt.ItemDataRole.FontRole if column == "Step":
                return mono_font(small=True)
            case Qt.ItemDataRole.TextAlignmentRole:
                return _side(column)
        return None


class PromptRows(SampleRows):
    """The newest sample of each prompt."""

    columns = ("Prompt", "Expected", "", "Newest output", "Step")

    def show(self, newest: list[Sampled]) -> None:
        """A new prompt comes as a row more; only `reset` takes any away."""
        changed, more = len(self._samples), len(newest) - len(self._samples)
        if more > 0:
            self.beginInsertRows(QModelIndex(), changed, len(newest) - 1)
        self._samples = newest
        if more > 0:
            self.endInsertRows()
        if changed:
            self.dataChanged.emit(self.index(0, 0), self.index(changed - 1, len(self.columns) - 1))

    def reset(self) -> None:
        self.beginResetModel()
        self._samples = ()
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._samples)


class StepRows(SampleRows):
    """The samples of one prompt, the newest first."""

    columns = ("Step", "", "Output")

    def __init__(self) -> None:
        super().__init__()
        self._length = 0

    def show(self, answers: Sequence[Sampled]) -> None:
        """`answers`, oldest first, may grow: `grow` shows what has been added."""
        self.beginResetModel()
        self._samples, self._length = answers, len(answers)
        self.endResetModel()

    def grow(self) -> int:
        """How many rows have come above the others."""
        more = len(self._samples) - self._length
        if more:
            self.beginInsertRows(QModelIndex(), 0, more - 1)
            self._length = len(self._samples)
            self.endInsertRows()
        return more

    def row_of(self, step: int | None) -> int:
        """That of a step; the newest where there is none."""
        rows = (row for row in range(self._length) if step is not None and self.sample(row).step == step)
        return next(rows, 0)

    def sample(self, row: int) -> Sampled:
        return self._samples[self._length - 1 - row]

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else self._length


class MarkCell(QStyledItemDelegate):
    """Paints a mark in its colour also where its row is chosen."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        option.widget.style().drawPrimitive(
            QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, option.widget
        )
        painter.setPen(index.data(Qt.ItemDataRole.ForegroundRole) or QColor(theme().text))
        painter.setFont(option.font)
        painter.drawText(option.rect, Qt.AlignmentFlag.AlignCenter, index.data())


class SampleTable(QTableView):
    """Rows of one line, elided; the columns share the width by what the first rows need. Copying takes all that the
    model wrote there."""

    def __init__(self, rows: SampleRows, name: str, what: str) -> None:
        super().__init__(objectName=name, accessibleName=what, showGrid=False, wordWrap=False)
        self.rows = rows
        self.setModel(rows)
        self.setItemDelegateForColumn(rows.columns.index(""), MarkCell(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setMinimumSectionSize(0)

    def fit(self, *, marked: bool) -> None:
        """Give each column its width; those of right answers go where none is known."""
        columns = self.rows.columns
        for place, column in enumerate(columns):
            self.setColumnHidden(place, not marked and column in ("Expected", ""))
        there = [place for place in range(len(columns)) if not self.isColumnHidden(place)]
        texts = [place for place in there if columns[place] not in WIDTHS]
        fixed = {place: WIDTHS[columns[place]] for place in there if place not in texts}
        room = self.viewport().width() - sum(fixed.values())
        *others, output = texts
        wanted = [self._wanted(place) for place in others]
        # So that columns stay where they are whatever comes out: as long as what is expected, or as there is room.
        like = max(wanted[-1], room // len(texts)) if marked and wanted else room
        for place, width in [*fixed.items(), *zip([*others, output], shared([*wanted, like], room), strict=True)]:
            self.setColumnWidth(place, width)

    def _wanted(self, column: int) -> int:
        metrics = QFontMetrics(self.font())
        texts = [self.rows.index(row, column).data() for row in range(min(self.rows.rowCount(), 16))]
        texts.append(self.rows.columns[column])
        return max(metrics.horizontalAdvance(text) for text in texts) + PADDING

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit(marked=not self.isColumnHidden(self.rows.columns.index("")))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy) and self.currentIndex().isValid():
            QGuiApplication.clipboard().setText(self.currentIndex().data(FULL))
        else:
            super().keyPressEvent(event)


def shared(wanted: Sequence[int], room: int) -> list[int]:
    """Widths that fill `room`: short columns as wide as they want, the long ones equally wide; the last takes what is
    left."""
    widths, left = dict[int, int](), room
    for rank, place in enumerate(sorted(range(len(wanted)), key=lambda place: wanted[place])):
        widths[place] = min(wanted[place], left // (len(wanted) - rank))
        left -= widths[place]
    if widths:
        widths[len(wanted) - 1] += left
    return [max(widths[place], 0) for place in range(len(wanted))]


def _side(column: str) -> Qt.AlignmentFlag:
    sides = {"Step": Qt.AlignmentFlag.AlignRight, "": Qt.AlignmentFlag.AlignHCenter}
    return sides.get(column, Qt.AlignmentFlag.AlignLeft) | Qt.AlignmentFlag.AlignVCenter
