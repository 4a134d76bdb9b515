"""A run folder: the protocol between the trainer that writes it and every window or terminal that watches it."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import psutil

from tfmcore.config import Config, SavedModel, UserError, load_config, to_toml
from tfmcore.config.branching import Beginning, check_branch
from tfmcore.config.resuming import changed
from tfmcore.messages import AnyEvent, Command
from tfmcore.patience import patiently
from tfmcore.run_files import (
    HEARTBEAT_SECONDS,
    SILENT_AFTER_SECONDS,
    STARTING,
    About,
    Checkpoint,
    EventReader,
    Exit,
    Manifest,
    ManifestFile,
    RunState,
    Status,
    is_process,
    own_status,
    read,
    start_time,
)

__all__ = [
    "HEARTBEAT_SECONDS",
    "SILENT_AFTER_SECONDS",
    "STARTING",
    "Checkpoint",
    "EventReader",
    "Exit",
    "Manifest",
    "ManifestFile",
    "Run",
    "RunState",
    "Status",
    "find_model",
    "find_run",
    "is_process",
    "list_runs",
    "own_status",
    "start_detached",
    "start_time",
    "start_trainer",
    "state_of",
]


class Run:
    """One run folder. Reading never blocks on the trainer and never fails on a half-written file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, runs: Path, config: Config, label: str, place: int | None = None) -> "Run":
        """A new folder in `runs`, named after the time, its `place` in a sweep, of which many are made in the same
        second, and the label; raises UserError where it cannot be written, and ConfigError where it cannot go on from
        the checkpoint that it names."""
        check_branch(config)
        slug = re.sub(r"[^a-z0-9]+", "-", unicodedata.normalize("NFKD", label).lower()).strip("-")[:40].strip("-")
        ordered = "" if place is None else f"-{place:04d}"
        stem = time.strftime("%Y%m%d-%H%M%S") + ordered + (f"-{slug}" if slug else "")
        try:
            runs.mkdir(parents=True, exist_ok=True)
            folder = _new_folder(runs, stem)
            try:
                return cls(folder)._begin(config, label)
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        except OSError as error:
            raise UserError(f"a run cannot be made in {runs}: {error.strerror}") from None

    @classmethod
    def open(cls, folder: Path, config: Config) -> "Run":
        """The run of `config` in this very folder, which is made where it is missing; raises UserError."""
        run = cls(folder)
        if (folder / "run.toml").is_file():
            if run.config() != config:
                raise UserError(f"{folder} contains a run of another config: choose another folder")
            return run
        check_branch(config)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return run._begin(config, folder.name)
        except OSError as error:
            raise UserError(f"a run cannot be made in {folder}: {error.strerror}") from None

    def _begin(self, config: Config, label: str) -> "Run":
        label = " ".join(label.split())[:200] or self.id
        About(id=self.id, label=label, created=time.time()).write(self.folder / "run.json")
        (self.folder / "checkpoints").mkdir(exist_ok=True)
        if config.training.branch_from:
            self._adopt(config)
        self._write_config(config)  # last, so that whoever lists the runs sees a whole one
        return self

    def _write_config(self, config: Config) -> None:
        whole = self.folder / ".run.toml"
        whole.write_text(to_toml(config), encoding="utf-8")
        patiently(lambda: whole.replace(self.folder / "run.toml"))

    def _adopt(self, config: Config) -> None:
        """Begin with a checkpoint of another run, which may delete it soon. It has a score here only where those of
        this run can be compared with it."""
        checkpoint = Path(config.training.branch_from)
        staged = self.folder / "checkpoints" / f".tmp-{checkpoint.name}"
        shutil.copytree(checkpoint, staged, dirs_exist_ok=True)
        manifest = read(Manifest, staged / "manifest.json")
        if manifest and not Beginning.read(checkpoint).is_measured_as(config):
            manifest.model_copy(update={"score": None, "validation_loss": None, "metrics": {}}).write(
                staged / "manifest.json"
            )
        patiently(lambda: staged.rename(staged.with_name(checkpoint.name)))

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def label(self) -> str:
        about = read(About, self.folder / "run.json")
        return about.label if about else self.id

    def rename(self, label: str) -> None:
        about = read(About, self.folder / "run.json") or About(id=self.id, label=label, created=time.time())
        label = " ".join(label.split())[:200] or self.id
        about.model_copy(update={"label": label}).write(self.folder / "run.json")

    def config(self) -> Config:
        return load_config(self.folder / "run.toml")

    def change(self, overrides: Iterable[str]) -> None:
        """Set options with which the run is to go on; raises UserError while it trains, ConfigError for others."""
        if (state := self.state()).alive:
            raise UserError(f"the run {self.label!r} is {state}: its options cannot change now")
        self._write_config(changed(self.config(), overrides))

    def status(self) -> Status | None:
        return read(Status, self.folder / "status.json")

    def exit(self) -> Exit | None:
        return read(Exit, self.folder / "exit.json")

    def state(self) -> RunState:
        """What the folder and, on this host, the process say together."""
        return state_of(self.status(), self.exit())

    def events(self) -> Iterator[AnyEvent]:
        yield from EventReader(self.folder).read()

    def command(self, command: Command) -> None:
        """Append to control.jsonl; the trainer reads it before each step."""
        with open(self.folder / "control.jsonl", "a", encoding="utf-8") as file:
            file.write(command.model_dump_json(exclude_none=True) + "\n")

    def checkpoints(self) -> list[Checkpoint]:
        """The whole checkpoints by step, oldest first; their files are not verified."""
        folders = sorted((self.folder / "checkpoints").glob("step-*"), key=lambda folder: (len(folder.name), folder))
        found = ((folder, read(Manifest, folder / "manifest.json")) for folder in folders)
        return [Checkpoint(folder, manifest) for folder, manifest in found if manifest]

    @property
    def saved_step(self) -> int:
        """The step of the newest checkpoint, 0 where there is none."""
        return max((checkpoint.step for checkpoint in self.checkpoints()), default=0)

    def checkpoint_before(self, step: int | None = None) -> Checkpoint:
        """The newest one at or before a step (None: of all). Raises UserError, with the steps that there are, for
        none."""
        found = self.checkpoints()
        if before := [checkpoint for checkpoint in found if step is None or checkpoint.step <= step]:
            return before[-1]
        if not found:
            raise UserError(f"the run {self.label!r} has no checkpoint yet: let it train until its first one")
        kept = ", ".join(str(checkpoint.step) for checkpoint in found)
        raise UserError(f"the run {self.label!r} has no checkpoint at or before step {step}; it has {kept}")

    def best(self) -> Checkpoint | None:
        """The checkpoint of lowest score (of several, and without one, the newest), of those that were measured on the
        same data as the newest."""
        found = self.checkpoints()
        alike = [each for each in found if each.manifest.data_fingerprint == found[-1].manifest.data_fingerprint]
        return min(reversed(alike), key=lambda checkpoint: checkpoint.score, default=None)

    def kill(self, signal: Literal["terminate", "kill"] = "kill") -> bool:
        """Signal the trainer if, and only if, it is the very process that status.json names; says whether."""
        status = self.status()
        if not status or not status.is_local or not is_process(status.pid, status.started, status.boot):
            return False
        try:
            process = psutil.Process(status.pid)
            workers = self.workers(status.pid) if signal == "kill" else []
            process.resume()
            process.kill() if signal == "kill" else process.terminate()
        except psutil.NoSuchProcess:
            return False
        for worker in workers:  # they would end by themselves, but not one that has been stopped
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()
        return True

    def workers(self, pid: int | None = None) -> list[psutil.Process]:
        """The processes that a launcher, by default this process, has started to share the run."""
        found = []
        for process in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if str(self.folder) in process.cmdline():
                    found.append(process)
        return found

    def forget_last_life(self) -> None:
        """Before a trainer starts: what the one before it said of itself, and what it was asked, is void."""
        for file in (self.folder / name for name in ("exit.json", "status.json", "control.jsonl")):
            patiently(partial(file.unlink, missing_ok=True))


