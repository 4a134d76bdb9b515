"""Probe points: identity modules that give a name to each tensor worth looking at, or worth changing; and whether
anybody looks."""

from collections.abc import Iterable

from torch import Tensor, nn


class Probe(nn.Identity):
    """Passes its input on. A forward hook on it sees the tensor; one that returns a tensor replaces it."""

    def __call__(self, x: Tensor) -> Tensor:
        """`x` itself, without the work of a call, where nobody looks."""
        if not self._forward_hooks:
            return x
        result: Tensor = super().__call__(x)
        return result


def probes(model: nn.Module) -> dict[str, Probe]:
    """Every probe of `model` by its name, such as `decoder.layers.0.self_attention.probe_q`."""
    return {name: module for name, module in model.named_modules() if isinstance(module, Probe)}


class Hooks:
    """The forward hooks of modules: true while there is one, for then somebody waits for the modules to be called."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._hooks = [hooks for each in modules for hooks in (each._forward_hooks, each._forward_pre_hooks)]

    def __bool__(self) -> bool:
        return any(self._hooks)
