"""Watching run folders without waiting for a disk: the list of all runs, and the events of one."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.background import in_background
from app.history import Block, History, blocks
from app.titles import titled
from tfmcore.config import Config, UserError
from tfmcore.messages import AnyEvent
from tfmcore.queue import Queue
from tfmcore.runs import EventReader, Exit, Run, RunState, Status, list_runs, state_of

LIST_EVERY_MS = 1000
FOLLOW_EVERY_MS = 250
CHUNK_BYTES = 2**20
CATCH_UP_MS = 20
"""Between two chunks of a long history, so that the curves are drawn while no thread takes the interpreter."""

Stamp = tuple[int, ...]
"""When what tells of a run has last been changed, its checkpoints and its config last of all. Not only the folder: a
stick's file system, as Windows has it, does not note what changes there."""
TELLING = (".", "run.json", "status.json", "exit.json", "checkpoints", "run.toml")


@dataclass(frozen=True)
class RunFacts:
    """A run as the list shows it; `config` is None where run.toml cannot be read."""

    run: Run = field(compare=False)
    id: str
    label: str
    state: RunState
    status: Status | None
    exit: Exit | None
    config: Config | None = field(compare=False)
    has_checkpoint: bool
    best_loss: float | None = None
    """The validation loss of the checkpoint that is used."""
    best_step: int | None = None
    """The step of that checkpoint, where it has been validated."""
    best_metric: float | None = None
    """Its task's metric, where that is what makes it the best."""
    best_bits: float | None = None
    """Its bits per byte, of a language model."""
    stamp: Stamp = (0,)
    asked: str = ""
    """What it was asked to do and has not yet done, such as "pausing"."""
    place: int = 0
    """Its place in the queue: 1 is next, 0 where it does not wait."""

    @property
    def words(self) -> str:
        """Its state for people, or what it is about to do."""
        if self.asked:
            return f"{self.asked} …"
        if self.place:
            return "next in the queue" if self.place == 1 else f"number {self.place} in the queue"
        return "not started" if self.state == RunState.WAITING else str(self.state)

    @property
    def ending(self) -> str:
        """How it ended, in a sentence; empty where it has not."""
        return titled(self.exit.sentence) if self.exit else ""

    @property
    def is_local(self) -> bool:
        """Whether its trainer is, or was, a process of this machine."""
        return self.status is not None and self.status.is_local

    @property
    def may_wait(self) -> bool:
        """Whether it could wait in the queue, and does not."""
        return not self.place and (self.state.resumable or self.state == RunState.WAITING)

    @property
    def step(self) -> int:
        """As far as is known: of a trainer that was killed, a checkpoint may be newer than its last report."""
        return max(self.status.step if self.status else 0, self.exit.step if self.exit else 0, self.best_step or 0)

    @property
    def steps(self) -> int:
        return self.config.training.steps if self.config else 0


