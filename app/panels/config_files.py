"""Saving the designed config as .toml and opening one, without stopping the event loop."""

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.background import in_background
from app.session import Session
from app.titles import problem_words
from app.widgets.file_dialogs import ask_where, ask_which
from tfmcore.config import Config, ConfigError, UserError, load_config, to_toml

FILTER = "Config (*.toml)"


class ConfigFiles(QObject):
    """Asks for the file in a dialog that stops nothing; what fails is said in the one place for it."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._window = session, parent

    def ask_to_save(self) -> None:
        ask_where(self._window, "Save the config", self._session.workspace / "run.toml", self.save, FILTER, "toml")

    def ask_to_open(self) -> None:
        ask_which(self._window, "Open a config", self._session.workspace, self.open, FILTER)

    def save(self, path: str) -> None:
        """Write the draft to `path`; a draft with problems is refused, since nothing could open it."""
        config = self._session.draft.config
        if config is None:
            problem = self._session.draft.problems[0]
            self._session.notify(
                "error",
                f"The config cannot be saved yet: {problem_words(problem)}",
                holds=lambda: problem in self._session.draft.problems,
            )
            return
        in_background(self, lambda: _write(Path(path), config), self._on_saved, self._on_failed)

    def open(self, path: str) -> None:
        """Make the config in `path` the draft; undo brings the one before back."""
        in_background(self, lambda: load_config(Path(path)), self._on_opened, self._on_failed)

    def _on_opened(self, config: Config) -> None:
        self._session.draft.load(config)
        self._session.succeed("config")

    def _on_saved(self, path: Path) -> None:
        self._session.notify("info", f"The config is saved as {path}.")

    def _on_failed(self, error: Exception) -> None:
        until = self._session.until("config")
        match error:
            case ConfigError():
                more = len(error.problems) - 1
                words = f" (and {more} more, under Details)" if more else ""
                self._session.notify("error", str(error).splitlines()[0] + words, str(error), until)
            case UserError():
                self._session.notify("error", str(error), error.details, until)
            case OSError():
                self._session.notify("error", f"{error.filename} cannot be written: {error.strerror}.")
            case _:
                raise error


def _write(path: Path, config: Config) -> Path:
    path.write_text(to_toml(config, comments=True), encoding="utf-8")
    return path
