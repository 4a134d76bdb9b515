"""Work off the window's thread: run a function in a pool, hand its result or its error to a slot."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

NUM_THREADS = 4


class Job:
    """What is to be done, and whom it is for. Only the window's thread empties it, so that no widget is ever destroyed
    by the last reference in a thread of the pool."""

    def __init__(self, owner: QObject, work: Callable[[], Any], done: Callable, failed: Callable) -> None:
        self._owner, self._work, self._done, self._failed = owner, work, done, failed
        self._result: Any = None
        self._error: Exception | None = None

    def run(self) -> None:
        """In a thread of the pool."""
        try:
            self._result = self._work()
        except Exception as error:
            self._error = error
        courier().send(self)

    def deliver(self) -> None:
        """In the window's thread; what the job held goes when this returns."""
        held = vars(self).copy()
        vars(self).clear()
        if not isValid(held["_owner"]):
            return
        if held["_error"]:
            held["_failed"](held["_error"])
        else:
            held["_done"](held["_result"])


class Courier(QObject):
    """Lives in the window's thread, where its slot runs. One for all, as a signal must outlive whoever emits it."""

    arrived = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.pool = ThreadPoolExecutor(NUM_THREADS, "background")
        self.arrived.connect(self._on_arrived)

    def _on_arrived(self, job: Job) -> None:
        job.deliver()

    def send(self, job: Job) -> None:
        with suppress(RuntimeError):  # the program ends, and this object is gone already
            self.arrived.emit(job)


@cache
def courier() -> Courier:
    return Courier()


def in_background(
    owner: QObject, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]
) -> None:
    """Run `work` in a thread; `done(result)` or `failed(error)` is then called in this thread, if `owner` lives."""
    courier().pool.submit(Job(owner, work, done, failed).run)
