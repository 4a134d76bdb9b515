"""Runs side by side: what came of each, and the options in which they differ; a click on a heading sorts by it."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import accumulate, islice
from operator import attrgetter
from pathlib import Path

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QSize, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.actions import PAGE, WIDGET, make_action
from app.run_rows import FACTS, matches
from app.run_watch import RunFacts
from app.session import Session
from app.sheet_rows import ASCENDING, FIRST, LOSS, SheetRows
from app.theme import GRID
from app.widgets.elided_label import ElidedLabel
from app.widgets.export import csv_bytes, write_atomically
from app.widgets.file_dialogs import ask_where
from tfmcore.config import UserError

WIDEST = 32 * GRID
DOT = 10
ROW = 4 * GRID
MEASURED = 40
"""A column is as wide as so many rows need: to look at hundreds takes longer than to type a letter of the filter."""
MOST_DRAWN = 8
"""So many curves have a colour each."""
MOST_FOLLOWED = 40
"""So many runs are followed for them, where a curve is the mean of several."""


class RunSheet(QWidget):
    """A row chooses its run, Enter shows it; of several rows, all are deleted, or wait in the queue. `looked_over` when
    other runs are shown or chosen, or more is known of them."""

    looked_over = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="run_sheet")
        self._session = session
        self._kept: set[str] = set()
        self.rows = SheetRows(session, self)
        self._filter = QLineEdit(objectName="field_filter_sheet", accessibleName="Filter the runs")
        self._filter.setPlaceholderText("Filter by name, state or task")
        self._filter.setClearButtonEnabled(True)
        self._filter.setMinimumWidth(14 * GRID)
        self._filter.setMaximumWidth(30 * GRID)
        self._words = ElidedLabel(objectName="sheet_words")
        self._words.setProperty("role", "muted")
        self.view = QTableView(objectName="sheet", accessibleName="Runs side by side", showGrid=False, wordWrap=False)
        queue = session.queue
        self._acts = {
            self._action(name, text, glyph, keys, act): is_for
            for name, text, glyph, keys, act, is_for in (
                ("queue_chosen", "Add to queue", "tray-plus", "Ctrl+Shift+A", queue.add, attrgetter("may_wait")),
                (
                    "unqueue_chosen",
                    "Remove from queue",
                    "tray-minus",
                    "Ctrl+Shift+X",
                    queue.remove,
                    attrgetter("place"),
                ),
                ("delete_chosen", "Delete", "trash-can-outline", "Delete", self._delete, _has_ended),
            )
        }
        finding = make_action(self, "find_in_sheet", "Find a run", self._find, "Ctrl+F", glyph="magnify", tone="muted")
        self._save = make_action(
            self, "save_sheet", "Save as CSV…", self._ask_where, "Ctrl+S", glyph="download", tone="muted"
        )
        self._join = make_action(
            self, "join_seeds", "Seeds as one", self._on_joined, "Ctrl+Alt+S", glyph="set-merge", tone="muted"
        )
        self._join.setCheckable(True)
        self._join.setChecked(session.settings.get("compare.join_seeds", False))
        self._join.setToolTip("Draw the mean of the runs that differ only in the seed")
        self._filter.addAction(finding, QLineEdit.ActionPosition.LeadingPosition)
        self.sorting = [
            make_action(self.view, name, text, partial(self._sort, step), keys)
            for name, text, step, keys in (
                ("sort_by_next", "Sort by the next column", 1, "Alt+Right"),
                ("sort_by_previous", "Sort by the column before", -1, "Alt+Left"),
                ("sort_other_way", "Sort the other way round", 0, "Alt+Down"),
            )
        ]
        self.acts = [finding, *self._acts, self._join, self._save]
        for action in (*self.acts, *self.sorting):
            action.setShortcutContext(WIDGET if action.shortcut() == QKeySequence("Delete") else PAGE)
        self._save.setIconText(self._save.text())  # Qt's own has no dots
        self._lay_out()
        self._filter.textChanged.connect(self._show_runs)
        self.view.activated.connect(lambda _: session.show_page("train"))
        session.runs.changed.connect(self._show_runs)
        session.run_changed.connect(self._on_run_changed)
        self.rows.modelAboutToBeReset.connect(self._keep_selection)
        self.rows.modelReset.connect(self._select_again)
        self.view.selectionModel().selectionChanged.connect(self._on_selection_changed)

    def _action(self, name: str, text: str, glyph: str, keys: str, act: Callable[..., None]) -> QAction:
        """Does `act` with those of the chosen runs that it is for."""

        def do() -> None:
            act(*filter(self._acts[action], self.chosen))

        action = make_action(self.view, name, text, do, keys, glyph=glyph, tone="muted")
        return action

    def _sort(self, step: int) -> None:
        """By a column so many further, or with 0 by the same one the other way round."""
        header = self.view.horizontalHeader()
        column, order = (header.sortIndicatorSection() + step) % header.count(), header.sortIndicatorOrder()
        header.setSortIndicator(column, order if step else Qt.SortOrder(1 - order.value))
        self.view.scrollTo(self.rows.index(0, column))

    def _find(self) -> None:
        self._filter.setFocus()
        self._filter.selectAll()

    def _lay_out(self) -> None:
        view = self.view
        view.setModel(self.rows)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        view.setTabKeyNavigation(False)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        view.addActions([*self._acts, *self.sorting])
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(ROW)
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setResizeContentsPrecision(MEASURED)
        header.setSortIndicator(FIRST.index(LOSS), ASCENDING)
        view.setSortingEnabled(True)
        header.sortIndicatorChanged.connect(lambda *_: view.scrollToTop())
        view.setIconSize(QSize(DOT, DOT))
        column = QVBoxLayout(self, spacing=GRID)
        column.setContentsMargins(0, 0, 0, GRID)
        above = QHBoxLayout(spacing=GRID)
        above.addWidget(self._filter, 3)
        above.addWidget(self._words)
        above.addStretch(1)
        for action in self.acts[1:]:
            button = QToolButton(objectName=action.objectName().replace("action", "button"))
            button.setProperty("kind", "quiet")
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setDefaultAction(action)
            action.visibleChanged.connect(lambda button=button: button.setVisible(button.defaultAction().isVisible()))
            above.addWidget(button)
        column.addLayout(above)
        column.addWidget(view, 1)

    @property
    def chosen(self) -> list[RunFacts]:
        selection = self.view.selectionModel().selection()  # the model's `selectedRows` asks about each cell
        ranges = [selection.at(number) for number in range(selection.count())]
        places = {row for each in ranges for row in range(each.top(), each.bottom() + 1)}
        return [self.rows.rows[row] for row in sorted(places)]

    @property
    def drawn(self) -> list[list[RunFacts]]:
        """Those of which there is room for curves: the chosen ones where they are several, else the first ones and the
        one that is chosen; together where they are a curve."""
        chosen, rows = {facts.id for facts in self.chosen}, self.rows.rows
        groups = self.rows.grouped(rows) if self._joins else [[facts] for facts in rows]
        theirs = [place for place, group in enumerate(groups) if any(facts.id in chosen for facts in group)]
        if len(chosen) > 1:
            return _followed(groups[place] for place in theirs)
        last = theirs[0] if theirs else 0
        return _followed([*groups[: MOST_DRAWN - 1], groups[last]] if last >= MOST_DRAWN else groups)

    @property
    def _joins(self) -> bool:
        return self._join.isChecked() and self.rows.has_repeats

    def _on_joined(self) -> None:
        self._session.settings.set("compare.join_seeds", self._join.isChecked())
        self._say()

    # ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _show_runs(self) -> None:
        if not self.isVisible():
            return
        bar = self.view.verticalScrollBar()
        place, before = bar.value(), self.rows.columns
        self.rows.show([each for each in self._session.runs.facts if matches(each, self._filter.text())])
        if self.rows.columns is not before:
            self.view.horizontalHeader().setSortIndicator(*self.rows.sorted_by)
            self.view.resizeColumnsToContents()
            self._fit_names()
        bar.setValue(place)
        self._say()

    def _fit_names(self) -> None:
        """As wide as they are, where the other columns leave the room."""
        room = self.view.viewport().width() - self.view.horizontalHeader().length() + self.view.columnWidth(0)
        wanted = max(self.view.sizeHintForColumn(0), self.view.horizontalHeader().sectionSizeHint(0))
        self.view.setColumnWidth(0, min(wanted, max(room, WIDEST)))

    def _say(self) -> None:
        """How many there are, and what can be done with those that are chosen."""
        runs, more, chosen = len(self.rows.rows), len(self.rows.options), self.chosen
        unlike = f"differ in {more} {'option' if more == 1 else 'options'}" if more else "differ in no option"
        none = "No run matches" if self._filter.text() else "No runs"
        words = f"{runs:,} runs {unlike}" if runs > 1 else "1 run" if runs else none
        self._words.setText(f"{words} · {len(chosen):,} chosen" if len(chosen) > 1 else words)
        self._join.setVisible(self.rows.has_repeats)
        self.rows.colour([[facts.id for facts in group] for group in self.drawn])
        self._save.setEnabled(runs > 0)
        for action, is_for in self._acts.items():
            can = any(map(is_for, chosen))
            action.setEnabled(can)
            action.setVisible(can)
        self.looked_over.emit()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show_runs()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_names()

    # ── choosing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _keep_selection(self) -> None:
        self._kept = {facts.id for facts in self.chosen}

    def _select_again(self) -> None:
        """After another order: what was chosen, or else the run that everybody sees."""
        ids = self._kept & {facts.id for facts in self.rows.rows} or {self._session.run_id}
        model, selection = self.view.selectionModel(), QItemSelection()
        for row, facts in enumerate(self.rows.rows):
            if facts.id in ids:
                selection.select(self.rows.index(row, 0), self.rows.index(row, len(self.rows.columns) - 1))
        self.view.setAutoScroll(False)  # what is sorted is read from its top
        current = self.rows.row_of(self._session.run_id)
        if current is not None:
            model.setCurrentIndex(self.rows.index(current, 0), QItemSelectionModel.SelectionFlag.NoUpdate)
        model.select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self.view.setAutoScroll(True)

    def _on_selection_changed(self) -> None:
        index = self.view.currentIndex()
        if index.isValid() and self.view.selectionModel().isSelected(index):
            self._session.choose_run(index.data(FACTS).id)
        self._say()

    def _on_run_changed(self) -> None:
        """Another was chosen elsewhere."""
        if self._session.run_id not in [facts.id for facts in self.chosen]:
            self._kept = set()
            self._select_again()
            self.view.scrollTo(self.view.currentIndex())

    # ── acting ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _delete(self, *chosen: RunFacts) -> None:
        self._session.delete_runs(chosen)

    def _ask_where(self) -> None:
        ask_where(self, "Save the runs", "runs.csv", self.save, "CSV table (*.csv)", "csv")

    def save(self, path: str) -> None:
        """Write what is shown to a file."""
        try:
            write_atomically(Path(path), csv_bytes(self.rows.table()))
        except UserError as error:
            self._session.notify("error", str(error))


def _followed(groups: Iterable[list[RunFacts]]) -> list[list[RunFacts]]:
    """The first of them that there are colours for, and no more than can be followed."""
    found = list(islice(groups, MOST_DRAWN))
    totals = accumulate(map(len, found))
    return [group for group, total in zip(found, totals, strict=True) if total <= MOST_FOLLOWED] or found[:1]


def _has_ended(facts: RunFacts) -> bool:
    return not facts.state.alive
