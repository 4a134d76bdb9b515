"""Where the machines of a run meet: a folder for each life of the run, in the run's own, which all of them see.

A life goes on while its end has not been told and a machine is there; whoever comes after that begins the next one.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tfmcore.config import UserError
from tfmcore.locks import held
from tfmcore.runs import Run, RunState, Status, own_status

MEETING = "TFM_MEETING"
"""Names, in a worker's environment, the file by which the processes meet."""
FOLDER = ".meeting"
WAITING = "waiting for the other machines"
ALONE_SECONDS = 30.0


@contextmanager
def meeting(run: Run, num_hosts: int) -> Iterator[Path]:
    """Be, within, at the place of the life that goes on, or of a new one. Raises UserError where the run has a trainer
    already."""
    with ExitStack() as seat:
        with _alone(run):
            place, status = _place(run, num_hosts), waiting()
            if not run.state().alive:
                status.write(run.folder / "status.json")
            seat.enter_context(held(_seat(place, status), 0.0))
        yield place


@contextmanager
def last_word(run: Run, place: Path) -> Iterator[bool]:
    """Whether the end of the life at `place` is still to be told; within, nobody else tells it or begins another."""
    with _alone(run):
        yield run.exit() is None and _lives(run)[-1] == place


def waiting() -> Status:
    """What the run's folder says while this machine waits for others."""
    return own_status(RunState.PREPARING, os.getpid(), phase=WAITING)


def _place(run: Run, num_hosts: int) -> Path:
    lives, status = _lives(run), run.status()
    present = [seat for seat in lives[-1].glob("*.host") if _is_taken(seat)] if lives and not run.exit() else []
    if present and len(present) < num_hosts:
        return lives[-1]
    killed = lives and status and _seat(lives[-1], status).exists()  # nobody sits there, though the status is fresh
    if present or (run.state().alive and not killed):
        raise UserError(f"the run {run.label!r} has a trainer already")
    run.forget_last_life()
    place = run.folder / FOLDER / f"life-{len(lives) + 1:04}"
    place.mkdir()
    return place


def _lives(run: Run) -> list[Path]:
    return sorted((run.folder / FOLDER).glob("life-*"))


def _seat(place: Path, status: Status) -> Path:
    """A file that the launcher which a status names has for itself while it is at the place."""
    return place / f"{status.host}-{status.pid}.host"


def _is_taken(seat: Path) -> bool:
    with held(seat, 0.0) as free:
        return not free


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    (run.folder / FOLDER).mkdir(exist_ok=True)
    with held(run.folder / FOLDER / "lock", ALONE_SECONDS) as ours:
        if not ours:
            raise UserError(f"the run {run.label!r} is being started on another machine: try again")
        yield
