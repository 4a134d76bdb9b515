"""Saves what a widget shows: PNG at twice its size, SVG from the same painting, CSV and NPZ of its data."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QAction, QImage, QImageWriter, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from app.actions import make_action
from app.background import in_background
from app.theme import icon, theme
from app.widgets.file_dialogs import ask_where
from tfmcore.config import UserError

if TYPE_CHECKING:
    import numpy as np

Paint = Callable[[QPainter, QSizeF], None]
"""Paints the whole figure into (0, 0, width, height)."""
Content = Callable[[], bytes]
"""Makes a file's content of what has been gathered, in any thread."""
PNG_SCALE = 2.0
TITLES = {"png": "PNG image", "svg": "SVG drawing", "csv": "CSV table", "npz": "NumPy arrays"}


class Exporter(QObject):
    """Gives a widget its export actions; `failed` carries one sentence, `exported` the file's path.

    Figures are painted and data gathered in the window's thread, files are made of them in another. So what `table` and
    `arrays` give must not change with the widget.
    """

    exported = Signal(str)
    failed = Signal(str)

    def __init__(
        self,
        widget: QWidget,
        *,
        name: str,
        paint: Paint,
        size: Callable[[], QSize] | None = None,
        table: Callable[[], Iterable[Sequence[object]]] | None = None,
        arrays: Callable[[], dict[str, np.ndarray]] | None = None,
    ) -> None:
        super().__init__(widget)
        self.widget, self.name = widget, name
        self._paint, self._size, self._table, self._arrays = paint, size or widget.size, table, arrays
        self.formats = ("png", "svg", *(["csv"] if table else []), *(["npz"] if arrays else []))
        self.actions = [self._action(suffix) for suffix in self.formats]
        widget.addActions(self.actions)
        widget.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    def save(self, path: str | Path) -> Path:
        """Write the figure in the format of `path`'s suffix, whole or not at all.

        Raises UserError if the suffix is none of `formats` or the file cannot be written.
        """
        return self._writer(Path(path))()

    def button(self, *, object_name: str, parent: QWidget | None = None) -> QToolButton:
        """A quiet button whose menu offers every format."""
        button = QToolButton(parent, toolTip="Export", accessibleName=f"Export {self.name}", objectName=object_name)
        button.setProperty("kind", "quiet")
        button.setIcon(icon("download", "muted"))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.addActions(self.actions)
        button.setMenu(menu)
        return button

    def _action(self, suffix: str) -> QAction:
        return make_action(self, f"export_{suffix}", f"Export as {TITLES[suffix]}…", lambda: self._ask(suffix))

    def _ask(self, suffix: str) -> None:
        kinds = f"{TITLES[suffix]} (*.{suffix})"
        ask_where(self.widget, f"Export {self.name}", f"{self.name}.{suffix}", self._on_file_selected, kinds, suffix)

    def _on_file_selected(self, path: str) -> None:
        try:
            write = self._writer(Path(path))
        except UserError as error:
            self._on_failed(error)
        else:
            in_background(self, write, lambda saved: self.exported.emit(str(saved)), self._on_failed)

    def _on_failed(self, error: Exception) -> None:
        self.failed.emit(str(error))

    def _writer(self, path: Path) -> Callable[[], Path]:
        """What is shown now, to be written by any thread."""
        prepare = {"png": self._png, "svg": self._svg, "csv": self._csv, "npz": self._npz}
        suffix = path.suffix.lower().lstrip(".")
        if suffix not in self.formats:
            names = ", ".join(f".{name}" for name in self.formats)
            raise UserError(f"{path.name} cannot be exported: name a file that ends in one of {names}.")
        content = prepare[suffix]()

        def write() -> Path:
            write_atomically(path, content())
            return path

        return write

    def _png(self) -> Content:
        size = self._size()
        image = QImage(size * PNG_SCALE, QImage.Format.Format_ARGB32_Premultiplied)
        image.setDevicePixelRatio(PNG_SCALE)
        image.fill(theme().surface)
        self._draw(image, size)
        return lambda: _bytes(lambda device: QImageWriter(device, QByteArray(b"png")).write(image))

    def _svg(self) -> Content:
        size = self._size()

        def write(device: QBuffer) -> None:
            generator = QSvgGenerator()
            generator.setOutputDevice(device)
            generator.setSize(size)
            generator.setViewBox(QRectF(0, 0, size.width(), size.height()))
            generator.setResolution(96)
            generator.setTitle(self.name)
            self._draw(generator, size)

        drawn = _bytes(write)
        return lambda: drawn

    def _draw(self, device: QImage | QSvgGenerator, size: QSize) -> None:
        painter = QPainter(device)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        painter.fillRect(QRectF(0, 0, size.width(), size.height()), theme().surface)
        self._paint(painter, QSizeF(size))
        painter.end()

    def _csv(self) -> Content:
        assert self._table is not None
        return partial(csv_bytes, self._table())

    def _npz(self) -> Content:
        assert self._arrays is not None
        return partial(npz_bytes, self._arrays())


def csv_bytes(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as UTF-8 CSV with a byte-order mark, which spreadsheets need to show other scripts."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    for row in rows:  # a loop of Python, which lets other threads have their turn
        writer.writerow(row)
    return stream.getvalue().encode("utf-8-sig")


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Arrays as a compressed .npz without pickles."""
    import numpy as np

    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step; raises UserError with one sentence if that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(f"{path} could not be written: {(error.strerror or str(error)).lower()}.") from error


def _bytes(write: Callable[[QBuffer], object]) -> bytes:
    content = QByteArray()
    buffer = QBuffer(content)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    write(buffer)
    buffer.close()
    return bytes(content.data())
