"""A run's loss curve at a glance: read at a few places of its events, however many there are."""

import numpy as np
from pydantic import ValidationError

from app.history import Array
from tfmcore.messages import EVENTS, Stepped
from tfmcore.runs import Run

POINTS = 120
LINES = 8
"""How many lines are looked at in one place: between two steps there may stand a validation and samples."""


def loss_outline(run: Run) -> tuple[Array, Array]:
    """(P,) steps in order and (P,) training losses, P ≤ POINTS; steps trained again after a restart count once."""
    losses: dict[int, float] = {}
    try:
        with open(run.folder / "events.jsonl", "rb") as file:
            size = file.seek(0, 2)
            for place in np.linspace(0, size, POINTS, endpoint=False).astype(int).tolist():
                file.seek(place)
                if place:
                    file.readline()  # the rest of a line
                for line in (file.readline() for _ in range(LINES)):
                    if (step := _stepped(line)) is not None:
                        losses = {known: loss for known, loss in losses.items() if known < step.step}
                        losses[step.step] = step.loss
                        break
    except FileNotFoundError:
        pass
    return np.array(list(losses), dtype=float), np.array(list(losses.values()), dtype=float)


def _stepped(line: bytes) -> Stepped | None:
    try:
        event = EVENTS.validate_json(line)
    except ValidationError:
        return None
    return event if isinstance(event, Stepped) else None
