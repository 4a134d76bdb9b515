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
        raise UserError(f"the run {run.label!r} is {state}: it can be asked for nothing (`tfm status` lists the runs)")
    run.command(Command(kind=wish, value=value))
    note(f"{run.label}: asked to {wish.replace('_', ' ')}{'' if value is None else f' {value:g}'}")
    return 0
