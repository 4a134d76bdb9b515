"""Dialogs that ask for a file or a folder without stopping the event loop, and are gone once they are closed."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget


def ask_where(
    owner: QWidget, title: str, proposed: Path | str, save: Callable[[str], object], kinds: str = "", suffix: str = ""
) -> QFileDialog:
    """Ask where to save something; `kinds` are those of Qt's filters, and `suffix` is what a name without one gets."""
    dialog = _dialog(owner, title, proposed, kinds)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(suffix)
    dialog.fileSelected.connect(save)
    dialog.open()
    return dialog


def ask_which(
    owner: QWidget,
    title: str,
    folder: Path | str,
    use: Callable[[str], object],
    kinds: str = "",
    mode: QFileDialog.FileMode = QFileDialog.FileMode.ExistingFile,
) -> None:
    """Ask for a file that is there, or for a folder."""
    dialog = _dialog(owner, title, folder, kinds)
    dialog.setFileMode(mode)
    dialog.fileSelected.connect(use)
    dialog.open()


def ask_which_ones(
    owner: QWidget, title: str, folder: Path | str, use: Callable[[Sequence[str]], object], kinds: str = ""
) -> None:
    """Ask for files that are there."""
    dialog = _dialog(owner, title, folder, kinds)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
    dialog.filesSelected.connect(use)
    dialog.open()


def _dialog(owner: QWidget, title: str, start: Path | str, kinds: str) -> QFileDialog:
    dialog = QFileDialog(owner, title, str(start), kinds)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return dialog
