"""A run folder kept truthful while its trainer lives: the lock, the heartbeat, the events, and how it ended."""

import contextlib
import math
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tfmcore.config import UserError
from tfmcore.locks import is_unknown, take
from tfmcore.messages import AnyEvent, Changed, Evaluated, Failed, Finished, Noticed, Saved, Started, Stepped, Warned
from tfmcore.runs import HEARTBEAT_SECONDS, STARTING, Exit, Run, RunState, own_status
from tfmcore.training.controls import Controls
from tfmcore.training.faults import Failure
from tfmcore.training.free_memory import peak_memory_taken
from tfmcore.training.tensorboard import Mirror

SMOOTHING = 0.95
"""The training loss is told as a mean that forgets: each step's counts so much of the one after it."""
PACE_BEATS = 16
"""The time left is told from the pace of so many heartbeats."""


class Record:
    """Writes what a run's folder says of it. Entering takes the folder; raises UserError where another trainer has it
    or where it cannot be written."""

    def __init__(self, run: Run, controls: Controls, launcher: int | None = None) -> None:
        """`launcher` is the process that started this one among others, and that the run belongs to."""
        self.run, self.controls, self.launcher = run, controls, launcher
        self.step = self.steps = 0
        self.mirror: Mirror | None = None
        self.exit: Exit | None = None
        self._loss = self._weight = 0.0
        self._phase, self._done, self._total = "loading", 0, 0
        self._started: Started | None = None
        self._pace: deque[tuple[float, int]] = deque(maxlen=PACE_BEATS)
        self._ended, self._writing = threading.Event(), threading.Lock()
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        folder = self.run.folder
        status = self.run.status()
        ours = status and status.is_ours
        if self.launcher is None and not ours and self.run.state().alive:  # a launcher has looked, perhaps elsewhere
            raise UserError(f"the run {self.run.label!r} has a trainer already")
        try:
            with contextlib.ExitStack() as until_it_is_had:
                self._events = os.open(folder / "events.jsonl", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
                until_it_is_had.callback(os.close, self._events)
                if not self._is_had():
                    raise UserError(f"the run {self.run.label!r} has a trainer already")
                for litter in folder.glob(".*.json-*"):
                    litter.unlink()
                if self.launcher is None and not (ours and status and status.phase == STARTING):
                    self.run.forget_last_life()  # else whoever started us has, and what was asked since is for us
                end_last_line(self._events)
                self._write_status()
                until_it_is_had.pop_all()
        except OSError as error:
            raise UserError(f"the run folder {folder} cannot be written: {error.strerror}") from None
        self.controls.on_change = self._write_status_if_possible
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._heart.join()
        if self.mirror:
            self.mirror.close()
        self._write_status_if_possible()
        if self.exit:
            with contextlib.suppress(OSError):  # a full disk: without exit.json the run shows as interrupted
                self.exit.write(self.run.folder / "exit.json")
        os.close(self._events)

    def _is_had(self) -> bool:
        """Lock the folder, unless its file system knows no locks: there the status alone tells of another trainer."""
        try:
            return take(self._events)
        except OSError as error:
            if not is_unknown(error):
                raise
            return True

    def progress(self, phase: str, done: int, total: int) -> None:
        """How far the preparation is; `total` is 0 while it is unknown."""
        self._phase, self._done, self._total = phase, done, total

    def take(self, event: AnyEvent, code: int = 0) -> None:
        """Write an event down, whole and at once; raises Failure where the disk is full. `code` goes to exit.json."""
        self.step = event.step
        match event:
            case Stepped():
                self._smooth(event.loss)
            case Started():
                self.steps, self._phase, self._started = event.steps, "", event
                self._write_status_if_possible()
            case Finished() | Failed():
                self.exit = ending(event, self.run.label, code)
        if self.mirror:
            self.mirror.take(event)
        line = event.model_dump_json().encode() + b"\n"
        try:
            if os.write(self._events, line) < len(line):
                raise OSError(0, "the disk is full")
            if sentence := log_sentence(event):
                self.log(f"step {event.step}: {sentence}")
        except OSError as error:
            if self.exit is None:  # the run is ending anyway
                raise Failure(f"{self.run.folder / 'events.jsonl'} cannot be written: {error.strerror}") from None

    def _smooth(self, loss: float) -> None:
        """A weighted mean of all steps so far, the last one's weight 1 − SMOOTHING in the long run."""
        if math.isfinite(loss):
            self._loss = SMOOTHING * self._loss + (1 - SMOOTHING) * loss
            self._weight = SMOOTHING * self._weight + (1 - SMOOTHING)

    def log(self, line: str) -> None:
        with open(self.run.folder / "log.txt", "a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}\n")

    def _state(self) -> RunState:
        if self.controls.asked:
            return RunState.STOPPING
        if self._phase:
            return RunState.PREPARING
        return RunState.PAUSED if self.controls.paused else RunState.RUNNING

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            self._write_status_if_possible()

    def _write_status_if_possible(self) -> None:
        with contextlib.suppress(OSError):  # a full disk, or a reader that holds the file on Windows: the next beat
            self._write_status()

    def _write_status(self) -> None:
        with self._writing:
            state, pid, begun = self._state(), self.launcher or os.getpid(), self._started
            status = own_status(
                state, pid, step=self.step, steps=self.steps, phase=self._phase, done=self._done,
                total=self._total, loss=self._loss / self._weight if self._weight else None,
                seconds_left=self._seconds_left(state), epoch=begun.epochs(self.step) if begun else None,
                peak_memory=peak_memory_taken(begun.device) if begun else None,
            )  # fmt: skip
            status.write(self.run.folder / "status.json")

    def _seconds_left(self, state: RunState) -> float | None:
        """By the pace of the last heartbeats, validations and checkpoints included; a pause does not count."""
        if state is not RunState.RUNNING:
            self._pace.clear()
            return None
        self._pace.append((time.monotonic(), self.step))
        (then, first), (now, last) = self._pace[0], self._pace[-1]
        return (self.steps - last) * (now - then) / (last - first) if last > first else None


def append_event(run: Run, event: AnyEvent) -> None:
    """Write down an event of a run that no trainer has."""
    descriptor = os.open(run.folder / "events.jsonl", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        end_last_line(descriptor)
        os.write(descriptor, event.model_dump_json().encode() + b"\n")
    finally:
        os.close(descriptor)


def ending(event: Finished | Failed, label: str, code: int) -> Exit:
    """What exit.json says after a run's last event."""
    if isinstance(event, Failed):
        return Exit(
            state=RunState.FAILED, step=event.step, sentence=event.sentence, details=event.details, code=code,
            remedy=event.remedy,
        )  # fmt: skip
    reached = f"at step {event.step}" + ("" if event.loss is None else f", validation loss {event.loss:.4f}")
    match event.reason:
        case "stopped":
            return Exit(state=RunState.STOPPED, step=event.step, sentence=f"{label} stopped {reached}")
        case "early_stopping":
            sentence = f"{label} stopped early {reached}: no improvement in the last validations"
            return Exit(state=RunState.FINISHED, step=event.step, sentence=sentence)
        case _:
            return Exit(state=RunState.FINISHED, step=event.step, sentence=f"{label} finished {reached}")


def log_sentence(event: AnyEvent) -> str:
    """What log.txt says of an event; nothing of those that come by the thousand."""
    match event:
        case Started():
            words = f"training on {event.device} with {event.threads} threads, {event.parameters:,} parameters"
            return f"{words}; {event.compilation}" if event.compilation else words
        case Evaluated():
            return f"validation loss {event.loss:.4f}"
        case Saved():
            return f"saved {Path(event.folder).name}{', the best so far' if event.best else ''}"
        case Changed():
            return f"{event.setting} {event.words}"
        case Warned():
            return f"warning: {event.sentence}"
        case Noticed():
            return f"{event.what.replace('_', ' ')}: {event.sentence} (examples {shown_ids(event.example_ids)})"
        case Failed():
            return f"failed: {event.sentence}\n{event.details}".rstrip()
        case Finished():
            return event.reason
        case _:
            return ""


def shown_ids(ids: Sequence[int]) -> str:
    """Some of them, to be looked up."""
    return ", ".join(map(str, ids[:6])) + (", …" if len(ids) > 6 else "")


def end_last_line(descriptor: int) -> None:
    """A line that a kill cut must not run into the next one."""
    size = os.fstat(descriptor).st_size
    if size:
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        if os.read(descriptor, 1) != b"\n":
            os.write(descriptor, b"\n")
