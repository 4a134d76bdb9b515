"""The last runs on Home: a table of their state and a small loss curve; Enter or a click shows one."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from app.background import in_background
from app.history import Array
from app.loss_outline import loss_outline
from app.run_rows import COLUMNS, FACTS, RunRows
from app.run_watch import RunFacts
from app.session import Session
from app.theme import GRID
from app.widgets.spark_line import draw_spark_line

SHOWN = 6
ROW = 4 * GRID
WIDTHS = {"State": 15 * GRID, "Steps": 18 * GRID, "Curve": 20 * GRID, "Loss": 14 * GRID}


class CurveCell(QStyledItemDelegate):
    """Paints the outline of a run's loss, once it has been read."""

    def __init__(self, parent: "RecentRuns") -> None:
        super().__init__(parent)
        self.outlines: dict[str, tuple[Array, Array]] = {}

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        option.widget.style().drawPrimitive(
            QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, option.widget
        )
        facts: RunFacts = index.data(FACTS)
        if facts.id in self.outlines:
            draw_spark_line(painter, QRectF(option.rect.adjusted(GRID, 3, -GRID, -3)), self.outlines[facts.id])


class RecentRuns(QTableView):
    """`chosen` carries the run's id. A curve is read when it is first shown, and again as its run goes on."""

    chosen = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="recent_runs", accessibleName="Latest runs", showGrid=False, wordWrap=False)
        self._session = session
        self._read: dict[str, int] = {}
        self._rows = RunRows(session, self)
        self._curves = CurveCell(self)
        self._lay_out()
        self.clicked.connect(self._on_clicked)
        session.runs.changed.connect(self._show_runs)
        self._show_runs()

    def _lay_out(self) -> None:
        self.setModel(self._rows)
        self.setItemDelegateForColumn(COLUMNS.index("Curve"), self._curves)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        for policy in (self.setVerticalScrollBarPolicy, self.setHorizontalScrollBarPolicy):
            policy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionsClickable(False)
        for name, width in WIDTHS.items():
            header.resizeSection(COLUMNS.index(name), width)

    def _show_runs(self) -> None:
        """As tall as its rows; what nobody sees is not read."""
        facts = self._session.runs.facts[:SHOWN]
        self.setVisible(bool(facts))
        self._rows.show(facts)
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + ROW * len(facts) + 2)
        for run in facts if self.isVisible() else ():
            if self._read.get(run.id) != run.step:
                self._read[run.id] = run.step
                self._read_curve(run)

    def _read_curve(self, facts: RunFacts) -> None:
        in_background(
            self,
            lambda: (facts.id, loss_outline(facts.run)),
            self._on_outlined,
            lambda _error: None,  # a run that was deleted meanwhile has no curve
        )

    def showEvent(self, event: object) -> None:
        self._show_runs()

    def _on_outlined(self, found: tuple[str, tuple[Array, Array]]) -> None:
        self._curves.outlines[found[0]] = found[1]
        self.viewport().update()

    def _on_clicked(self, index: QModelIndex) -> None:
        self.chosen.emit(self._rows.rows[index.row()].id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self._on_clicked(self.currentIndex())
        else:
            super().keyPressEvent(event)
