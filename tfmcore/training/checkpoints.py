"""How a checkpoint reaches the disk so that no kill, full disk or flipped bit can cost more than the newest one.

It is staged in `.tmp-<step>-<pid>`, every file pushed to the disk, the manifest with their sha256 written last, and
only then renamed to its place.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError

from tfmcore.config import UserError
from tfmcore.patience import patiently
from tfmcore.run_files import read
from tfmcore.runs import Checkpoint, Manifest, ManifestFile, Run
from tfmcore.training.faults import Failure

KEPT = 2
"""The newest checkpoints that stay beside the best: the second is there should the first be damaged."""

SEEN_SECONDS = 120.0
"""So long a machine may take to see what another has written: file systems look again now and then."""
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Written:
    """A new checkpoint; `replaced` says what stood in its place before, if anything."""

    folder: Path
    replaced: str = ""


class Checkpoints:
    """The checkpoints of one run, for the one trainer that has it. Those of every `keep_every` steps stay (0: of none).
    Raises UserError where they cannot be written."""

    def __init__(self, run: Run, keep_every: int = 0) -> None:
        self.run, self.folder, self.keep_every = run, run.folder / "checkpoints", keep_every
        probe = self.folder / f".tmp-probe-{os.getpid()}"
        try:
            self.folder.mkdir(exist_ok=True)
            probe.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(f"checkpoints cannot be written to {self.folder}: {error.strerror}") from None
        for litter in self.folder.glob(".tmp-*"):
            shutil.rmtree(litter, ignore_errors=True)

    def newest_whole(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest one that verifies, and what is wrong with those after it. Raises UserError where there are some,
        but none is whole."""
        faults: list[str] = []
        readable = {checkpoint.folder: checkpoint for checkpoint in self.run.checkpoints()}
        manifests = self.folder.glob("step-*/manifest.json")
        for manifest in sorted(manifests, key=lambda path: (len(path.parent.name), path), reverse=True):
            checkpoint = readable.get(manifest.parent)
            fault = checkpoint.fault() if checkpoint else f"{manifest} is damaged: it is not a manifest"
            if checkpoint and not fault:
                return checkpoint, faults
            faults.append(fault)
        if faults:
            raise UserError(f"no checkpoint of the run is intact ({faults[0]}): start a new run", "\n".join(faults))
        return None, []

    def seen(self, name: str) -> Checkpoint:
        """The one of that name, which the main process, perhaps on another machine, has found whole; raises UserError
        where it does not come to be seen here."""
        folder, deadline = self.folder / name, time.monotonic() + SEEN_SECONDS
        while not (manifest := read(Manifest, folder / "manifest.json")):
            if time.monotonic() > deadline:
                raise UserError(f"{folder} is not seen on {socket.gethostname()}, unlike where the first process is")
            time.sleep(POLL_SECONDS)
        return Checkpoint(folder, manifest)

    def write(self, manifest: Manifest, fill: Callable[[Path], None]) -> Written:
        """Save what `fill` writes into a folder, with `manifest` (its `files` are set here), then delete those that are
        neither new nor best. Raises Failure, with nothing lost, where the disk does not take it."""
        staged = self.folder / f".tmp-{manifest.step}-{os.getpid()}"
        target = self.folder / f"step-{manifest.step:08d}"
        try:
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir()
            fill(staged)
            found = sorted(staged.rglob("*"))
            files = {path.relative_to(staged).as_posix(): _pushed(path) for path in found if path.is_file()}
            for folder in filter(Path.is_dir, found):
                push(folder)
            manifest.model_copy(update={"files": files}).write(staged / "manifest.json")
            push(staged / "manifest.json")
            push(staged)
            replaced = self._clear(target)
            patiently(lambda: staged.rename(target))
            push(self.folder)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(staged, ignore_errors=True)
            raise Failure(self._refusal(manifest.step, error)) from error
        self._delete_old(target)
        return Written(target, replaced)

    def _clear(self, target: Path) -> str:
        """Move away what has the new checkpoint's name: the rest of an earlier life that was cut short there."""
        if not target.exists():
            return ""
        patiently(lambda: _delete(target))
        return f"{target.name} was left by an earlier start of this run and has been replaced"

    def _delete_old(self, newest: Path) -> None:
        """Delete older ones that are not to stay once the newest has been read back whole."""
        checkpoints, best = self.run.checkpoints(), self.run.best()
        if not checkpoints or checkpoints[-1].folder != newest or checkpoints[-1].fault():
            return
        for checkpoint in checkpoints[:-KEPT]:
            stays = self.keep_every and checkpoint.step % self.keep_every == 0
            if not stays and (best is None or checkpoint.folder != best.folder):
                with contextlib.suppress(OSError):  # on Windows, while somebody reads it: the next time
                    _delete(checkpoint.folder)

    def _refusal(self, step: int, error: Exception) -> str:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        sentence = f"the checkpoint of step {step} could not be written to {self.folder}: {reason}"
        steps = [checkpoint.step for checkpoint in self.run.checkpoints()]
        return sentence + (f"; that of step {steps[-1]} is intact, so the run can resume from there" if steps else "")


def _delete(folder: Path) -> None:
    """Delete a checkpoint, all of it or, where it cannot be moved, nothing; raises OSError."""
    aside = folder.with_name(f".tmp-deleted-{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def push(path: Path) -> None:
    """Have the disk keep a file or folder (fsync)."""
    if path.is_dir() and sys.platform == "win32":
        return  # Windows keeps folders by itself and opens none
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL or not path.is_dir():  # a share of Windows, mounted on Linux, pushes no folders
            raise
    finally:
        os.close(descriptor)


def _pushed(path: Path) -> ManifestFile:
    """The manifest's entry of a file that the disk now keeps."""
    path.chmod(0o644)  # safetensors would have nobody else read it
    push(path)
    with open(path, "rb") as file:
        return ManifestFile(sha256=hashlib.file_digest(file, "sha256").hexdigest(), size=path.stat().st_size)
