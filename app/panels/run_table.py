"""The list of runs: two lines each, newest first, with a line to filter them by where they are many."""

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QSignalBlocker, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.actions import PAGE, make_action
from app.run_actions import RunActions
from app.run_rows import FACTS, RunRows, loss_of, matches, shorter, steps_words, tone
from app.run_watch import RunFacts
from app.session import Session
from app.theme import GRID, body_font, mono_font, theme

MANY = 8
"""From so many runs on there is a line to filter them by."""
ROW = 6 * GRID


class RunRow(QStyledItemDelegate):
    """Label and loss; below, small, the state in its colour and the steps; a thin bar while it is alive."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(20 * GRID, ROW)

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        editor.setGeometry(option.rect.adjusted(GRID // 2, GRID // 2, -GRID // 2, -GRID // 2))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        facts: RunFacts = index.data(FACTS)
        option.widget.style().drawPrimitive(
            QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, option.widget
        )
        t = theme()
        upper = QRect(option.rect.adjusted(GRID, 5, -GRID, 0))
        upper.setHeight(ROW // 2 - 4)
        lower = upper.translated(0, ROW // 2 - 4)
        loss = self._text(painter, upper, loss_of(facts).words, mono_font(small=True), t.text, right=True)
        name = upper.adjusted(0, 0, -loss - GRID, 0)
        painter.setFont(body_font())
        label = fitting(facts.label, _beside(index), painter.fontMetrics(), name.width())
        self._text(painter, name, label, body_font(), t.text)
        steps = self._text(painter, lower, steps_words(facts), mono_font(small=True), t.muted, right=True)
        state = lower.adjusted(0, 0, -steps - GRID, 0)
        self._text(painter, state, facts.words, body_font(small=True), getattr(t, tone(facts)))
        if facts.state.alive and facts.steps:
            done = QRect(option.rect.bottomLeft() - QPoint(0, 1), option.rect.bottomRight())
            done.setWidth(round(done.width() * min(facts.step / facts.steps, 1)))
            painter.fillRect(done, QColor(getattr(t, tone(facts))))

    def _text(self, painter: QPainter, rect: QRect, text: str, font: QFont, colour: str, *, right: bool = False) -> int:
        """Paint a line of text, elided to `rect`; its width."""
        painter.setFont(font)
        painter.setPen(QColor(colour))
        text = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        painter.drawText(rect, side | Qt.AlignmentFlag.AlignVCenter, text)
        return painter.fontMetrics().horizontalAdvance(text)


def fitting(label: str, others: Sequence[str], metrics: QFontMetrics, width: int) -> str:
    """The label, as short as it has to be; the shortest is cut."""
    found = label
    for found in shorter(label, others):
        if metrics.horizontalAdvance(found) <= width:
            return found
    return metrics.elidedText(found, Qt.TextElideMode.ElideRight, width)


def _beside(index: QModelIndex | QPersistentModelIndex) -> list[str]:
    """The labels of the rows above and below."""
    rows = (index.sibling(index.row() + step, 0) for step in (-1, 1))
    return [row.data(FACTS).label for row in rows if row.isValid()]


class RunTable(QWidget):
    """Selecting a row chooses the run for everybody; F2 renames it, the right button shows what else."""

    def __init__(self, session: Session, actions: RunActions) -> None:
        super().__init__(objectName="run_table")
        self._session = session
        self._rows = RunRows(session, self)
        self._filter = QLineEdit(objectName="field_filter_runs", accessibleName="Filter the runs")
        self._filter.setPlaceholderText("Filter by name, state or task")
        self._filter.setClearButtonEnabled(True)
        self.finding = make_action(
            self, "find_run", "Find a run", self._on_find, "Ctrl+F", glyph="magnify", tone="muted", scope=PAGE
        )
        self._filter.addAction(self.finding, QLineEdit.ActionPosition.LeadingPosition)
        self.list = QListView(objectName="run_list", accessibleName="Runs", uniformItemSizes=True)
        self.list.setModel(self._rows)
        self.list.setItemDelegate(RunRow(self.list))
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.list.addActions(actions.all)
        column = QVBoxLayout(self, spacing=GRID)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._filter)
        column.addWidget(self.list, 1)
        self._filter.textChanged.connect(lambda: self._show_runs(anew=True))
        self.list.selectionModel().selectionChanged.connect(self._on_selection_changed)
        actions.rename_wanted.connect(self._on_rename_wanted)
        session.runs.changed.connect(self._show_runs)
        session.run_changed.connect(self._select_chosen)
        self._show_runs(anew=True)

    def _on_find(self) -> None:
        self._filter.show()
        self._filter.setFocus()
        self._filter.selectAll()

    def _show_runs(self, *, anew: bool = False) -> None:
        facts = self._session.runs.facts
        self._filter.setVisible(len(facts) >= MANY or bool(self._filter.text()) or self._filter.hasFocus())
        show = self._rows.reset if anew else self._rows.show
        with QSignalBlocker(self.list.selectionModel()):  # where the chosen run goes, the view would choose another
            show([each for each in facts if matches(each, self._filter.text())])
        self._select_chosen()

    def _select_chosen(self) -> None:
        row = self._rows.row_of(self._session.run_id)
        if row is None:
            self.list.clearSelection()
        elif self.list.currentIndex().row() != row or not self.list.selectionModel().hasSelection():
            self.list.setCurrentIndex(self._rows.index(row, 0))

    def _on_selection_changed(self) -> None:
        if chosen := self.list.selectionModel().selectedIndexes():
            self._session.choose_run(self._rows.rows[chosen[0].row()].id)

    def _on_rename_wanted(self) -> None:
        if self._rows.row_of(self._session.run_id) is None:
            self._filter.clear()
        row = self._rows.row_of(self._session.run_id)
        if row is not None:
            self.list.scrollTo(self._rows.index(row, 0))
            self.list.edit(self._rows.index(row, 0))
