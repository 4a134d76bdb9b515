"""One question at a time to the engine about the open model: a newer one takes the older one's place."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.bidirectional import isolated
from app.session import Session
from tfmcore.messages import AnyReply, Arrays, Cancelled, ModelRequest, Progress, Refused


def gone(session: Session) -> str:
    """That the open model's files are not there, and what to open instead."""
    words = f"The files of “{isolated(session.model_name)}” were removed: {session.model_path} is no longer there."
    facts = session.runs.find(session.model.run) if session.model else None
    if facts and facts.run.folder.is_dir():
        return f"{words} Open its run's current best checkpoint with the circling arrow beside the model."
    return f"{words} Open another model."


class Question(QObject):
    """`replied(reply, arrays)` for each answer to the newest question, or `refused(sentence, details)`.

    `busy_changed` is false as soon as the last reply is in, also after `stop`; answers to older questions are dropped.
    """

    replied = Signal(object, object)
    refused = Signal(str, str)
    progressed = Signal(object)
    busy_changed = Signal(bool)

    def __init__(self, session: Session, panel: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._panel = session, panel
        self._number = self._request = 0
        self.busy = False

    def ask(self, request: type[ModelRequest], **fields: object) -> None:
        """Send `request(**fields)` about the open model."""
        self._number += 1
        number = self._number

        def on_reply(reply: AnyReply, arrays: Arrays) -> None:
            if number == self._number:
                self._deliver(reply, arrays)
            if reply.final and number == self._number:  # an answer may have led to the next question
                self._set_busy(False)

        self._set_busy(True)
        self._request = self._session.engine.ask(
            request, on_reply, panel=self._panel, model=self._session.model_path, **fields
        )

    @property
    def _act(self) -> str:
        return f"ask {self._panel}"

    def say_refusals(self) -> None:
        """Show what is refused in the one place for errors, until it is answered."""
        self.refused.connect(
            lambda sentence, details: self._session.notify("error", sentence, details, self._session.until(self._act))
        )

    def stop(self) -> None:
        """Ask the engine to give it up; it says so, and `busy_changed` follows."""
        if self.busy:
            self._session.engine.cancel(self._request)

    def forget(self) -> None:
        """Give it up and hear nothing more of it."""
        self.stop()
        self._number += 1
        self._set_busy(False)

    def _deliver(self, reply: AnyReply, arrays: Arrays) -> None:
        match reply:
            case Progress():
                self.progressed.emit(reply)
            case Refused():
                here = Path(self._session.model_path, "config.json").exists()
                self.refused.emit(reply.sentence if here else gone(self._session), reply.details or reply.sentence)
            case Cancelled():
                pass
            case _:
                if reply.final:
                    self._session.succeed(self._act)
                self.replied.emit(reply, arrays)

    def _set_busy(self, busy: bool) -> None:
        if busy != self.busy:
            self.busy = busy
            self.busy_changed.emit(busy)
