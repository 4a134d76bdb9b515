"""Models from and for other programs: importing a Hugging Face folder, exporting the open model; one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from app.engine_client import EngineClient
from tfmcore import units
from tfmcore.config import UserError
from tfmcore.config.saved import read_json
from tfmcore.messages import (
    AnyReply,
    Arrays,
    Cancelled,
    ExportModel,
    Imported,
    ImportModel,
    ModelExported,
    Progress,
    Refused,
)

if TYPE_CHECKING:
    from app.session import Session

FORMATS = {"huggingface": "Hugging Face folder", "onnx": "ONNX"}
MOST_NAMED = 2000


def is_foreign(path: str) -> bool:
    """Whether the folder looks like a Hugging Face model: its config.json names a `model_type` and is none of ours."""
    try:
        config = read_json(Path(path) / "config.json")
    except UserError:
        return False  # whoever opens it says what is wrong with it
    return isinstance(config, dict) and "model_type" in config and "format" not in config


class Exchange(QObject):
    """`running` says what is under way ("" for nothing), `progress` how far; `changed` with every change of them.

    What came of it is said by the session, with every name in the details; an imported model is then opened.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._engine: EngineClient = session.data_engine
        self._request = 0
        self._model = ""
        self.running = ""
        self.progress: Progress | None = None

    def import_folder(self, path: str) -> None:
        """Make a model folder of a Hugging Face folder and open it."""
        words = f"Importing {Path(path).name}"
        self._begin(words, self._session.data_engine, ImportModel, panel="import", path=path)

    def export_model(self, path: str, form: str) -> None:
        """Write the open model to the new folder `path` in one of FORMATS."""
        self._model = self._session.model_path
        words = f"Exporting {Path(path).name}"
        fields = {"model": self._model, "path": path, "format": form}
        self._begin(words, self._session.engine, ExportModel, panel="export", **fields)

    def cancel(self) -> None:
        """Give up what is under way; nothing of it stays."""
        self._engine.cancel(self._request)

    def _begin(self, words: str, engine: EngineClient, request: Any, **fields: Any) -> None:
        if self.running:
            self._session.notify("warning", f"{self.running} is in progress: wait for it to end, or cancel it.")
            return
        self.running, self.progress, self._engine = words, None, engine
        self._request = engine.ask(request, self._on_reply, **fields)
        self.changed.emit()

    def _on_reply(self, reply: AnyReply, arrays: Arrays) -> None:
        if reply.final:
            words, self.running, self._request = self.running, "", 0
        match reply:
            case Progress():
                self.progress = reply
            case Imported():
                self._session.notify("info", import_words(reply), import_details(reply))
                self._session.open_model(reply.folder, then="use")
            case ModelExported():
                self._session.succeed("export")
                self._session.notify("info", export_words(reply), export_details(reply))
            case Refused():
                until = self._session.until("export" if self._engine is self._session.engine else "open")
                self._session.notify("error", f"{words}: {reply.sentence}", reply.details, until)
            case Cancelled():
                self._session.notify("info", f"{words} was cancelled; nothing was written.")
        self.changed.emit()


def import_words(reply: Imported) -> str:
    """What was made of the folder, in a sentence or two."""
    words = f"Imported {reply.family} with {units.count(reply.parameters)} parameters as {Path(reply.folder).name}."
    facts = [
        f"{len(names):,} {'tensor was' if len(names) == 1 else 'tensors were'} {what}"
        for names, what in ((reply.added, "newly initialised"), (reply.ignored, "ignored"))
        if names
    ]
    said = " and ".join(facts)
    return " ".join([words, *([f"{said[:1].upper()}{said[1:]}; Details names them."] if facts else []), *reply.notes])


def import_details(reply: Imported) -> str:
    """Everything by name: made anew, ignored, read, and what there is to know."""
    lines = [f"Model folder: {reply.folder}", f"Family: {reply.family}", f"Parameters: {reply.parameters:,}"]
    lists = {"Notes": reply.notes, "Newly initialised": reply.added, "Ignored": reply.ignored, "Read": reply.read}
    for title, names in lists.items():
        lines += ["", f"{title}: {len(names):,}" if names else f"{title}: none"]
        lines += [f"    {name}" for name in names[:MOST_NAMED]]
    return "\n".join(lines)


def export_words(reply: ModelExported) -> str:
    return " ".join([f"Exported as {reply.folder}.", *reply.notes])


def export_details(reply: ModelExported) -> str:
    return "\n".join([f"Folder: {reply.folder}", "", *(f"    {name}" for name in reply.files), *reply.notes])
