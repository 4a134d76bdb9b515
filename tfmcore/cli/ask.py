"""Puts one request to the engine's own handlers, in this process: window and terminal get the same answers."""

from collections.abc import Iterator
from typing import Any

from tfmcore.messages import Reply, Request


def answers(request: Request) -> Iterator[Reply]:
    """The replies to a request, the final one last; raises UserError."""
    from tfmcore.engine.desk import Desk
    from tfmcore.engine.handlers import find_handler

    def report(phase: str, done: int, total: int) -> None:
        """Nobody waits to cancel it."""

    kind: str = request.kind  # type: ignore[attr-defined]
    for answer in find_handler(kind)(request, Desk(), report):
        yield answer[0] if isinstance(answer, tuple) else answer


def ask(request: Request) -> Any:
    """The final reply; raises UserError."""
    *_, last = answers(request)
    return last


def facts(reply: Reply) -> dict[str, Any]:
    """A reply as plain values, without what only the pipes need."""
    return reply.model_dump(exclude={"id", "final"})
