"""The queue of runs as the window changes it: who waits, in which order, and that something starts them."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from app.background import in_background
from app.run_watch import RunFacts
from tfmcore.config import Config
from tfmcore.config.config import Raw
from tfmcore.config.sweeps import Combination, label, swept
from tfmcore.queue import Queue, clash, start_queue
from tfmcore.runs import Run

if TYPE_CHECKING:
    from app.session import Session


class RunQueue(QObject):
    """Runs of the queue train in processes of their own, started by another one, so that all goes on without the
    window; one that is opened while some wait lets them go on."""

    def __init__(self, session: "Session") -> None:
        super().__init__(session)
        self._session, self._queue = session, Queue(session.runs.folder)
        self.go_on()

    def go_on(self) -> None:
        """Have something start the runs that wait."""
        self._do(self._go_on)

    def in_the_way(self, config: Config) -> RunFacts | None:
        """A run of this machine that trains on the device that `config` wants, if there is one."""
        wanted = config.training.device
        alive = (facts for facts in self._session.runs.facts if facts.state.alive and facts.is_local)
        return next((facts for facts in alive if facts.config and clash(wanted, facts.config.training.device)), None)

    def behind(self, facts: RunFacts) -> list[RunFacts]:
        """The runs of the queue that wait until this one, which trains, leaves them its device; first the next one."""
        if not facts.config or not facts.is_local:
            return []
        device, found = facts.config.training.device, sorted(self._session.runs.facts, key=attrgetter("place"))
        return [each for each in found if each.place and each.config and clash(device, each.config.training.device)]

    def add(self, *chosen: RunFacts) -> None:
        """Let runs wait for their turn."""
        self._do(lambda: self._let_wait([facts.run for facts in chosen]))

    def remove(self, *chosen: RunFacts) -> None:
        """Let them wait no longer; they stay as they are."""
        self._do(lambda: self._queue.remove(*(facts.id for facts in chosen)))

    def move(self, facts: RunFacts, by: int) -> None:
        """Let it wait so many places later, or earlier where that is negative."""
        if facts.place:
            self._do(lambda: self._queue.shift(facts.id, by))  # the key may be pressed again before the list shows it

    def create(self, config: Config, name: str) -> Run:
        """Make a run that waits; touches the disk."""
        run = Run.create(self._session.runs.folder, config, name)
        self._let_wait([run])
        return run

    def sweep(self, raw: Raw, combinations: Sequence[Combination], name: str, done: Callable[[int], None]) -> None:
        """Make a run of each combination, all to wait; none where one of the configs is wrong."""

        def work() -> int:
            configs, folder = swept(raw, combinations), self._session.runs.folder
            labels = [label(name, combination) for combination in combinations]
            runs = zip(configs, labels, range(1, len(labels) + 1), strict=True)
            self._let_wait([Run.create(folder, *run) for run in runs])
            return len(configs)

        self._do(work, done)

    def _let_wait(self, runs: Sequence[Run]) -> None:
        self._queue.add(run.id for run in runs)
        self._go_on()

    def _go_on(self) -> None:
        if self._queue.ids() and not self._queue.is_run:
            start_queue(self._queue.runs)

    def _do(self, work: Callable[[], Any], done: Callable[[Any], None] = lambda _: None) -> None:
        def finished(result: Any) -> None:
            self._session.runs.refresh()
            self._session.succeed("queue")
            done(result)

        in_background(self, work, finished, lambda error: self._session.say_failure(error, "queue"))