class RunList(QObject):
    """All runs of a workspace, newest first, looked at once a second in a thread."""

    changed = Signal()
    failed = Signal(str)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder = folder
        self.facts: list[RunFacts] = []
        self._seen: dict[str, RunFacts] = {}
        self._asked: dict[str, tuple[str, Callable[[RunFacts], object], object]] = {}
        self._looking = False
        self._awaited = ""
        self._fault = ""
        self._timer = QTimer(self, interval=LIST_EVERY_MS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.refresh()

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()
        self.blockSignals(True)

    def find(self, run_id: str) -> RunFacts | None:
        return next((facts for facts in self.facts if facts.id == run_id), None)

    def has(self, run_id: str) -> bool:
        """Whether it is there, or has been made just now."""
        return bool(run_id) and (run_id == self._awaited or self.find(run_id) is not None)

    def await_run(self, run_id: str) -> None:
        """A run has been made, which the next look will find."""
        self._awaited = run_id
        self.refresh()

    def refresh(self) -> None:
        """Look again soon; `changed` follows if anything did."""
        if not self._looking:
            self._looking = True
            in_background(self, self._look, self._on_looked, self._on_failed)

    def expect(self, run_id: str, word: str, until: Callable[[RunFacts], object] = lambda facts: facts.state) -> None:
        """Show what a run was asked to do, at once, and for as long as `until` gives what it gives now; "" ends it."""
        if facts := self.find(run_id):
            self._asked[run_id] = word, until, until(facts)
            self._show([self._with_asked(replace(each, asked="")) for each in self.facts])

    def _look(self) -> list[RunFacts]:
        found = [self._facts(run) for run in list_runs(self.folder)]
        found = [facts for facts in found if _changed(facts.run.folder)]  # it may have gone while it was read
        self._seen = {facts.id: facts for facts in found}
        places = {id: place for place, id in enumerate(Queue(self.folder).ids(), 1)}
        return [replace(facts, place=0 if facts.state.alive else places.get(facts.id, 0)) for facts in found]

    def _facts(self, run: Run) -> RunFacts:
        """Of a run that has ended, what was seen before: it stays so until its folder changes."""
        stamp = _stamp(run)
        seen = self._seen.get(run.id)
        if seen and seen.stamp == stamp and not seen.state.alive:
            return seen
        best = run.best()
        config = seen.config if seen and seen.config and seen.stamp[-1] == stamp[-1] else _config(run)
        status, ended = run.status(), run.exit()
        state = state_of(status, ended)
        facts = RunFacts(run, run.id, run.label, state, status, ended, config, best is not None, stamp=stamp)
        if not best or best.manifest.validation_loss is None:
            return facts
        loss, bits = best.manifest.validation_loss, best.manifest.metrics.get("bits_per_byte")
        return replace(facts, best_loss=loss, best_step=best.step, best_metric=best.metric, best_bits=bits)

    def _on_looked(self, found: list[RunFacts]) -> None:
        self._looking, self._fault = False, ""
        facts = [self._with_asked(each) for each in found]
        if any(each.id == self._awaited for each in facts):
            self._awaited = ""
        if facts != self.facts or any(each.state == RunState.SILENT for each in facts):  # whose silence grows
            self._show(facts)

    def _with_asked(self, facts: RunFacts) -> RunFacts:
        if facts.id not in self._asked:
            return facts
        word, until, then = self._asked[facts.id]
        if word and until(facts) == then:
            return replace(facts, asked=word)
        del self._asked[facts.id]
        return facts

    def _show(self, facts: list[RunFacts]) -> None:
        self.facts = facts
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self._looking = False
        if str(error) != self._fault:  # said once, though it is tried every second
            self._fault = str(error)
            self.failed.emit(f"The runs in {self.folder} cannot be listed: {error}")


def _stamp(run: Run) -> Stamp:
    folder = str(run.folder)  # of paths as texts: of hundreds of runs, at every look
    return tuple(_changed(os.path.join(folder, name)) for name in TELLING)


def _changed(path: Path | str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _config(run: Run) -> Config | None:
    try:
        return run.config()
    except UserError:
        return None


class RunFollower(QObject):
    """The history of one run, kept up to date; `advanced` carries what has been added."""

    advanced = Signal(list)
    failed = Signal(str)

    def __init__(self, run: Run, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.run = run
        self.history = History()
        self._reader = EventReader(run.folder)
        self._reading = False
        self._fault = ""
        self._timer = QTimer(self, interval=FOLLOW_EVERY_MS)
        self._timer.timeout.connect(self._read_on)
        self._timer.start()
        self._soon = QTimer(self, singleShot=True, interval=CATCH_UP_MS)  # `QTimer.singleShot` keeps a little of each
        self._soon.timeout.connect(self._read_on)
        self._read_on()

    def stop(self) -> None:
        self._timer.stop()
        self.deleteLater()

    def attend(self, attentive: bool) -> None:
        """Read on, or rest while nobody looks."""
        if not attentive:
            self._timer.stop()
        elif not self._timer.isActive():
            self._timer.start()
            self._read_on()

    def _read_on(self) -> None:
        if not self._reading:
            self._reading = True
            in_background(self, self._read, self._on_read, self._on_failed)

    def _read(self) -> list[Block | AnyEvent]:
        return list(blocks(self._reader.read(CHUNK_BYTES)))

    def _on_read(self, items: list[Any]) -> None:
        self._reading, self._fault = False, ""
        if items:
            self.history.extend(items)
            self.advanced.emit(items)
            self._soon.start()

    def _on_failed(self, error: Exception) -> None:
        self._reading = False
        if str(error) != self._fault:  # said once, though it is tried four times a second
            self._fault = str(error)
            self.failed.emit(self._fault)
