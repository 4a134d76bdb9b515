"""The precision of a step: fp32, or mixed precision, in which the weights stay fp32."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from tfmcore.nn.kernels import linear


class Precision:
    """fp32. `scale` is the loss scale, if there is one; a precision that `forgives` skips a step with non-finite
    gradients, and `overflowed` says whether the last one was skipped."""

    dtype: torch.dtype | None = None
    overflowed = False
    caution = ""
    """What to warn of before a run begins."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @property
    def scale(self) -> float | None:
        return None

    @property
    def forgives(self) -> bool:
        return False

    def forward(self) -> contextlib.AbstractContextManager[object]:
        """What the loss is computed in. No cast of a weight is kept, for threads would have it in common, and then the
        order in which a share of a batch adds up the parts of its gradient is chance."""
        if self.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.dtype, cache_enabled=False)

    def scaled(self, loss: Tensor) -> Tensor:
        """What the gradient is taken of."""
        return loss

    def backward(self, loss: Tensor) -> None:
        self.scaled(loss).backward()  # type: ignore[no-untyped-call]

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Make the gradients what they are without the scale."""

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        optimizer.step()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""


class TensorFloat32(Precision):
    """fp32 whose matrix products a GPU computes with mantissas of ten bits, as its tensor cores can since compute
    capability 8.0 (https://docs.pytorch.org/docs/stable/notes/cuda.html); everywhere else it is fp32."""

    def forward(self) -> contextlib.AbstractContextManager[object]:
        return self._allowed()

    def backward(self, loss: Tensor) -> None:
        with self._allowed():
            super().backward(loss)

    @contextlib.contextmanager
    def _allowed(self) -> Iterator[None]:
        if self.device.type != "cuda":
            yield
            return
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)


class BFloat16(Precision):
    """Matrix products in bf16, whose range is that of fp32 (https://arxiv.org/abs/1905.12322). A CPU without such
    products computes those of fp32, which are far faster there."""

    dtype: torch.dtype | None = torch.bfloat16

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        if device.type == "cpu" and not linear.HAS_BF16:
            self.dtype = None
            self.caution = "this CPU has no bf16 matrix products, so fp32 is used"


class Float16(Precision):
    """Matrix products in fp16, whose range is small: the loss scale keeps small gradients from underflow, and a step
    with non-finite gradients is skipped, with a smaller scale from then on
    (https://arxiv.org/abs/1710.03740, section 3.2)."""

    dtype = torch.float16

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        if device.type == "cpu" and not linear.HAS_FP16:
            self.caution = "this CPU has no fp16 matrix products: steps are far faster in fp32"
        self._scaler = torch.amp.GradScaler(device.type)
        self._scaler.scale(torch.zeros((), device=device))  # has the scale made now, not by the first of some threads

    @property
    def scale(self) -> float:
        return float(self._scaler.get_scale())

    @property
    def forgives(self) -> bool:
        """While the scale may be what made them so large."""
        return self.scale >= 1.0

    def scaled(self, loss: Tensor) -> Tensor:
        return self._scaler.scale(loss)

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        before = self.scale
        self._scaler.step(optimizer)
        self._scaler.update()
        self.overflowed = self.scale < before

    def state(self) -> dict[str, Any]:
        return dict(self._scaler.state_dict())

    def load(self, state: dict[str, Any]) -> None:
        self._scaler.load_state_dict(state)


PRECISIONS: dict[str, type[Precision]] = {
    "fp32": Precision,
    "tf32": TensorFloat32,
    "bf16": BFloat16,
    "fp16": Float16,
}
