"""The life of the process that trains a run: signals, priority, and an ending that is always told.

This file loads no torch, so that the run's heart beats before torch is there.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import psutil

from tfmcore.config import Config, UserError
from tfmcore.data.progress import Cancelled, Progress, silent
from tfmcore.loading import loading
from tfmcore.messages import AnyEvent, Finished
from tfmcore.runs import Exit, Run, RunState
from tfmcore.training.controls import Controls
from tfmcore.training.faults import exit_code, failed
from tfmcore.training.heap import freed_memory_kept
from tfmcore.training.record import Record
from tfmcore.training.signals import stop_signals
from tfmcore.training.tensorboard import mirror_of
from tfmcore.training.waiting import choose_waiting

if TYPE_CHECKING:
    from tfmcore.training.parallel.strategy import Strategy

NICENESS = 10


class Peers:
    """The other processes of a run; here there are none."""

    def strategy(self, config: Config) -> "Strategy | None":
        """How all of them train together; None for one process."""
        return None

    def explain(self, error: Exception) -> Exception | None:
        """What `error` was really, or None where the training goes on in the processes that follow these."""
        return error


def run_trainer(
    run: Run,
    on_event: Callable[[AnyEvent], None] | None = None,
    on_progress: Progress | None = None,
    num_hosts: int = 1,
) -> Exit:
    """Train or go on with a run to its end and say how it ended. Without `on_event` nobody watches: the process has
    lower priority and says nothing. The first Ctrl-C (or SIGTERM) saves and stops, the second stops at once."""
    if is_shared(run):
        return run_shared(run, on_event, on_progress, num_hosts)
    controls = Controls(run.folder)
    record = Record(run, controls)

    def tell(watcher: Callable[..., None] | None, *news: object) -> None:
        try:
            if watcher:
                watcher(*news)
        except OSError:  # the terminal or pipe is closed: save and stop, as for any other hang-up
            controls.asked = True

    def ask() -> None:
        if controls.asked:
            raise KeyboardInterrupt
        controls.asked = True

    if on_event is None:
        lower_priority()
    choose_waiting()
    with stop_signals(ask):
        life = live(record, lambda *news: tell(on_progress, *news))
        try:
            for event in life:
                tell(on_event, event)
        except KeyboardInterrupt:
            life.close()
        except UserError as error:  # the folder could not be had, so it says nothing of this
            return Exit(
                state=RunState.FAILED, step=0, sentence=str(error), details=error.details, code=exit_code(error)
            )
    assert record.exit is not None
    return record.exit


def is_shared(run: Run) -> bool:
    """Whether several processes are to train a run."""
    try:
        return bool(run.config().training.parallel)
    except Exception:  # a config that cannot be read is for the trainer to fail with, which tells it
        return False


def run_shared(
    run: Run, on_event: Callable[[AnyEvent], None] | None, on_progress: Progress | None, num_hosts: int
) -> Exit:
    """Have several processes train a run to its end."""
    from tfmcore.training.parallel.launch import launch

    if on_event is None:
        lower_priority()
    try:
        for event in launch(run, num_hosts, on_progress or silent):
            if on_event:
                on_event(event)
    except UserError as error:  # another has it, and the folder says nothing of this
        return Exit(state=RunState.FAILED, step=0, sentence=str(error), details=error.details, code=exit_code(error))
    return run.exit() or Exit(state=run.state(), step=0)


def live(record: Record, on_progress: Progress = silent, peers: Peers | None = None) -> Generator[AnyEvent, None, None]:
    """One life of a run's trainer. Yields its events, each after it has been written down, the last one Finished or
    Failed, unless it was lost with one of the `peers`. Raises UserError where the folder cannot be had."""
    peers = peers or Peers()
    run, controls = record.run, record.controls
    config: Config | None = None

    def progress(phase: str, done: int, total: int) -> None:
        record.progress(phase, done, total)
        on_progress(phase, done, total)
        controls.go_on()

    with record:
        try:
            config = run.config()
            record.mirror = mirror_of(run, config.training)
            with contextlib.closing(training(config, run, controls, progress, peers)) as events:
                for event in events:
                    record.take(event)
                    yield event
        except (Cancelled, KeyboardInterrupt, GeneratorExit) as error:
            if record.exit:  # all has been told
                raise
            stopped = Finished(step=run.saved_step, reason="stopped")
            record.take(stopped)
            if isinstance(error, GeneratorExit):
                raise
            yield stopped
            if isinstance(error, KeyboardInterrupt):
                raise
        except Exception as error:
            if (cause := peers.explain(error)) is None:
                return
            failure = failed(record.step, cause, config)
            record.take(failure, exit_code(cause))
            yield failure


def training(
    config: Config, run: Run, controls: Controls, progress: Progress, peers: Peers
) -> Generator[AnyEvent, None, None]:
    """Load torch, and train: what every rank does."""
    with freed_memory_kept():
        with loading():
            from tfmcore.training.trainer import TransformerTrainer
        yield from TransformerTrainer.prepare(config, run, controls, progress, peers.strategy(config)).events()


def lower_priority() -> None:
    """Leave the cores to whatever the user does meanwhile."""
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(NICENESS)
