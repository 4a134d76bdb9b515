"""Two buttons that copy a text and write it to a file."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from app.background import in_background
from app.session import Session
from app.theme import icon
from app.widgets.export import write_atomically
from app.widgets.file_dialogs import ask_where


class TextActs(QWidget):
    """`name` is what the text is called among those of its run."""

    def __init__(self, session: Session, name: str, text: Callable[[], str]) -> None:
        super().__init__()
        self._session, self._name, self._text = session, name, text
        copy = self._button("copy", "Copy", "content-copy")
        save = self._button("save", "Save as…", "download")
        row = QHBoxLayout(self, spacing=0)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(copy)
        row.addWidget(save)
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._text()))
        save.clicked.connect(self._on_save_clicked)

    def _button(self, act: str, text: str, glyph: str) -> QPushButton:
        button = QPushButton(text, objectName=f"action_{act}_{self._name}", icon=icon(glyph, "muted"))
        button.setProperty("kind", "quiet")
        return button

    def save(self, path: str) -> None:
        """Write the text as UTF-8; a failure is said in the one place."""
        content = self._text().encode()
        in_background(
            self,
            lambda: write_atomically(Path(path), content),
            lambda _: None,
            lambda error: self._session.notify("error", str(error)),
        )

    def _on_save_clicked(self) -> None:
        name = f"{self._session.run_id}-{self._name}.txt"
        ask_where(self, "Save as text", name, self.save, "Text (*.txt *.toml)")
