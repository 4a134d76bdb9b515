"""Data: what the model learns from, its first rows, how it becomes tokens, and the first batch as the model sees it."""

from pathlib import Path
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QSplitter, QVBoxLayout, QWidget

from app.page_keys import PageKeys
from app.panels.data_form import DataForm
from app.panels.prepared import Prepared
from app.panels.preview import Preview
from app.session import Session
from app.theme import theme


class DataPage(QWidget):
    """Takes files that are dropped anywhere on it."""

    help: ClassVar[str] = (
        "Choose what the model learns from: a built-in source, or a file of your own, which you may drop "
        "anywhere on this page (two parallel .txt files for translation). The task says what is learned; for a table, "
        "choose the column of each role; given a column of prompts, a decoder learns to write the text that follows "
        "each. The first rows are shown on the right. Prepare trains the tokenizer and turns everything into tokens: "
        "you then see how long the examples are compared with the model's context, a sample in coloured tokens with "
        "their ids (type your own), and the first batch as the model sees it: what goes in, what it must predict, what "
        "is hidden from it."
    )

    def __init__(self, session: Session) -> None:
        super().__init__(objectName="page_data", acceptDrops=True)
        self._session = session
        self._form, self._preview, self._prepared = DataForm(session), Preview(session), Prepared(session)
        self._drop_hint = QLabel("Drop to learn from this file", self, objectName="drop_hint")
        self._lay_out()
        self._preview.previewed.connect(self._form.show_preview)
        self._preview.refused.connect(self._form.show_refusal)
        self._prepared.wanted.connect(self._form.prepare)
        self._preview.file_wanted.connect(self._form.ask_for_file)
        PageKeys(
            self,
            (
                ("open_data_file", "Open a file to learn from", "Ctrl+Shift+O", self._form.ask_for_file),
                ("prepare_draft", "Prepare the data", "Ctrl+P", self._form.prepare),
                ("stop_preparing", "Stop preparing", "Ctrl+.", self._form.cancel),
            ),
        )

    def _lay_out(self) -> None:
        right = QSplitter(Qt.Orientation.Vertical, objectName="data_rows_splitter", childrenCollapsible=False)
        right.addWidget(self._preview)
        right.addWidget(self._prepared)
        across = QSplitter(Qt.Orientation.Horizontal, objectName="data_splitter", childrenCollapsible=False)
        across.addWidget(self._form)
        across.addWidget(right)
        across.setStretchFactor(1, 1)
        settings = self._session.settings
        for splitter, name, sizes in ((right, "data.rows", [280, 440]), (across, "data.splitter", [404, 776])):
            splitter.setSizes(settings.get(name, sizes))
            splitter.splitterMoved.connect(lambda *_, s=splitter, name=name: settings.set(name, s.sizes()))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(across)
        self._drop_hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._drop_hint.setProperty("role", "drop")
        self._drop_hint.hide()

    # ── dropping ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        urls = event.mimeData().urls()
        if any(url.isLocalFile() and not Path(url.toLocalFile()).is_dir() for url in urls):
            self._drop_hint.setStyleSheet(f"background: {theme().raised};")
            self._drop_hint.raise_()
            self._drop_hint.show()
            event.acceptProposedAction()
        else:
            event.ignore()  # a folder is a model, for the window to open

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._drop_hint.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self._drop_hint.hide()
        self._form.open_files([url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()])
        event.acceptProposedAction()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._drop_hint.setGeometry(self.rect())
        super().resizeEvent(event)
