"""What a run's ancestors learned before it went its own way, to be drawn before its own curves."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.history import Array, History, blocks
from tfmcore.config import UserError
from tfmcore.config.branching import parent_of
from tfmcore.runs import Run

MOST_ANCESTORS = 16


@dataclass(frozen=True)
class Lineage:
    """Steps and losses up to `step`, where the run named by `label` was left."""

    label: str
    step: int
    training: tuple[Array, Array]
    validation: tuple[Array, Array]


def lineage(run: Run) -> Lineage | None:
    """The ancestors of a run that are still there, joined; None for a run that goes on from none."""
    parts: list[Lineage] = []
    upto = None
    for _ in range(MOST_ANCESTORS):
        try:
            parent = parent_of(run.config().training)
        except UserError:
            break
        if parent is None:
            break
        run, step = Run(Path(run.folder).parent / parent.run), parent.step
        upto = step if upto is None else min(upto, step)
        history = History()
        history.extend(blocks(run.events()))
        parts.append(Lineage(run.label, step, _until(history.series("loss"), upto), _until(history.validation(), upto)))
    if not parts:
        return None
    joined = [_joined([getattr(part, name) for part in reversed(parts)]) for name in ("training", "validation")]
    return Lineage(parts[0].label, parts[0].step, joined[0], joined[1])


def _until(points: tuple[Array, Array], step: int) -> tuple[Array, Array]:
    return points[0][points[0] <= step], points[1][points[0] <= step]


def _joined(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    steps, losses = zip(*parts, strict=True)
    return np.concatenate(steps), np.concatenate(losses)