def list_runs(runs: Path) -> list[Run]:
    """The runs in a folder, newest first."""
    if not runs.is_dir():
        return []
    return [Run(f) for f in sorted(runs.iterdir(), reverse=True) if os.path.isfile(f / "run.toml")]


def find_run(name: str, runs: Path) -> Run:
    """The run that `name` means: a path, an id in `runs`, or a label; raises UserError."""
    for folder in (Path(name), runs / Path(name).name):
        if os.path.isfile(folder / "run.toml"):  # unlike Path.is_file, also of what no file can be called
            return Run(folder)
    if labelled := [run for run in list_runs(runs) if run.label == name]:
        return labelled[0]
    raise UserError(f"there is no run {name!r} in {runs}")


def find_model(name: str, runs: Path | None = None) -> Path:
    """The model folder that `name` means: itself, or the best checkpoint of a run; raises UserError."""
    folder = Path(name)
    if os.path.isfile(folder / "config.json"):
        return folder
    if runs is None or folder.is_absolute():
        runs = folder.parent
    if os.path.isdir(folder) and not any(os.path.isfile(f / "run.toml") for f in (folder, runs / folder.name)):
        SavedModel.read(folder)
    run = find_run(name, runs)
    if not (best := run.best()):
        raise UserError(f"the run {run.label!r} has no checkpoint yet: let it train until its first one")
    return best.folder


def state_of(status: Status | None, ended: Exit | None) -> RunState:
    """The state of a run whose folder says that, and whose process, on this host, is there or is not."""
    if ended:
        return ended.state
    if not status:
        return RunState.WAITING
    if not status.is_local:
        return status.state if status.age < SILENT_AFTER_SECONDS * 3 else RunState.INTERRUPTED
    if not is_process(status.pid, status.started, status.boot):
        return RunState.INTERRUPTED
    return RunState.SILENT if status.age > SILENT_AFTER_SECONDS else status.state


def start_trainer(run: Run) -> subprocess.Popen[bytes]:
    """Start or go on with a run in a process of its own that outlives the caller; its output goes to log.txt. Raises
    UserError where it trains already."""
    if (state := run.state()).alive:
        raise UserError(f"the run {run.label!r} is {state}: it has a trainer already")
    run.forget_last_life()
    command = [sys.executable, "-m", "tfmcore", "train", "--continue", str(run.folder)]
    process = start_detached(command, run.folder / "log.txt", {"OMP_WAIT_POLICY": "PASSIVE", **os.environ})
    # The trainer writes its own status soon; until then this one lets a death at its start be seen.
    own_status(RunState.PREPARING, process.pid, phase=STARTING).write(run.folder / "status.json")
    return process


def start_detached(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """A process of its own that outlives the caller, whose output goes to the end of `log`."""
    flags: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        # With a console that is not shown: programs that it starts would open one each if it had none.
        flags = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    with open(log, "ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, **flags
        )
    threading.Thread(target=process.wait, daemon=True).start()  # no zombie, should the caller live longer
    return process


def _new_folder(runs: Path, stem: str) -> Path:
    for number in range(1, 10_000):
        folder = runs / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise UserError(f"{runs} holds too many runs called {stem}")
