"""The learning-rate range test: the loss while the rate rises, and the rate that it suggests.

https://arxiv.org/abs/1506.01186, section 3.3.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from tfmcore.config import Config, UserError
from tfmcore.config.branching import check_branch, parent_of
from tfmcore.data import Dataset, Progress, micro_batches, prepare
from tfmcore.runs import Checkpoint, Run
from tfmcore.training.batches import to_device
from tfmcore.training.devices import choose_device, threads_chosen
from tfmcore.training.ingredients import class_weights_of, dataset_of, model_of, saved_model
from tfmcore.training.learner import Learner
from tfmcore.training.state import load_state

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 120
SMOOTHING = 0.8
BLOWN_UP = 1.4
"""The test ends where the loss is so many times the lowest, or is no number."""
BELOW = 6.0
"""The rate that is suggested is so many times below the one at which the loss is lowest, or the highest tried."""


@dataclass
class RateRange:
    """Rates in rising order, and the loss (nats per label, smoothed) just before the step that each took."""

    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    _mean: float = 0.0

    def add(self, rate: float, loss: float) -> bool:
        """Take a step in; whether the test goes on."""
        if not math.isfinite(loss):
            return False
        self._mean = SMOOTHING * self._mean + (1 - SMOOTHING) * loss
        self.rates.append(rate)
        self.losses.append(self._mean / (1 - SMOOTHING ** len(self.rates)))
        return self.losses[-1] < BLOWN_UP * min(self.losses)

    @property
    def suggestion(self) -> float:
        """With two digits; raises UserError where the loss never fell."""
        best = min(range(len(self.losses)), key=self.losses.__getitem__, default=0)
        if not best:
            raise UserError("the loss did not fall at any learning rate: check the labels, or try a shallower model")
        return float(f"{self.rates[best] / BELOW:.1e}")


def rate_range(
    config: Config, progress: Progress, lowest: float = LOWEST, highest: float = HIGHEST, steps: int = STEPS
) -> RateRange:
    """Train from the beginning, or from the checkpoint that the config branches from, at a rate that rises by the same
    factor each step. Nothing is kept, and torch's random state stays. Raises UserError for bounds that do not rise, and
    for data or a model that cannot be used."""
    if not 0 < lowest < highest:
        raise UserError(f"the learning rate must rise: {lowest:g} is not below {highest:g}")
    dataset, checkpoint = _beginning(config, progress)
    found = RateRange()
    with threads_chosen(config.training.threads), torch.random.fork_rng():
        torch.manual_seed(config.training.seed)
        for number, (rate, loss) in enumerate(_steps(config, dataset, checkpoint, lowest, highest, steps), 1):
            progress("raising the learning rate", number, steps)
            if not found.add(rate, loss):
                break
    return found


def _beginning(config: Config, progress: Progress) -> tuple[Dataset, Checkpoint | None]:
    """The data, read with the tokenizer of the checkpoint that a branch goes on from, if it is one."""
    check_branch(config)
    if not (parent := parent_of(config.training)):
        return prepare(config, progress), None
    run = Run(Path(config.training.branch_from).parent.parent)
    checkpoint = run.checkpoint_before(parent.step)
    return dataset_of(config, run, checkpoint, progress, is_main=False)[0], checkpoint


def _steps(
    config: Config, dataset: Dataset, checkpoint: Checkpoint | None, lowest: float, highest: float, steps: int
) -> Iterator[tuple[float, float]]:
    """Each step's rate, and the loss before it."""
    training, device = config.training, choose_device(config.training.device)
    model, counters, _ = model_of(saved_model(config, dataset, checkpoint), training, device, checkpoint)
    learner = Learner(model.train(), config.data.task, training, class_weights=class_weights_of(training, dataset))
    if checkpoint:
        load_state(checkpoint.folder, learner, counters)
    batches = dataset.train.batches(training.sequences_per_step, training.seed, counters.step)
    useful = (batch for batch in batches if batch.num_labels)
    for number, batch in zip(range(steps), useful, strict=False):
        group = [to_device(piece, device) for piece in micro_batches(batch, training.accumulation)]
        rate = lowest * (highest / lowest) ** (number / max(1, steps - 1))
        loss, norm = learner.gradient(group)
        yield rate, loss
        if not (math.isfinite(norm) or learner.precision.forgives):
            return
        learner.update(rate)
