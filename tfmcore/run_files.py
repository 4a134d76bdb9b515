"""The small files of a run folder, as its trainer writes them and everybody reads them."""

import hashlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tfmcore.messages import EVENTS, AnyEvent
from tfmcore.patience import patiently

HEARTBEAT_SECONDS = 2.0
SILENT_AFTER_SECONDS = 20.0
STARTING = "starting"
"""The phase in which a trainer's process has been started but has said nothing yet."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
BOOT = _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""
"""Names the time since this machine was last switched on, where the system (Linux) has a name for it."""


class RunState(StrEnum):
    """What a run is doing, as anybody who looks at its folder can tell."""

    WAITING = "waiting"
    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    SILENT = "not responding"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def alive(self) -> bool:
        return self in ALIVE

    @property
    def resumable(self) -> bool:
        return self in (RunState.INTERRUPTED, RunState.STOPPED, RunState.FAILED)


ALIVE = {RunState.PREPARING, RunState.RUNNING, RunState.PAUSED, RunState.STOPPING, RunState.SILENT}


D = TypeVar("D", bound="Document")


class Document(BaseModel):
    """A small JSON file that is replaced whole, so that a reader never sees half of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def write(self, path: Path) -> None:
        temporary = path.with_name(f".{path.name}-{os.getpid()}")
        temporary.write_text(self.model_dump_json(), encoding="utf-8")
        patiently(lambda: temporary.replace(path))


class About(Document):
    """run.json: `label` is what the user calls the run; the folder's name is its id."""

    id: str
    label: str
    created: float


class Status(Document):
    """status.json, replaced by the trainer every two seconds. `started` is the process's `start_time`: with the pid it
    and the `boot` it names one process of this host. `heartbeat` is the wall clock, `ticks` the host's monotonic one,
    which nobody sets. `done` of `total` counts within the `phase` of the preparation. `loss` is the training loss, a
    mean over the last steps; `epoch` are the passes over the training data so far, and `peak_memory` are the most bytes
    that the process has had: of its GPU, or else of the machine, torch and all libraries included."""

    state: RunState
    step: int = 0
    steps: int = 0
    pid: int
    started: float
    host: str
    boot: str = ""
    heartbeat: float
    ticks: float = 0.0
    phase: str = ""
    done: int = 0
    total: int = 0
    loss: float | None = None
    epoch: float | None = None
    seconds_left: float | None = None
    peak_memory: int | None = None

    @property
    def is_local(self) -> bool:
        return self.host == socket.gethostname()

    @property
    def is_ours(self) -> bool:
        """Whether it is this process's, or of the one that started it: as Python's own launcher does on Windows."""
        return self.is_local and self.pid in (os.getpid(), os.getppid())

    @property
    def age(self) -> float:
        """Seconds since the last heartbeat."""
        return time.monotonic() - self.ticks if self.is_local else time.time() - self.heartbeat


class Exit(Document):
    """exit.json, written by the trainer when it ends by itself. `code` is its process's: 0 well, 1 a failure, 2 bad
    input; `remedy` are options, `section.name=value`, with which it can go on."""

    state: RunState
    step: int
    sentence: str = ""
    details: str = ""
    code: int = 0
    remedy: list[str] = Field(default_factory=list)
    time: float = Field(default_factory=time.time)


class ManifestFile(BaseModel):
    sha256: str
    size: int


class Manifest(Document):
    """manifest.json of a checkpoint: written last, so a checkpoint without one is not whole. The best has the lowest
    `score`, which is the validation loss unless it is said; `metrics` are what else the validation found."""

    step: int
    validation_loss: float | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    score: float | None = None
    threads: int = 1
    data_fingerprint: str = ""
    files: dict[str, ManifestFile]


@dataclass(frozen=True)
class Checkpoint:
    folder: Path
    manifest: Manifest

    @property
    def score(self) -> float:
        known = (self.manifest.score, self.manifest.validation_loss, float("inf"))
        return next(score for score in known if score is not None)

    @property
    def metric(self) -> float | None:
        """The task's metric, where that is what the score is of; None where it is the validation loss."""
        score = self.manifest.score
        return None if score in (None, self.manifest.validation_loss) else -(score or 0.0)

    @property
    def step(self) -> int:
        return self.manifest.step

    def fault(self) -> str:
        """What is wrong with the files, as a sentence; empty when every sha256 fits. Reads all of them."""
        for name, expected in self.manifest.files.items():
            path = self.folder / name
            try:
                with open(path, "rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                return f"{path} cannot be read: {error.strerror}"
            if digest != expected.sha256:
                return f"{path} is damaged: its sha256 is not the one in the manifest"
        return ""


def read(document: type[D], path: Path) -> D | None:
    """The document at `path`, or None where it is missing or half a document."""
    try:
        return document.model_validate_json(patiently(path.read_bytes))
    except (OSError, ValidationError, json.JSONDecodeError):
        return None


def is_process(pid: int, started: float, boot: str) -> bool:
    """Whether `pid` is alive and the process that started then (process ids are used again)."""
    try:
        same = boot == BOOT and abs(start_time(pid) - started) < 2.0
        return same and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def start_time(pid: int) -> float:
    """When a process started. On Linux in seconds since boot, for there the wall time of it moves with the clock."""
    created = psutil.Process(pid).create_time()
    return created - psutil.boot_time() if sys.platform == "linux" else created


def own_status(state: RunState, pid: int, **fields: Any) -> Status:
    """The status of a process of this host, with a heartbeat of now."""
    return Status(
        state=state, pid=pid, started=start_time(pid), host=socket.gethostname(), boot=BOOT, heartbeat=time.time(),
        ticks=time.monotonic(), **fields,
    )  # fmt: skip


class EventReader:
    """Follows events.jsonl: each `read` yields the events added since; a cut last line waits for its end."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "events.jsonl"
        self._offset = 0

    def read(self, max_bytes: int = -1) -> Iterator[AnyEvent]:
        """New events in order, of `max_bytes` at most (-1: all) unless the first is longer. A line that is none, cut by
        a kill or of a newer version, is passed over."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                data = file.read(max_bytes)
                if b"\n" not in data:
                    data += file.readline()
        except FileNotFoundError:
            return
        end = data.rfind(b"\n") + 1
        self._offset += end
        for line in data[:end].splitlines():
            try:
                yield EVENTS.validate_json(line)
            except ValidationError:
                continue
