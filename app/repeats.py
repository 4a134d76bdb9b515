"""Runs that differ in nothing but the seed: how they do on average, and how far apart they are."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.history import Array
from app.run_watch import RunFacts


class Spread(NamedTuple):
    """Of some losses; `deviation` is the sample's standard deviation."""

    mean: float
    deviation: float


class Together(NamedTuple):
    """Of some curves, by the points of all of them: (n,) each."""

    x: Array
    mean: Array
    low: Array
    high: Array


def apart_from_seed(facts: RunFacts) -> str:
    """What a run has in common with those that only begin from another seed; its id where its config is unknown."""
    return facts.config.model_dump_json(exclude={"training": {"seed"}}) if facts.config else facts.id


def repeats(runs: Sequence[RunFacts], sames: Sequence[str]) -> list[list[RunFacts]]:
    """The runs in groups, in the order of the first of each; `sames` says for each run what its group has in common."""
    found = defaultdict[str, list[RunFacts]](list)
    for facts, same in zip(runs, sames, strict=True):
        found[same].append(facts)
    return list(found.values())


def spread_of(group: Sequence[RunFacts]) -> Spread | None:
    """Of their best validation losses; None where fewer than two have one."""
    losses = [facts.best_loss for facts in group if facts.best_loss is not None]
    return Spread(statistics.mean(losses), statistics.stdev(losses)) if len(losses) > 1 else None


def together(curves: Sequence[tuple[Array, Array]]) -> Together:
    """Each curve (x, y) counts where it is, with straight lines between its points."""
    known = [(x, y) for x, y in curves if len(x)]
    at = np.unique(np.concatenate([x for x, _ in known])) if known else np.empty(0)
    if not len(at):
        return Together(at, at, at, at)
    table = np.array([np.interp(at, x, y, left=np.nan, right=np.nan) for x, y in known])
    there = np.isfinite(table)
    at, table, there = at[there.any(0)], table[:, there.any(0)], there[:, there.any(0)]
    mean = np.where(there, table, 0).sum(0) / there.sum(0)
    return Together(at, mean, np.where(there, table, np.inf).min(0), np.where(there, table, -np.inf).max(0))
