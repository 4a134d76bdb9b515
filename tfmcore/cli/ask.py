"""Puts one request to the engine's own handlers, in this process: window and terminal get the same answers."""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from tfmcore.cli.output import note, print_json
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


def ask(request: Request, arguments: argparse.Namespace, show: Callable[[Any], None]) -> int:
    """Print the final reply, as JSON or as `show` does; raises UserError. Returns the exit code."""
    *_, reply = answers(request)
    tell(reply, arguments, show)
    return 0


def tell(reply: Any, arguments: argparse.Namespace, show: Callable[[Any], None]) -> None:
    """Print a reply as JSON where --json wants it so, else as `show` does, with its notice on stderr."""
    if arguments.json:
        print_json(facts(reply))
        return
    show(reply)
    if reply.notice:
        note(reply.notice)


def facts(reply: Reply) -> dict[str, Any]:
    """A reply as plain values, without what only the pipes need."""
    return reply.model_dump(exclude={"id", "final"})
