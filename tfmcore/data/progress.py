"""How long work says how far it is, and how it is told to stop."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with a phase, what is done and the total (0: unknown). It may raise Cancelled, which leaves nothing behind."""


class Cancelled(Exception):
    """Somebody asked for the work to stop."""


def silent(phase: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
