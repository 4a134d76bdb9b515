"""What a training does differently when ranks or threads work on it together; here, all by one process."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from tfmcore.config import TrainingConfig
from tfmcore.data import Batch
from tfmcore.models import Model, ModelOutput
from tfmcore.runs import Manifest
from tfmcore.training.batches import DeviceBatch, to_device
from tfmcore.training.checkpoints import Checkpoints, Written
from tfmcore.training.devices import choose_device
from tfmcore.training.losses import Objective
from tfmcore.training.parallel.full_state import FullState
from tfmcore.training.precision import Precision


class Strategy:
    """One process with all of the model and all of the data. Other strategies override this; of several ranks all call
    each method, in the same order."""

    is_main = True
    """Whether this process writes the run's folder."""
    is_distributed = False
    """Whether there are other ranks, so that weights may be elsewhere, or sharded."""
    local_world_size = 1
    """Ranks that share the cores of this machine."""
    num_shares = 1
    """Shares of a batch that this process computes side by side."""
    uncompiled = ""
    """Why steps are not compiled unless training.compile is always, if they are not."""
    state = FullState()
    """How checkpoints are saved and loaded."""

    def device_for(self, training: TrainingConfig) -> torch.device:
        """Where this process computes; raises UserError for a device that is not there."""
        return choose_device(training.device)

    def parallelize(self, objective: Objective, optimizer: torch.optim.Optimizer) -> None:
        """Leave of the model and its optimizer, which has not stepped, what this rank has."""

    def seed(self, seed: int) -> None:
        """Once the model is made: random numbers from here on, where they must be others than those of other ranks."""

    def in_step(self) -> contextlib.AbstractContextManager[None]:
        """What a gradient, and an update by it, are computed in."""
        return contextlib.nullcontext()

    def local_batch(self, batch: Batch, device: torch.device) -> DeviceBatch:
        """This rank's rows of a batch, on the device; its counts are those of the whole batch."""
        return to_device(batch, device)

    def backward(
        self, objective: Objective, batches: Sequence[DeviceBatch], num_labels: int, precision: Precision
    ) -> Tensor:
        """The gradient of the mean loss over `num_labels` labels; the sum of the loss (nats) over the rows here."""
        nats = torch.zeros((), device=objective.model.device)
        for batch in batches:
            with precision.forward():
                sums = objective(batch)
            precision.backward(sums.objective / num_labels)
            nats += sums.nats.detach()
        return nats

    def loss_and_norm(self, nats: Tensor, weights: Sequence[nn.Parameter]) -> tuple[Tensor, Tensor]:
        """The loss (nats) and the norm of the gradient, over all ranks."""
        return nats, get_total_norm([weight.grad for weight in weights if weight.grad is not None])

    def clip(self, weights: Sequence[nn.Parameter], max_norm: float, norm: Tensor) -> None:
        """Clip the gradient, whose norm is `norm`."""
        clip_grads_with_norm_(weights, max_norm, norm)

    def local(self, tensor: Tensor) -> Tensor:
        """What of a weight, or of its gradient, is here."""
        return tensor

    def num_replicas(self, weight: nn.Parameter) -> int:
        """How many ranks have the same of a weight."""
        return 1

    def reduce_layers(self, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        """The sum over all ranks of what each has found of its layers, (5,) each: three sums over weights, one over
        results, and how many counted in that."""
        return sums

    def all_reduce(self, counts: Tensor) -> Tensor:
        """The sum over all ranks of what was counted in the rows of each."""
        return counts

    def all_names(self, names: list[str]) -> list[str]:
        """Those that any rank gives, each once."""
        return names

    def forward(self, model: Model) -> Callable[..., ModelOutput]:
        """What is called, in place of the model, for the output of batches that no gradient is taken of."""
        return model

    @contextlib.contextmanager
    def main_first(self, wait: Callable[[], None]) -> Iterator[None]:
        """Within, what the main process does once for all: the others do it after, when it is quickly done, and call
        `wait` meanwhile."""
        yield

    def write(self, checkpoints: Checkpoints, manifest: Manifest, fill: Callable[[Path], None]) -> Written:
        """Have all ranks fill a checkpoint."""
        return checkpoints.write(manifest, fill)

    def of_main(self, text: str) -> str:
        """The main process's text."""
        return text

    def broadcast(self, numbers: tuple[float, ...]) -> tuple[float, ...]:
        """Those of the main process, so that all ranks do the same at the same step."""
        return numbers
