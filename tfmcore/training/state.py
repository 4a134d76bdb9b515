"""What a checkpoint holds beside the model, so that training goes on to the bit: optimizer, random states, counters."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import safetensors.torch
import torch
from pydantic import BaseModel, Field, ValidationError
from torch import Tensor

from tfmcore.config import UserError
from tfmcore.messages import Evaluated
from tfmcore.nn.low_rank import unmerged
from tfmcore.training.health import Watch
from tfmcore.training.optimizers import states_of

if TYPE_CHECKING:
    from tfmcore.training.learner import Learner

COUNTERS, TENSORS = "trainer.json", "optimizer.safetensors"

Way = Literal["no", "layers", "stacks", "graphs"]
"""Not compiled; each layer compiled, or each stack of them; into CUDA graphs, a GPU's calls being made all at once."""


class Counters(BaseModel):
    """Where the training stands. `evaluated` is the last validation, and `stale` counts those since the best one; one
    that a stop has cut off is `owed`. `learning_rate` is set where a person has taken the schedule's place; `new` names
    the weights that the model it began from did not have. Steps left out because gradients were too large for fp16 are
    `overflows`; `precision` is what its scale goes on from. `averaged` counts the steps that the average of the weights
    has taken in. `compiled` says how steps are computed, by kind of device, `batch_size` how many sequences at once,
    and `shares` in how many parts these. `watch` knows what is usual."""

    step: int = 0
    evaluated: Evaluated | None = None
    best_score: float | None = None
    best_step: int | None = None
    stale: int = 0
    owed: bool = False
    skipped_steps: int = 0
    learning_rate: float | None = None
    new: list[str] = []
    overflows: int = 0
    precision: dict[str, Any] = {}
    averaged: int = 0
    compiled: dict[str, Way] = {}
    batch_size: int = 0
    shares: int = 1
    watch: Watch = Field(default_factory=Watch)

    def branch(self, score: float) -> None:
        """Leave with the parent what it was asked for and what it found: what is to be beaten is the `score` of the
        checkpoint from which the branch goes on."""
        self.learning_rate, self.evaluated, self.stale, self.owed = None, None, 0, False
        self.best_score, self.best_step = score, self.step
        self.watch.begin_anew()

    def measure_anew(self) -> None:
        """Forget what was found on other data than there are now: nothing can be compared with it."""
        self.evaluated, self.stale, self.best_score, self.best_step = None, 0, None, None
        self.watch.begin_anew()


def save_state(folder: Path, learner: "Learner", counters: Counters) -> None:
    """Write `trainer.json`, and `optimizer.safetensors`: the optimizer's tensors by weight, the random states, and what
    model.safetensors does not tell of a model with low-rank updates, or of one that is an average."""
    model, averages = learner.objective.model, learner.averages
    tensors = {f"random.{name}": state for name, state in random_states().items()}
    names = {weight: name for name, weight in model.named_parameters()}
    untold = unmerged(model)
    if averages:
        pairs = zip(averages.weights, averages.values, strict=True)
        tensors |= {f"average.{name}": value.cpu() for w, value in pairs if (name := names[w]) in untold}
        untold = untold | {names[weight]: weight for weight in averages.weights}
    tensors |= {f"weight.{name}": weight.detach().cpu().contiguous() for name, weight in untold.items()}
    for name, weight in model.named_parameters():
        for key, value in learner.optimizer.state.get(weight, {}).items():
            tensors[f"{name}.{key}"] = value.detach().cpu().contiguous()
    learner.parallel.state.save(tensors, folder)
    counters.precision, counters.averaged = learner.precision.state(), averages.count if averages else 0
    if learner.parallel.is_main:
        (folder / COUNTERS).write_text(counters.model_dump_json(), encoding="utf-8")


def save_tensors(tensors: dict[str, Tensor], folder: Path) -> None:
    safetensors.torch.save_file(tensors, folder / TENSORS)


def load_tensors(folder: Path) -> dict[str, Tensor]:
    """Raises OSError and SafetensorError."""
    return safetensors.torch.load((folder / TENSORS).read_bytes())


def load_state(folder: Path, learner: "Learner", counters: Counters) -> None:
    """Put back what `save_state` wrote, into a learner that has taken no step and whose weights are those of
    model.safetensors; raises UserError. An optimizer of another kind begins anew."""
    model, averages = learner.objective.model, learner.averages
    names = {weight: name for name, weight in model.named_parameters()}
    try:
        tensors = learner.parallel.state.load(model, folder)
        set_random_states(
            {name: tensors[f"random.{name}"] for name in ("cpu", "cuda", "mps") if f"random.{name}" in tensors}
        )
        untold = unmerged(model)
        with torch.no_grad():
            for weight, name in names.items():
                if name in untold or f"weight.{name}" in tensors:
                    weight.copy_(tensors[f"weight.{name}"])
    except (OSError, safetensors.SafetensorError, KeyError) as error:
        raise UserError(f"{folder} holds no training state to resume from: {error}") from None
    for weight, keys in states_of(learner.optimizer).items():
        state = {key: tensors[f"{names[weight]}.{key}"] for key in keys if f"{names[weight]}.{key}" in tensors}
        if len(state) == len(keys):
            learner.optimizer.state[weight] = {key: value.to(weight.device) for key, value in state.items()}
    if averages:
        averages.count = counters.averaged
        for weight, value in zip(averages.weights, averages.values, strict=True):
            if (name := names[weight]) in untold:
                value.copy_(tensors.get(f"average.{name}", weight.detach()))
    if counters.precision:
        learner.precision.load(counters.precision)


def load_counters(folder: Path) -> Counters:
    """Where the training stood that wrote `folder`; raises UserError."""
    try:
        return Counters.model_validate_json((folder / COUNTERS).read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(f"{folder} holds no training state to resume from: {error}") from None


def random_states() -> dict[str, Tensor]:
    """torch's random state of the processor and, where there is one, of the GPU, as uint8."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states: dict[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    if "mps" in states and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states["mps"])
