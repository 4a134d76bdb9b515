"""A window on a workspace of its own, for as long as it is measured."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from app.session import Session
from app.theme import apply_theme
from app.window import MainWindow


@contextlib.contextmanager
def opened() -> Iterator[tuple[QApplication, Session, MainWindow]]:
    """Shown in the dark theme, on no screen unless QT_QPA_PLATFORM names one."""
    app = QApplication([])
    with tempfile.TemporaryDirectory() as workspace:
        session = Session(Path(workspace))
        apply_theme(app, "dark")
        window = MainWindow(session)
        window.show()
        yield app, session, window
        session.close()
