"""Runs side by side: what came of each, and the options in which they differ; a click on a heading sorts by it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.forms.field import tooltip, value_words
from app.run_rows import FACTS, RIGHT, RunRows, matches
from app.run_watch import RunFacts
from app.session import Session
from app.theme import GRID, body_font, icon
from app.widgets.export import csv_bytes, write_atomically
from app.widgets.file_dialogs import ask_where
from tfmcore import units
from tfmcore.config import Option, UserError, options

SIZE = 120 * GRID, 72 * GRID
WIDEST = 28 * GRID
ROW = 4 * GRID
ASCENDING = Qt.SortOrder.AscendingOrder

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Column:
    """`value` of a run is what is sorted by and written to a file, None where there is none; `words` say it."""

    name: str
    title: str
    value: Callable[[RunFacts], Any]
    words: Callable[[Any], str] = str
    tip: str = ""


LOSS = Column(
    "validation_loss",
    "Validation loss",
    lambda facts: facts.status.validation_loss if facts.status else None,
    units.number,
    "Of the last validation, in nats; the lowest of all is bold",
)
FIRST = Column("run", "Run", lambda facts: facts.label), LOSS
LAST = (
    Column(
        "training_loss", "Training loss", lambda facts: facts.status.loss if facts.status else None, units.number,
        "Smoothed, in nats",
    ),
    Column("steps", "Steps", lambda facts: facts.step, "{:,}".format),
    Column("state", "State", lambda facts: facts.words),
)  # fmt: skip
"""Of all runs; between them stand the options in which they differ."""


def differing(runs: Sequence[RunFacts]) -> list[Option]:
    """The options that are not the same in all runs whose config can be read."""
    configs, found = [facts.config for facts in runs if facts.config], list[Option]()
    for section in dict.fromkeys(option.section for option in options()) if configs else ():
        mine = getattr(configs[0], section)
        unlike = [theirs for config in configs[1:] if (theirs := getattr(config, section)) != mine]
        for option in options(section) if unlike else ():
            if any(getattr(theirs, option.name) != getattr(mine, option.name) for theirs in unlike):
                found.append(option)
    return found


def _column(option: Option) -> Column:
    def value(facts: RunFacts) -> Any:
        return getattr(getattr(facts.config, option.section), option.name) if facts.config else None

    return Column(option.path, option.title, value, lambda value: value_words(option, value), tooltip(option))


class SheetRows(RunRows):
    """Runs by `columns`, in the order that was asked for; those without a value come last in either direction."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(session, parent)
        self.columns = [*FIRST, *LAST]
        self.best = ""
        self._by, self._order = LOSS, ASCENDING

    def show(self, rows: list[RunFacts]) -> None:
        if {facts.id for facts in rows} != {facts.id for facts in self.rows}:
            self.beginResetModel()
            self.columns, self.rows = [*FIRST, *map(_column, differing(rows)), *LAST], []
            self._by = next((column for column in self.columns if column.name == self._by.name), LOSS)
            self.endResetModel()
        measured = [facts for facts in rows if LOSS.value(facts) is not None]
        before, self.best = self.best, min(measured, key=LOSS.value).id if measured else ""
        super().show(self._arranged(rows))
        if rows and self.best != before:
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(self.columns) - 1))

    @property
    def sorted_by(self) -> tuple[int, Qt.SortOrder]:
        """The column, and the direction."""
        return self.columns.index(self._by), self._order

    def sort(self, column: int, order: Qt.SortOrder = ASCENDING) -> None:
        self._by, self._order = self.columns[column], order
        super().show(self._arranged(self.rows))

    def _arranged(self, runs: list[RunFacts]) -> list[RunFacts]:
        def key(facts: RunFacts) -> Any:
            value = self._by.value(facts)
            return (0, value) if isinstance(value, int | float) else (1, self._by.words(value).casefold())

        known = [facts for facts in runs if self._by.value(facts) is not None]
        known.sort(key=key, reverse=self._order != ASCENDING)
        return known + [facts for facts in runs if self._by.value(facts) is None]

    def table(self) -> list[list[object]]:
        """Headings and values, the run's id first."""
        headings = ["id", *(column.name for column in self.columns)]
        return [headings, *([facts.id, *(column.value(facts) for column in self.columns)] for facts in self.rows)]

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = self.columns[section]
        return {Qt.ItemDataRole.DisplayRole: column.title, Qt.ItemDataRole.ToolTipRole: column.tip}.get(role)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        facts, column = self.rows[index.row()], self.columns[index.column()]
        value = column.value(facts)
        match role:
            case Qt.ItemDataRole.UserRole:
                return facts
            case Qt.ItemDataRole.DisplayRole:
                return units.NO_NUMBER if value is None else column.words(value)
            case Qt.ItemDataRole.ToolTipRole if column is FIRST[0]:
                return "\n".join(filter(None, (facts.label, facts.id, facts.exit.sentence if facts.exit else "")))
            case Qt.ItemDataRole.FontRole if facts.id == self.best:
                font = body_font()
                font.setBold(True)
                return font
            case Qt.ItemDataRole.TextAlignmentRole if isinstance(value, int | float) and not isinstance(value, bool):
                return RIGHT
        return None


