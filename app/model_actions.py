"""What one can do with models as a whole: open one, import, export or fine-tune it; the same in every menu."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QMenu, QToolButton, QWidget

from app.actions import make_action
from app.exchange import FORMATS
from app.session import Session
from app.theme import icon
from app.widgets.file_dialogs import ask_where, ask_which


class ModelActions(QObject):
    """`all` in the order of a menu; those that need an open model are grey without one. `owner` holds the dialogs."""

    def __init__(self, session: Session, owner: QWidget, *, shortcuts: bool = False) -> None:
        super().__init__(owner)
        self._session, self._owner, self._shortcuts = session, owner, shortcuts
        self._opened = [
            self._action("fine_tune_model", "Fine-tune on other data…", "tune", "Ctrl+Shift+F", self._fine_tune),
            self._action(
                "export_huggingface", "Export as a Hugging Face folder…", "export-variant", "Ctrl+E",
                lambda: self._ask_where("huggingface"),
            ),
            self._action("export_onnx", "Export as ONNX…", "export-variant", "Ctrl+Shift+E",
                         lambda: self._ask_where("onnx")),
        ]  # fmt: skip
        opening = [
            self._action(
                "open_model_folder", "Open a model folder…", "folder-open-outline", "Ctrl+O",
                lambda: ask_for_folder(owner, session, "Open a model folder"),
            ),
            self._action(
                "open_hugging_face", "Open Hugging Face folder…", "import", "Ctrl+I",
                lambda: ask_for_folder(owner, session, "Open a Hugging Face folder"),
            ),
        ]  # fmt: skip
        apart = QAction(self)
        apart.setSeparator(True)
        self.all = [*opening, apart, *self._opened]
        session.model_changed.connect(self._enable)
        self._enable()

    def button(self, name: str, tip: str) -> QToolButton:
        """A quiet button with these acts as its menu."""
        button = QToolButton(objectName=name, icon=icon("folder-open-outline"), toolTip=tip, accessibleName=tip)
        button.setProperty("kind", "quiet")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setMenu(QMenu(button))
        button.menu().addActions(self.all)
        return button

    def _action(self, name: str, text: str, glyph: str, keys: str, act: Callable[[], None]) -> QAction:
        return make_action(self, name, text, act, *([keys] if self._shortcuts else []), glyph=glyph)

    def _enable(self) -> None:
        for action in self._opened:
            action.setEnabled(self._session.model is not None)

    def _fine_tune(self) -> None:
        self._session.fine_tune(self._session.model_path)

    def _ask_where(self, form: str) -> None:
        """Ask for the name of a new folder without stopping the event loop."""
        name = Path(self._session.model_path).name
        dialog = ask_where(
            self._owner,
            f"Export as {FORMATS[form]}",
            self._session.workspace / f"{name}-{form}",
            lambda path: self._session.exchange.export_model(path, form),
        )
        dialog.setLabelText(QFileDialog.DialogLabel.FileName, "New folder:")


def ask_for_folder(owner: QWidget, session: Session, title: str) -> None:
    """Ask for a model's folder without stopping the event loop; one of another program is imported."""
    folder = session.settings.get("open.folder", str(session.workspace))
    ask_which(owner, title, folder, session.open_folder, mode=QFileDialog.FileMode.Directory)
