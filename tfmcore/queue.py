"""Runs that wait for their turn, one a device at a time: a file beside the runs, which outlives any window."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tfmcore.config import UserError
from tfmcore.locks import held
from tfmcore.patience import patiently
from tfmcore.runs import Exit, Run, RunState, list_runs, start_detached, start_trainer

FILE, EDITING, RUNNING, LOG = "queue.json", ".queue-editing", ".queue-running", "queue.log"
EDIT_SECONDS = 5.0
POLL_SECONDS = 1.0


class Queue:
    """The queue of the runs in a folder, by their ids, first the one that is next. Whoever changes it has it for that
    moment; reading never waits."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs

    def ids(self) -> list[str]:
        """Those whose runs are still there."""
        return [id for id in self._read() if os.path.isfile(self.runs / id / "run.toml")]

    def add(self, ids: Iterable[str]) -> None:
        """Put runs at the end; those that wait already stay where they are. Raises UserError."""
        with self._changed() as waiting:
            waiting += [id for id in dict.fromkeys(ids) if id not in waiting]

    def remove(self, *ids: str) -> None:
        """Take runs out of it, those that are there; raises UserError."""
        with self._changed() as waiting:
            waiting[:] = [id for id in waiting if id not in ids]

    def move(self, id: str, place: int) -> None:
        """Have a run wait at that place (0: it is next; beyond the end: last); raises UserError if it does not wait."""
        with self._changed() as waiting:
            waiting.insert(max(0, place), waiting.pop(_place(id, waiting)))

    def shift(self, id: str, by: int) -> None:
        """Have a run wait so many places later, earlier where that is negative, from where it waits by now; raises
        UserError if it does not wait."""
        with self._changed() as waiting:
            place = _place(id, waiting)
            waiting.insert(max(0, place + by), waiting.pop(place))

    def ready(self) -> list[Run]:
        """Those whose turn it is: no other run of this machine trains on their device, nor one before them will."""
        busy = [device_of(run) for run in list_runs(self.runs) if trains_here(run)]
        ready: list[Run] = []
        for run in (Run(self.runs / id) for id in self.ids()):
            if "auto" in busy:
                break
            device = device_of(run)
            if not any(clash(device, other) for other in busy):
                ready.append(run)
            busy.append(device)
        return ready

    def leave_out_started(self) -> None:
        """Take out those that have been started otherwise: they would start again when they are stopped. Raises
        UserError."""
        if started := [id for id in self.ids() if not can_start(Run(self.runs / id))]:
            self.remove(*started)

    @contextmanager
    def being_run(self) -> Iterator[None]:
        """Be the one that starts its runs; raises UserError where another does."""
        with held(self.runs / RUNNING, 0.0) as ours:
            if not ours:
                raise UserError("the queue is already running")
            yield

    @property
    def is_run(self) -> bool:
        """Whether a process starts its runs now."""
        if not (self.runs / RUNNING).exists():
            return False
        with held(self.runs / RUNNING, 0.0) as free:
            return not free

    def _read(self) -> list[str]:
        try:
            found = json.loads(patiently((self.runs / FILE).read_bytes))
        except (OSError, ValueError):  # none yet, or not ours
            return []
        return [id for id in found if isinstance(id, str) and Path(id).name == id] if isinstance(found, list) else []

    @contextmanager
    def _changed(self) -> Iterator[list[str]]:
        """The ids, to be changed within and then written whole."""
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            with held(self.runs / EDITING, EDIT_SECONDS) as ours:
                if not ours:
                    raise UserError("the queue is being changed by another process: try again")
                waiting = self.ids()
                yield waiting
                staged = self.runs / f".{FILE}"
                staged.write_text(json.dumps(waiting), encoding="utf-8")
                patiently(lambda: staged.replace(self.runs / FILE))
        except OSError as error:
            raise UserError(f"the queue in {self.runs} cannot be written: {error.strerror}") from None


def _place(id: str, waiting: Sequence[str]) -> int:
    if id not in waiting:
        raise UserError(f"the run {id} is not in the queue")
    return waiting.index(id)


def device_of(run: Run) -> str:
    """The device that a run's config names; one that cannot be read may take any."""
    try:
        return run.config().training.device
    except UserError:
        return "auto"


def clash(device: str, other: str) -> bool:
    """Whether two runs may want the same device: `auto` may be any."""
    return device == other or "auto" in (device, other)


def can_start(run: Run) -> bool:
    """Whether a run has not begun, or has ended where it can go on."""
    return run.status() is None or run.state().resumable


def trains_here(run: Run) -> bool:
    """Whether a trainer of this machine has the run."""
    if (run.folder / "exit.json").exists():
        return False
    status = run.status()
    return status is not None and status.is_local and run.state().alive


def run_queue(
    queue: Queue,
    on_started: Callable[[Run], None] = lambda run: None,
    on_refused: Callable[[Run, str], None] = lambda run, sentence: None,
) -> None:
    """Start each run when its turn has come, until none waits; they train in processes of their own and stay when this
    one ends. Raises UserError where another process does the same."""
    with queue.being_run():
        while queue.ids():
            queue.leave_out_started()
            for run in queue.ready():
                try:
                    if can_start(run):
                        start_trainer(run)
                        on_started(run)
                except UserError as error:
                    on_refused(run, str(error))
                except OSError as error:  # its folder, or a system that has no room for another process
                    on_refused(run, not_started(run, error))
                queue.remove(run.id)
            time.sleep(POLL_SECONDS)


def not_started(run: Run, error: OSError) -> str:
    """Why a run could not be started; its folder says so too, where it can be written."""
    sentence = f"{error.filename or run.folder}: {error.strerror or error}"
    with contextlib.suppress(OSError):
        why = f"{run.label} cannot start: {sentence}"
        Exit(state=RunState.FAILED, step=run.saved_step, sentence=why, code=1).write(run.folder / "exit.json")
    return sentence


def start_queue(runs: Path, command: Sequence[str] = (sys.executable, "-m", "tfmcore", "queue", "run")) -> None:
    """Have a process of its own run the queue, which outlives the caller; where one does already, it ends at once."""
    start_detached([*command, "--runs", str(runs)], runs / LOG)
