"""The design outlives the window: it is kept in a file of the workspace, a moment after each change."""

import tomllib
from contextlib import suppress
from pathlib import Path

import tomli_w
from PySide6.QtCore import QObject, QTimer

from app.draft import Draft
from app.widgets.export import write_atomically
from tfmcore.config import Config, UserError
from tfmcore.config.config import Raw

DELAY_MS = 500


class KeptDraft(QObject):
    """Restores the draft from `path`, where there is one that can be read, and writes it there from then on."""

    def __init__(self, draft: Draft, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._draft, self._path = draft, path
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self.write)
        if raw := read(path):
            draft.restore(raw)
        self._written = draft.raw
        draft.changed.connect(self._timer.start)

    def write(self) -> None:
        """Write it now; where the workspace cannot be written, it lasts until the window closes."""
        self._timer.stop()
        with suppress(UserError):
            write_atomically(self._path, tomli_w.dumps(self._draft.raw).encode())
            self._written = self._draft.raw

    def close(self) -> None:
        """Write what has not been written yet, or could not be."""
        if self._written is not self._draft.raw:
            self.write()


def read(path: Path) -> Raw:
    """What a file holds of the options that there are; nothing where it cannot be read."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    fields = {name: field.annotation.model_fields for name, field in Config.model_fields.items()}  # type: ignore[union-attr]
    sections = {name: section for name, section in found.items() if name in fields and isinstance(section, dict)}
    return {name: {k: v for k, v in section.items() if k in fields[name]} for name, section in sections.items()}
