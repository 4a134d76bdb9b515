"""Layer norm and RMS norm over the last dimension."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LayerNorm(nn.LayerNorm):
    """(x - mean) / √(variance + eps) · weight + bias (https://arxiv.org/abs/1607.06450)."""

    def __init__(self, d_model: int, eps: float = 1e-5, bias: bool = True) -> None:
        super().__init__(d_model, eps, bias=bias)


class RMSNorm(nn.Module):
    """x / √(mean(x²) + eps) · weight (https://arxiv.org/abs/1910.07467)."""

    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.weight.dtype)  # autocast may hand in less
        if x.device.type == "cpu" and torch.is_grad_enabled() and not torch.compiler.is_compiling():
            return cast(Tensor, _TrainedOnCPU.apply(x, self.weight, self.eps))  # type: ignore[no-untyped-call]
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class _TrainedOnCPU(torch.autograd.Function):
    """RMS norm with its gradient written out: torch has no kernel of it for the CPU, and differentiates a dozen small
    operations instead, in twice the time."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        inverse: Tensor = (
            torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        )
        normed = x * inverse
        ctx.save_for_backward(normed, inverse, weight)
        return normed * weight

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        normed, inverse, weight = ctx.saved_tensors
        both = gradient * normed
        along = (both @ weight)[..., None] / -len(weight)
        into_x = torch.addcmul(gradient * weight, normed, along).mul_(inverse)
        return into_x, both.flatten(0, -2).sum(0), None
