"""The first rows of the chosen data as the engine reads them, asked for anew whenever the choice changes."""

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QLabel, QStackedWidget, QTableView, QVBoxLayout, QWidget

from app.session import Session
from app.theme import GRID, theme
from app.widgets.empty_state import EmptyState
from tfmcore.config import TASKS, columns_of
from tfmcore.messages import AnyReply, Arrays, DataPreviewed, PreviewData, Refused

PAUSE_MS = 300
SHOWN, TOOLTIP = 300, 2000
"""Characters of a cell in the table and in its tooltip."""
CHARACTER, WIDEST = 7, 560
LEAST = 20 * GRID
"""A long column is at least so wide."""

Index = QModelIndex | QPersistentModelIndex


class RowsModel(QAbstractTableModel):
    """Rows of text; a column that plays a role of another name says so in its heading, and what is given and not to be
    predicted is muted."""

    def __init__(self) -> None:
        super().__init__()
        self.preview: DataPreviewed | None = None

    def show(self, preview: DataPreviewed | None) -> None:
        self.beginResetModel()
        self.preview = preview
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return len(self.preview.rows) if self.preview and not parent.isValid() else 0

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return len(self.preview.columns) if self.preview and not parent.isValid() else 0

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.TextAlignmentRole and orientation == Qt.Orientation.Horizontal:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        if not self.preview or role != Qt.ItemDataRole.DisplayRole:
            return None
        if orientation == Qt.Orientation.Vertical:
            return f"{section + 1:,}"
        column = self.preview.columns[section]
        of = self.preview.roles
        roles = [name for name in of if column in columns_of(name, of[name], self.preview.columns) and name != column]
        return f"{column}  ({', '.join(roles)})" if roles else column

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        assert self.preview is not None
        row = self.preview.rows[index.row()]
        text = row[index.column()] if index.column() < len(row) else ""
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return text[:SHOWN].replace("\n", " ↵ ")
            case Qt.ItemDataRole.ForegroundRole if self.preview.columns[index.column()] in columns_of(
                "prompt", self.preview.roles.get("prompt", ""), self.preview.columns
            ):
                return QColor(theme().muted)
            case Qt.ItemDataRole.ToolTipRole:
                return text[:TOOLTIP] + ("…" if len(text) > TOOLTIP else "")
        return None


