"""What the engine made of the draft's data: vocabulary, lengths and first batch, shared by the pages."""

from typing import Any, Self

from PySide6.QtCore import QObject, Signal

from app.session import Session
from tfmcore.config.estimate import likely_vocab_size
from tfmcore.messages import AnyReply, Arrays, Cancelled, DataPrepared, PrepareData, Progress, Refused


class Preparation(QObject):
    """One for each session. The result counts while the draft's data and tokenizer stay as they were."""

    changed = Signal()
    """Also with every change of the draft, since a result is one of its data."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._asked: dict[str, Any] = {}
        self._made_of: dict[str, Any] = {}
        self._request = 0
        self._result: DataPrepared | None = None
        self.sample, self.example = "", ""
        """The text shown in tokens: one's own, else an example of the data."""
        self.progress: Progress | None = None
        self.refused: Refused | None = None
        session.draft.changed.connect(self._on_draft_changed)

    @classmethod
    def of(cls, session: Session) -> Self:
        """The session's own, made when it is first asked for."""
        return session.findChild(cls) or cls(session)

    @property
    def running(self) -> bool:
        return bool(self._request)

    @property
    def result(self) -> DataPrepared | None:
        """What came of the data and tokenizer that the draft has now."""
        return self._result if _facts(self._session.draft.raw) == _facts(self._made_of) else None

    @property
    def outdated(self) -> bool:
        """Whether context or batch have changed since, so that the first batch would look different."""
        return _shape(self._session.draft.raw) != _shape(self._made_of)

    def vocab_size(self) -> tuple[int, bool]:
        """The number of tokens, and whether it is known, by the data or by the model that training begins with."""
        draft = self._session.draft
        if result := self.result:
            return result.vocab_size, True
        if draft.base:
            return draft.base.vocab_size, True
        return likely_vocab_size(draft.config.tokenizer) if draft.config else 1, False

    def prepare(self) -> None:
        """Ask for it; a request that is under way is replaced."""
        self._asked = self._session.draft.raw
        self.refused, self.progress = None, None
        sample = self.sample or self.example
        self._request = self._session.data_engine.ask(
            PrepareData, self._on_reply, panel="data", config=self._asked, sample=sample
        )
        self.changed.emit()

    def cancel(self) -> None:
        self._session.data_engine.cancel(self._request)

    def _on_reply(self, reply: AnyReply, arrays: Arrays) -> None:
        if reply.id != self._request:
            return
        match reply:
            case Progress():
                self.progress = reply
            case DataPrepared():
                self._result, self._made_of = reply, self._asked
            case Refused():
                self.refused = reply
            case Cancelled():
                pass
        if reply.final:
            self._request, self.progress = 0, None
        self.changed.emit()

    def _on_draft_changed(self) -> None:
        self.refused = None
        self.changed.emit()


def _facts(raw: dict[str, Any]) -> tuple[Any, Any]:
    """What tokenizer and tokens depend on."""
    return raw.get("data"), raw.get("tokenizer")


def _shape(raw: dict[str, Any]) -> tuple[Any, Any]:
    return raw.get("model", {}).get("context_length"), raw.get("training", {}).get("batch_size")
