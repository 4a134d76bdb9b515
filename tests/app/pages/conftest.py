"""An engine that answers what a test says, when it says so."""

from collections.abc import Callable
from typing import Any

import pytest

from app.session import Session
from tfmcore.messages import AnyReply, Cancelled, Request

OnReply = Callable[[AnyReply, dict[str, Any]], None]


class ToldEngine:
    """Keeps requests until `answer`."""

    def __init__(self) -> None:
        self.asked: list[tuple[Request, OnReply]] = []
        self.busy = False

    def ask(self, kind: type[Request], on_reply: OnReply, *, panel: str = "", **fields: Any) -> int:
        request = kind(id=len(self.asked) + 1, panel=panel, **fields)
        self.asked.append((request, on_reply))
        return request.id

    def requests(self, kind: type[Request]) -> list[Any]:
        return [request for request, _ in self.asked if isinstance(request, kind)]

    def answer(self, request: Request, reply: type[Any], **fields: Any) -> None:
        on_reply = next(on_reply for asked, on_reply in self.asked if asked.id == request.id)
        on_reply(reply(id=request.id, **fields), {})

    def cancel(self, request_id: int) -> None:
        self.answer(next(request for request, _ in self.asked if request.id == request_id), Cancelled)

    def close(self) -> None:
        self.asked.clear()


@pytest.fixture
def told(session: Session) -> ToldEngine:
    """Takes the place of the session's data engine."""
    session.data_engine.close()
    session.data_engine = ToldEngine()
    return session.data_engine