class RunSheet(QDialog):
    """Beside the window, and as live as its list; a row chooses its run, Enter shows it."""

    def __init__(self, session: Session, parent: QWidget, wanted: str = "") -> None:
        super().__init__(parent, objectName="run_sheet", windowTitle="Runs side by side")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(*SIZE)
        self._session = session
        self.rows = SheetRows(session, self)
        self._filter = QLineEdit(wanted, objectName="field_filter_sheet", accessibleName="Filter the runs")
        self._filter.setPlaceholderText("Filter by name, state or task")
        self._filter.setClearButtonEnabled(True)
        self._words = QLabel(objectName="sheet_words", textFormat=Qt.TextFormat.PlainText)
        self._words.setProperty("role", "muted")
        self._save = QPushButton("Save as CSV…", objectName="action_save_sheet", icon=icon("download", "muted"))
        self._save.setProperty("kind", "quiet")
        self._save.setAutoDefault(False)
        self.view = QTableView(objectName="sheet", accessibleName="Runs side by side", showGrid=False, wordWrap=False)
        self._lay_out()
        self._filter.textChanged.connect(self._show_runs)
        self._save.clicked.connect(self._ask_where)
        self.view.activated.connect(lambda _: session.show_page("train"))
        session.runs.changed.connect(self._show_runs)
        session.run_changed.connect(self._on_run_changed)
        self.rows.modelReset.connect(self._select_chosen)
        self.view.selectionModel().selectionChanged.connect(self._on_selection_changed)
        self._show_runs()

    def _lay_out(self) -> None:
        view = self.view
        view.setModel(self.rows)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        view.setTabKeyNavigation(False)
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(ROW)
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setSortIndicator(FIRST.index(LOSS), ASCENDING)
        view.setSortingEnabled(True)
        header.sortIndicatorChanged.connect(lambda *_: view.scrollToTop())
        top = QHBoxLayout(spacing=GRID)
        top.addWidget(self._filter, 1)
        top.addWidget(self._words)
        top.addWidget(self._save)
        column = QVBoxLayout(self, spacing=GRID)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.addLayout(top)
        column.addWidget(view, 1)

    def _show_runs(self) -> None:
        bar = self.view.verticalScrollBar()
        place = bar.value() if self.isVisible() else 0
        before = self.rows.columns
        self.rows.show([each for each in self._session.runs.facts if matches(each, self._filter.text())])
        if self.rows.columns is not before:
            self.view.horizontalHeader().setSortIndicator(*self.rows.sorted_by)
            self.view.resizeColumnsToContents()
            self.view.setColumnWidth(0, min(self.view.columnWidth(0), WIDEST))
        bar.setValue(place)
        runs, more = len(self.rows.rows), len(self.rows.columns) - len(FIRST + LAST)
        unlike = f"differ in {more} {'option' if more == 1 else 'options'}" if more else "differ in no option"
        self._words.setText(f"{runs:,} runs {unlike}" if runs > 1 else "1 run" if runs else "No run matches")
        self._save.setEnabled(runs > 0)

    def _select_chosen(self) -> None:
        row = self.rows.row_of(self._session.run_id)
        if row is None:
            self.view.clearSelection()
        elif self.view.currentIndex().row() != row or not self.view.selectionModel().hasSelection():
            self.view.setAutoScroll(False)  # what is sorted is read from its top
            self.view.setCurrentIndex(self.rows.index(row, 0))
            self.view.setAutoScroll(True)

    def _on_run_changed(self) -> None:
        self._select_chosen()
        self.view.scrollTo(self.view.currentIndex())

    def _on_selection_changed(self) -> None:
        if chosen := self.view.selectionModel().selectedRows():
            self._session.choose_run(chosen[0].data(FACTS).id)

    def _ask_where(self) -> None:
        ask_where(self, "Save the runs", "runs.csv", self.save, "CSV table (*.csv)", "csv")

    def save(self, path: str) -> None:
        """Write what is shown to a file."""
        try:
            write_atomically(Path(path), csv_bytes(self.rows.table()))
        except UserError as error:
            self._session.notify("error", str(error))
