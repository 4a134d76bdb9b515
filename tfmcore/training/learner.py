"""One optimizer step: the gradient of the batches' mean loss, in the precision that was chosen, and what follows."""

import contextlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tfmcore.config import TrainingConfig
from tfmcore.config.shares import num_shares
from tfmcore.models import Model
from tfmcore.training.averages import Averages
from tfmcore.training.batches import DeviceBatch
from tfmcore.training.compiled import CompiledLayers
from tfmcore.training.losses import Objective
from tfmcore.training.optimizers import is_guarded, make_optimizer, set_learning_rate, step_guarded
from tfmcore.training.parallel.strategy import Strategy
from tfmcore.training.parallel.threads import Threads
from tfmcore.training.precision import PRECISIONS


class PendingNumbers:
    """Numbers on their way from a device, which is waited for when they are read."""

    def __init__(self, numbers: Tensor) -> None:
        self._numbers, self._arrived = numbers.to("cpu", non_blocking=numbers.is_cuda), None
        if numbers.is_cuda:
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._arrived.record()

    def read(self) -> list[float]:
        if self._arrived is not None:
            self._arrived.synchronize()
        found: list[float] = self._numbers.tolist()
        return found


class Learner:
    """A model with its objective and its optimizer. `gradient`, then `update`, is a step."""

    def __init__(
        self,
        model: Model,
        task: str,
        training: TrainingConfig,
        parallel: Strategy | None = None,
        class_weights: Tensor | None = None,
    ) -> None:
        self.task, self.training, self.device = task, training, model.device
        self.parallel = parallel or alone(model, training)
        self.objective = Objective(model, task, training.label_smoothing, class_weights)
        self.compiled = CompiledLayers(self.objective, math.ceil(training.batch_size / self.parallel.num_shares))
        self.optimizer = make_optimizer(model, training)
        self.parallel.parallelize(self.objective, self.optimizer)
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.precision = PRECISIONS[training.precision](self.device)
        self.averages = Averages(self.weights, training.ema_decay) if training.ema_decay else None
        never_waits = self.precision.scale is None and not self.parallel.is_distributed
        self.is_guarded = never_waits and is_guarded(self.optimizer)
        """A step whose loss is no number leaves the weights as they are: `update` need not wait for it to be read."""

    def gradient(self, batches: Sequence[DeviceBatch]) -> tuple[float, float]:
        """Loss (nats per label) and the gradient's norm, over all labels of the batches, so that accumulation equals a
        large batch; the norm is taken before clipping."""
        loss, norm = self.begin(batches).read()
        return loss, norm

    def begin(self, batches: Sequence[DeviceBatch]) -> PendingNumbers:
        """`gradient`, for whose numbers nobody waits yet."""
        num_labels = sum(batch.num_labels for batch in batches)
        with self.parallel.in_step(), self.compiled.in_step():
            nats = self.parallel.backward(self.objective, batches, num_labels, self.precision)
            self.precision.unscale(self.optimizer)
            nats, self.norm = self.parallel.loss_and_norm(nats, self.weights)
        self._found = torch.stack([nats / num_labels, self.norm])
        return PendingNumbers(self._found)

    def update(self, learning_rate: float) -> None:
        """Clip the gradient, and step."""
        most = self.training.gradient_clip
        with self.parallel.in_step():
            set_learning_rate(self.optimizer, learning_rate)
            if self.is_guarded:
                step_guarded(self.optimizer, self.norm, most, self._found)
            else:
                if most and (self.norm.is_cuda or self.norm > most):
                    self.parallel.clip(self.weights, most, self.norm)
                self.precision.step(self.optimizer)
            self.optimizer.zero_grad(set_to_none=True)
            if self.averages and not self.precision.overflowed:
                self.averages.update()

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """Within it the model is the one that is measured and kept: the average of its weights, if there is one."""
        return self.averages.in_place() if self.averages else contextlib.nullcontext()

    def drop(self) -> None:
        """Forget the gradient."""
        self.optimizer.zero_grad(set_to_none=True)


def alone(model: Model, training: TrainingConfig) -> Strategy:
    """How one process computes a step: in shares of each batch, where that is faster."""
    logits = training.batch_size * model.config.context_length * model.vocab_size
    count = num_shares(training, model.num_parameters(), logits, model.device.type, torch.get_num_threads())
    return Threads(count) if count > 1 else Strategy()