class Preview(QWidget):
    """`previewed(DataPreviewed)` or `refused(sentence, fix)` follow each change of the data; older answers are ignored.
    `fix` holds the options that mend it."""

    previewed = Signal(object)
    refused = Signal(str, dict)
    file_wanted = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="preview")
        self._session = session
        self._asked_for: dict[str, Any] = {}
        self._request = 0
        self._model = RowsModel()
        self._table = QTableView(objectName="preview_table", accessibleName="First rows of the data", wordWrap=False)
        self._count, self._notices = (
            QLabel(objectName="preview_count"),
            QLabel(objectName="preview_notices", wordWrap=True),
        )
        self._no_file = EmptyState(
            icon_name="file-document-outline",
            heading="Choose a file",
            sentence="Drop a .txt, .csv, .tsv, .jsonl, .conll or SQuAD's .json file here, or its .gz.",
            action="Open file…",
            action_name="action_open_file_here",
            objectName="preview_empty",
        )
        self._no_rows = EmptyState(
            icon_name="table-off",
            heading="No rows to show",
            sentence="The reason is shown on the left.",
            action="Read again",
            action_name="action_read_again",
            objectName="preview_refused",
        )
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._lay_out()
        self._pause.timeout.connect(self._ask)
        self._no_file.action_triggered.connect(self.file_wanted)
        self._no_rows.action_triggered.connect(self._on_draft_changed)
        session.draft.changed.connect(self._on_draft_changed)

    def _lay_out(self) -> None:
        self._table.setModel(self._model)
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setTabKeyNavigation(False)
        self._table.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._table.verticalHeader().setDefaultSectionSize(26)
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.horizontalHeader().setHighlightSections(False)
        heading = QLabel("Data")
        heading.setProperty("role", "heading")
        self._count.setProperty("role", "muted")
        top = QHBoxLayout(spacing=2 * GRID)
        top.addWidget(heading)
        top.addWidget(self._count)
        top.addStretch(1)
        self._notices.setProperty("role", "small")
        self._stack = QStackedWidget()
        for widget in (self._table, self._no_file, self._no_rows):
            self._stack.addWidget(widget)
        column = QVBoxLayout(self, spacing=GRID)
        column.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        column.addLayout(top)
        column.addWidget(self._notices)
        column.addWidget(self._stack, 1)
        self._notices.hide()

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._on_draft_changed()

    def _on_draft_changed(self) -> None:
        """Ask only for another choice, while somebody looks, and where there is something to look at."""
        raw = self._session.draft.raw
        if not self.isVisible() or raw["data"] == self._asked_for:
            return
        self._request = 0
        if any(problem.field.startswith("data.") for problem in self._session.draft.problems):
            self._asked_for = {}
            self._pause.stop()
            needs_file = self._session.draft.value("data.source") == "file" and not self._session.draft.value(
                "data.path"
            )
            self._show_nothing(self._no_file if needs_file else self._no_rows)
            return
        self._pause.start()

    def _ask(self) -> None:
        data = self._session.draft.raw["data"]
        if any(data.get(name) != self._asked_for.get(name) for name in ("source", "path")):
            self._model.show(None)
            self._notices.hide()
        self._asked_for = data
        self._count.setText("reading …")
        architecture = TASKS[data.get("task", "language_modeling")].architectures[0]
        config = {"data": data, "model": {"architecture": architecture}}
        self._request = self._session.data_engine.ask(PreviewData, self._on_reply, panel="data", config=config)

    def _on_reply(self, reply: AnyReply, arrays: Arrays) -> None:
        if reply.id != self._request:
            return
        match reply:
            case DataPreviewed() if reply.rows:
                self._show_preview(reply)
                self.previewed.emit(reply)
            case DataPreviewed():
                self._refuse(" ".join(reply.notices) or "there are no examples", reply.fix)
            case Refused():
                self._refuse(reply.sentence, reply.fix)

    def _refuse(self, sentence: str, fix: dict[str, str]) -> None:
        """Nothing to show; the next change asks again, and so does coming back to the page."""
        self._asked_for = {}
        self._show_nothing(self._no_rows)
        self.refused.emit(sentence, fix)

    # ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _show_preview(self, preview: DataPreviewed) -> None:
        self._stack.setCurrentWidget(self._table)
        self._model.show(preview)
        self._share_room(preview)
        counted = "" if preview.examples is None else f"{preview.examples:,} examples"
        self._count.setText(counted or f"the first {len(preview.rows):,} rows")
        self._notices.setText("\n".join(preview.notices))
        self._notices.setVisible(bool(preview.notices))

    def _share_room(self, preview: DataPreviewed) -> None:
        """What short columns leave of the room is the long ones' in equal parts."""
        widths = {}
        for column in range(len(preview.columns)):
            longest = max((len(row[column]) for row in preview.rows[:20] if column < len(row)), default=0)
            width = max(longest, len(self._model.headerData(column, Qt.Orientation.Horizontal))) * CHARACTER + 3 * GRID
            widths[column] = min(width, WIDEST)
        room = self._table.viewport().width()
        for place, column in enumerate(sorted(widths, key=widths.__getitem__)):
            width = min(widths[column], max(room // (len(widths) - place), LEAST))
            self._table.setColumnWidth(column, width)
            room -= width

    def _show_nothing(self, instead: EmptyState) -> None:
        self._model.show(None)
        self._count.setText("")
        self._notices.hide()
        self._stack.setCurrentWidget(instead)
