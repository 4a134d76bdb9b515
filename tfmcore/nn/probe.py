"""Probe points: identity modules that give a name to each tensor worth looking at, or worth changing."""

from typing import TYPE_CHECKING

from torch import Tensor, nn


class Probe(nn.Identity):
    """Passes its input on. A forward hook on it sees the tensor; one that returns a tensor replaces it."""

    if TYPE_CHECKING:

        def __call__(self, x: Tensor) -> Tensor: ...


def probes(model: nn.Module) -> dict[str, Probe]:
    """Every probe of `model` by its name, such as `decoder.layers.0.self_attention.probe_q`."""
    return {name: module for name, module in model.named_modules() if isinstance(module, Probe)}
