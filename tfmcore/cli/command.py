"""Asks a training run for something through its control file."""

from typing import Literal

from tfmcore.cli.output import note
from tfmcore.config import UserError
from tfmcore.messages import Command
from tfmcore.runs import Run

Wish = Literal["pause", "resume", "stop", "save_now", "set_learning_rate"]


def send(run: Run, wish: Wish, value: float | None = None) -> int:
    """Ask a run that lives; raises UserError for one that does not. Returns the exit code."""
    state = run.state()
    if not state.alive:
        raise UserError(f"the run {run.label!r} is {state}: it takes no commands (`tfm status` lists the runs)")
    run.command(Command(kind=wish, value=value))
    new = f" {value:g}" if value is not None else " by its schedule" if wish == "set_learning_rate" else ""
    note(f"{run.label}: asked to {wish.replace('_', ' ')}{new}")
    return 0
