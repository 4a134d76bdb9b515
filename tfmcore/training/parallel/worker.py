"""One of the processes that share a training: what it does, and what its end means for the others.

A process that fails says why, and all end; one that is lost says nothing, and torchrun starts all of them again, from
the last checkpoint. This file loads no torch, so that the run's heart beats before torch is there.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from tfmcore.config import Config, UserError
from tfmcore.data.progress import Cancelled
from tfmcore.run_files import BOOT, is_process, start_time
from tfmcore.runs import Exit, Run
from tfmcore.training.controls import Controls
from tfmcore.training.faults import Failure, exit_code, failed, first_line
from tfmcore.training.parallel.rendezvous import LAUNCHER, RENDEZVOUS
from tfmcore.training.process import Peers, live, training
from tfmcore.training.record import Record, ending

if TYPE_CHECKING:
    from tfmcore.training.parallel.strategy import Strategy
    from tfmcore.training.parallel.world import World

POLL_SECONDS = 0.5
LAST_WORDS_SECONDS = 5.0
"""So long a process that has lost another waits for it to have said why."""
STOP_SECONDS = 1.0
"""So long a process that is asked to end waits for the launcher, if that was asked too, to have all of them stop."""
LOST = ("connection closed by peer", "connection reset by peer", "broken pipe", "timed out", "timeout", "gloo", "nccl")
ENDED, FAILURE = "ended", "failure"


def is_worker() -> bool:
    """Whether this process was started by a launcher, to share its run with others."""
    return RENDEZVOUS in os.environ and "LOCAL_RANK" in os.environ


class Ended(Exception):
    """The end of the run has been told while this process waited for the others."""


class Ranks(Peers):
    """The other processes of the run, as seen from here."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.world: World | None = None

    def strategy(self, config: Config) -> Strategy:
        from tfmcore.training.parallel.distributed import Distributed
        from tfmcore.training.parallel.world import World

        self.world = World.of_environment(config.training)
        return Distributed(self.world.join(config.training, self._raise_if_one_is_gone), config)

    def _raise_if_one_is_gone(self) -> None:
        if self.ended:
            raise Ended
        if failure := self._told():
            raise failure

    def explain(self, error: Exception) -> Exception | None:
        """What ended the training here, or None where that has been told, or another process is gone without a word."""
        if isinstance(error, Ended):
            return None
        if not is_lost(error):
            return error
        deadline = time.monotonic() + LAST_WORDS_SECONDS
        while self.world and time.monotonic() < deadline:
            if failure := self._told():
                return failure
            time.sleep(POLL_SECONDS)
        say_lost(error)
        return None

    def _told(self) -> UserError | None:
        """What another process has said that it failed of."""
        if not self.world or not self.world.store.check([FAILURE]):
            return None
        told = Exit.model_validate_json(self.world.store.get(FAILURE))
        failure = Failure(told.sentence, told.details, told.remedy)
        return failure if told.code == exit_code(failure) else UserError(told.sentence, told.details)

    def say(self, key: str, words: str = "") -> None:
        if self.world:
            self.world.store.set(key, words)

    @property
    def ended(self) -> bool:
        """Whether the main process has told how the run ended, perhaps before it could tell the others, or the launcher
        of another machine has."""
        return self.run.exit() is not None or (self.world is not None and self.world.store.check([ENDED]))


def is_lost(error: BaseException) -> bool:
    """Whether `error` is how torch says that another process no longer answers."""
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in words for sign in LOST)


def say_lost(error: BaseException) -> None:
    """Have log.txt tell why all are started again."""
    print(f"rank {os.environ['RANK']} lost another: {first_line(error)}", file=sys.stderr)


def run_worker(run: Run) -> int:
    """Do this process's share of a run; the exit code is not 0 where all are to be started again."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the terminal is for the launcher
    signal.signal(signal.SIGTERM, lambda *_: _end_unless_stopped(run))
    launcher = int(os.environ[LAUNCHER])
    threading.Thread(target=_follow, args=(launcher, start_time(launcher)), daemon=True).start()
    with open(run.folder / "log.txt", "ab") as log:
        for descriptor in (1, 2):
            os.dup2(log.fileno(), descriptor)
    controls, ranks = Controls(run.folder), Ranks(run)
    return _main(run, controls, ranks) if os.environ["RANK"] == "0" else _not_main(run, controls, ranks)


def _main(run: Run, controls: Controls, ranks: Ranks) -> int:
    """The process that writes the run's folder."""
    if run.exit():  # it died when all had been told
        return 0
    record = Record(run, controls, launcher=int(os.environ[LAUNCHER]))
    for _ in live(record, peers=ranks):
        pass
    if record.exit is None:  # it goes on in the next processes, or has ended elsewhere
        return 0 if run.exit() else 1
    ranks.say(ENDED)
    return 0


def _not_main(run: Run, controls: Controls, ranks: Ranks) -> int:
    config, step = None, 0
    try:
        config = run.config()

        def progress(_phase: str, _done: int, _total: int) -> None:
            if ranks.ended:
                raise Cancelled
            controls.go_on()

        for event in training(config, run, controls, progress, ranks):
            step = event.step
    except (Cancelled, Ended):
        return 0
    except Exception as error:
        if is_lost(error):
            time.sleep(POLL_SECONDS)
            if run.exit():
                return 0
            say_lost(error)
            return 1
        if ranks.world is None:  # nobody can be told
            raise
        ranks.say(FAILURE, ending(failed(step, error, config), run.label, exit_code(error)).model_dump_json())
    return 0


def _end_unless_stopped(run: Run) -> None:
    """End for torchrun, but not with a cluster's job, all of whose processes are signalled: they save and stop."""
    deadline = time.monotonic() + STOP_SECONDS
    while not Controls(run.folder).heard():
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(POLL_SECONDS / 10)


def _follow(launcher: int, started: float) -> None:
    """End with the launcher, however that ends."""
    while is_process(launcher, started, BOOT):  # on Windows a process whose parent is gone still names it
        time.sleep(POLL_SECONDS)
    os._exit(1)
