"""A run's events as arrays to plot: what was lost by an interruption and trained again counts once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfmcore.messages import (
    AnyEvent,
    Changed,
    Evaluated,
    Examined,
    Failed,
    Finished,
    Noticed,
    Sampled,
    Saved,
    Started,
    Stepped,
    Warned,
)

GROWTH = 4
"""Room that is not yet used costs no memory, but moving a million steps costs a frame."""
MEASURES = ("loss", "learning_rate", "gradient_norm", "tokens_per_second", "seconds")
Notable = Changed | Warned | Noticed | Failed | Finished | Saved

Array = np.ndarray[Any, Any]


class Column:
    """A growing array: appending is amortised, reading is a view."""

    def __init__(self) -> None:
        self._data = np.empty(1024)
        self._size = 0

    def extend(self, values: Array) -> None:
        size = self._size + len(values)
        if size > len(self._data):
            grown = np.empty(max(size, GROWTH * len(self._data)))
            grown[: self._size] = self._data[: self._size]
            self._data = grown
        self._data[self._size : size] = values
        self._size = size

    def cut(self, size: int) -> None:
        self._size = min(self._size, size)

    @property
    def values(self) -> Array:
        return self._data[: self._size]


@dataclass(frozen=True)
class Block:
    """Consecutive Stepped events: `steps` (n,) and `measures` (n, len(MEASURES))."""

    steps: Array
    measures: Array


def blocks(events: Iterable[AnyEvent]) -> Iterator[Block | AnyEvent]:
    """Runs of Stepped events packed into arrays, the other events between them: the heavy part, for a thread."""
    rows: list[tuple[float, ...]] = []
    for event in events:
        if isinstance(event, Stepped):
            speed = event.tokens / event.seconds if event.seconds else np.nan
            rows.append((event.step, event.loss, event.learning_rate, event.gradient_norm, speed, event.seconds))
            continue
        if rows:
            yield _block(rows)
            rows = []
        yield event
    if rows:
        yield _block(rows)


def _block(rows: list[tuple[float, ...]]) -> Block:
    table = np.array(rows)
    return Block(table[:, 0], table[:, 1:])


@dataclass
class History:
    """What a run has said so far. `version` grows with every change."""

    started: Started | None = None
    evaluations: list[Evaluated] = field(default_factory=list)
    samples: list[Sampled] = field(default_factory=list)
    notables: list[Notable] = field(default_factory=list)
    examinations: list[Examined] = field(default_factory=list)
    scales: list[tuple[int, float]] = field(default_factory=list)
    version: int = 0

    def __post_init__(self) -> None:
        self._steps = Column()
        self._measures = {name: Column() for name in MEASURES}

    @property
    def step(self) -> int:
        return int(self._steps.values[-1]) if len(self._steps.values) else 0

    def series(self, measure: str) -> tuple[Array, Array]:
        """Steps and values of one of MEASURES, as views."""
        return self._steps.values, self._measures[measure].values

    def spent(self, unit: str) -> Array:
        """The "tokens" or "seconds" that the steps of `series` have taken up to each of them, validations apart."""
        seconds = self._measures["seconds"].values
        each = seconds if unit == "seconds" else np.round(seconds * self._measures["tokens_per_second"].values)
        return np.nancumsum(each)

    def validation(self, metric: str = "loss") -> tuple[Array, Array]:
        """Steps and values of the validation loss or of a metric."""
        points = [(e.step, e.loss if metric == "loss" else e.metrics.get(metric, np.nan)) for e in self.evaluations]
        table = np.array(points, dtype=float).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def loss_scale(self) -> tuple[Array, Array]:
        """What the loss is multiplied by in fp16, as stairs: a step and the value where each begins and where it ends;
        empty in other precisions."""
        begins, values = np.array(self.scales, dtype=float).reshape(-1, 2).T
        ends = np.maximum(begins, np.append(begins[1:], self.step)[: len(begins)])
        return np.column_stack([begins, ends]).ravel(), np.repeat(values, 2)

    @property
    def learning_rate(self) -> float | None:
        """What has taken the schedule's place; None while nothing has."""
        changes = [e for e in self.notables if isinstance(e, Changed) and e.setting == "learning_rate"]
        return changes[-1].value if changes else None

    def extend(self, items: Iterable[Block | AnyEvent]) -> None:
        for item in items:
            self.version += 1
            match item:
                case Block():
                    self._steps.extend(item.steps)
                    for column, values in zip(self._measures.values(), item.measures.T, strict=True):
                        column.extend(values)
                case Started():
                    self._forget_after(item.step)
                    self.started = item
                    if item.loss_scale:
                        self.scales.append((item.step, item.loss_scale))
                case Evaluated():
                    self.evaluations.append(item)
                case Sampled():
                    self.samples.append(item)
                case Examined():
                    self.examinations.append(item)
                case Changed(setting="loss_scale", value=float(scale)):
                    self.notables.append(item)
                    self.scales.append((item.step, scale))
                case Changed() | Warned() | Noticed() | Failed() | Finished() | Saved():
                    self.notables.append(item)

    def _forget_after(self, step: int) -> None:
        """A run that goes on after `step` trains the later steps anew."""
        size = int(np.searchsorted(self._steps.values, step, side="right"))
        for column in (self._steps, *self._measures.values()):
            column.cut(size)
        self.evaluations = [event for event in self.evaluations if event.step <= step]
        self.samples = [event for event in self.samples if event.step <= step]
        self.scales = [(at, scale) for at, scale in self.scales if at <= step]
        self.examinations = [event for event in self.examinations if event.step <= step]
        self.notables = [event for event in self.notables if event.step <= step or not isinstance(event, Changed)]
