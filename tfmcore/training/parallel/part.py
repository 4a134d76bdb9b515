"""What a training does differently when processes or threads share it; here, all by one process."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from tfmcore.config import TrainingConfig
from tfmcore.data import Batch
from tfmcore.inference.opened import OpenedModel
from tfmcore.models import Model, ModelOutput, save_weights
from tfmcore.runs import Manifest
from tfmcore.training.batches import DeviceBatch, place
from tfmcore.training.checkpoints import Checkpoints, Written
from tfmcore.training.devices import choose_device
from tfmcore.training.losses import Objective
from tfmcore.training.parallel.places import places_of
from tfmcore.training.precision import Precision
from tfmcore.training.state import TENSORS, load_tensors, save_tensors


class Parallel:
    """One process with all of the model and all of the data. What is handed to a trainer that shares its work with
    others overrides all of this; each method is then called by all processes, in the same order."""

    first = True
    """Whether this process writes the run's folder."""
    num_neighbours = 1
    """Processes that share the cores of this machine."""
    is_alone = True
    """Whether all weights are here, as plain tensors."""
    num_shares = 1
    """Shares of a batch that this process computes side by side."""
    uncompiled = ""
    """Why steps are not compiled unless training.compile is always, if they are not."""

    def device_for(self, training: TrainingConfig) -> torch.device:
        """Where this process computes; raises UserError for a device that is not there."""
        return choose_device(training.device)

    def spread(self, objective: Objective, optimizer: torch.optim.Optimizer) -> None:
        """Keep of the model and its optimizer, which has not stepped, what is this process's share."""

    def seed(self, seed: int) -> None:
        """Once the model is made: random numbers from here on, where they must be others than those of others."""

    def in_step(self) -> contextlib.AbstractContextManager[None]:
        """What a gradient, and an update by it, are computed in."""
        return contextlib.nullcontext()

    def place(self, batch: Batch, device: torch.device) -> DeviceBatch:
        """This process's share of a batch, on the device; its counts are those of the whole batch."""
        return place(batch, device)

    def backward(
        self, objective: Objective, batches: Sequence[DeviceBatch], num_labels: int, precision: Precision
    ) -> Tensor:
        """The gradient of the mean loss over `num_labels` labels; the sum of the loss (nats) over this share."""
        nats = torch.zeros((), device=objective.model.device)
        for batch in batches:
            with precision.forward():
                sums = objective(batch)
            precision.backward(sums.objective / num_labels)
            nats += sums.nats.detach()
        return nats

    def totals(self, nats: Tensor, weights: Sequence[nn.Parameter]) -> tuple[Tensor, Tensor]:
        """The loss (nats) and the norm of the gradient, over all shares."""
        return nats, get_total_norm([weight.grad for weight in weights if weight.grad is not None])

    def clip(self, weights: Sequence[nn.Parameter], most: float, norm: Tensor) -> None:
        """Shorten the gradient, whose length is `norm`, to `most`."""
        clip_grads_with_norm_(weights, most, norm)

    def held(self, tensor: Tensor) -> Tensor:
        """What of a weight, or of its gradient, this process has."""
        return tensor

    def copies_of(self, weight: nn.Parameter) -> int:
        """How many processes have the same of a weight."""
        return 1

    def layer_sums(self, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        """The sum over all processes of what each has found of its layers, (5,) each: three sums over weights, one over
        results, and how many counted in that."""
        return sums

    def held_out(self, batch: Batch, device: torch.device) -> DeviceBatch:
        """This process's share of a batch that is only asked about; its counts are those of the whole batch."""
        return place(batch, device)

    def total(self, sums: Tensor) -> Tensor:
        """The sum over all shares of what was counted in this one."""
        return sums

    def measured(self, model: Model) -> Callable[..., ModelOutput]:
        """What is asked, in place of the model, for an answer to shares of batches."""
        return model

    @contextlib.contextmanager
    def in_turn(self, wait: Callable[[], None]) -> Iterator[None]:
        """Within, what the first process does once for all: the others do it after, when it is quickly done, and call
        `wait` meanwhile."""
        yield

    @contextlib.contextmanager
    def whole(self, opened: OpenedModel) -> Iterator[OpenedModel | None]:
        """A model that this process can use by itself, if it is to: the whole of it, as it is now."""
        yield opened

    def write(self, checkpoints: Checkpoints, manifest: Manifest, fill: Callable[[Path], None]) -> Written:
        """Have all fill a checkpoint."""
        return checkpoints.write(manifest, fill)

    def save_weights(self, model: Model, path: Path) -> None:
        """Write the whole model's weights."""
        save_weights(model, path)

    def save_tensors(self, model: Model, tensors: dict[str, Tensor], folder: Path) -> None:
        """Write what a training needs beside the weights, by the keys of `tfmcore.training.state`."""
        save_tensors(tensors, folder)

    def load_tensors(self, model: Model, folder: Path) -> dict[str, Tensor]:
        """This process's share of what was written, by however many; raises OSError, SafetensorError."""
        if (folder / TENSORS).is_file():
            return load_tensors(folder)
        from tfmcore.training.parallel.storage import FOLDER, load_shards  # loads what one process has no use for

        found = load_shards(folder / FOLDER, places_of(model), lambda _: None)
        return found | {"random.cpu": found["random.cpu.0"]}

    def agree(self, wishes: tuple[float, ...]) -> tuple[float, ...]:
        """What the first process was asked for, so that all obey at the same step."""
        return wishes
