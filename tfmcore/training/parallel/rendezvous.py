"""The rendezvous of the machines of a run: a folder for each life of the run, in the run's own, which all of them see.

A life goes on while its end has not been told and a machine is there; whoever comes after that begins the next one.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tfmcore.config import UserError
from tfmcore.locks import held
from tfmcore.runs import Run, RunState, Status, own_status

RENDEZVOUS = "TFM_RENDEZVOUS"
"""Names, in a worker's environment, the file by which the ranks join their process group."""
LAUNCHER = "TFM_LAUNCHER"
"""Has the process id of a worker's launcher there, which is not its parent where another program stands between."""
FOLDER = ".rendezvous"
WAITING = "waiting for the other machines"
ALONE_SECONDS = 30.0
VERSIONS = "versions.json"
PACKAGES = ("torch", "transformer-playground")
"""What machines that share a run must have alike."""


@contextmanager
def rendezvous(run: Run, num_hosts: int) -> Iterator[Path]:
    """Within, take part in the life that goes on, or in a new one; yields its folder. Raises UserError where the run
    has a trainer already."""
    with ExitStack() as until_the_end:
        with _alone(run):
            life, status = _current_life(run, num_hosts), waiting()
            if not run.state().alive:
                status.write(run.folder / "status.json")
            until_the_end.enter_context(held(_lock(life, status.host, status.pid), 0.0))
        yield life


@contextmanager
def last_word(run: Run, life: Path) -> Iterator[bool]:
    """Whether the end of a life is still to be told; within, nobody else tells it or begins another."""
    with _alone(run):
        yield run.exit() is None and _lives(run)[-1] == life


def check_versions(life: Path) -> None:
    """Raise UserError where this machine has not the versions of the one that began a life."""
    here, there = versions(), json.loads((life / VERSIONS).read_text(encoding="utf-8"))
    for name in PACKAGES:
        if here[name] != there[name]:
            theirs = f"{there['host']} has {there[name]}"
            raise UserError(f"{here['host']} has {name} {here[name]}, but {theirs}: install the same on all machines")


def versions() -> dict[str, str]:
    """What this machine is called and has of PACKAGES, whatever device torch is built for."""
    found = {"host": socket.gethostname()}
    for name in PACKAGES:
        try:
            found[name] = version(name).partition("+")[0]
        except PackageNotFoundError:
            found[name] = "(not installed)"
    return found


def takes_part(run: Run, pid: int) -> bool:
    """Whether the launcher of that process id, on this machine, has come to the last life."""
    return bool(lives := _lives(run)) and _lock(lives[-1], socket.gethostname(), pid).exists()


def waiting() -> Status:
    """What the run's folder says while this machine waits for others."""
    return own_status(RunState.PREPARING, os.getpid(), phase=WAITING)


def _current_life(run: Run, num_hosts: int) -> Path:
    lives, status = _lives(run), run.status()
    present = [lock for lock in lives[-1].glob("*.host") if _is_taken(lock)] if lives and not run.exit() else []
    if present and len(present) < num_hosts:
        return lives[-1]
    # by one that was killed, and whose lock nobody holds though its status is fresh
    killed = lives and status and _lock(lives[-1], status.host, status.pid).exists()
    if present or (run.state().alive and not killed):
        raise UserError(f"the run {run.label!r} has a trainer already")
    run.forget_last_life()
    life = run.folder / FOLDER / f"life-{len(lives) + 1:04}"
    life.mkdir()
    (life / VERSIONS).write_text(json.dumps(versions()), encoding="utf-8")
    return life


def _lives(run: Run) -> list[Path]:
    return sorted((run.folder / FOLDER).glob("life-*"))


def _lock(life: Path, host: str, pid: int) -> Path:
    """A file that a launcher holds while it takes part."""
    return life / f"{host}-{pid}.host"


def _is_taken(lock: Path) -> bool:
    with held(lock, 0.0) as free:
        return not free


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    (run.folder / FOLDER).mkdir(exist_ok=True)
    with held(run.folder / FOLDER / "lock", ALONE_SECONDS) as ours:
        if not ours:
            raise UserError(f"the run {run.label!r} is being started on another machine: try again")
        yield
