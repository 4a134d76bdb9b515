"""A look at every layer: how large its gradient is, how far its weights move, how large its results are."""

import math
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tfmcore.messages import LayerState
from tfmcore.models import Model
from tfmcore.training.parallel.strategy import Strategy

LAYER = re.compile(r"(?:(?:en|de)coder\.)?layers\.\d+")
ROWS = 16
"""How far weights move is seen from so many rows of each matrix, of each process's part of it."""
SMALLEST = 1e-6
"""Weights smaller than that, such as those that begin at zero, have no ratio worth a word."""


class Examination:
    """Of one optimizer step: made before its gradient, then `take_gradients`, the update, `finish`. A GPU is waited for
    once, in `finish`. Ranks look at once, each at what it has."""

    def __init__(self, model: Model, parallel: Strategy | None = None) -> None:
        self.parts, self.parallel, self.device = layers_of(model), parallel or Strategy(), model.device
        self._squares: dict[str, Tensor] = {}
        self._gradients: dict[str, Tensor] = {}
        self._before: dict[str, list[tuple[nn.Parameter, Tensor]]] = {}
        self._thread = threading.get_ident()  # which computes the first sequence, whatever others do
        self._hooks: list[RemovableHandle] = [
            layer.register_forward_hook(self._hook(name)) for name, layer in self.parts.items()
        ]

    def _hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            if name not in self._squares and threading.get_ident() == self._thread:
                result = output[0] if isinstance(output, tuple) else output
                self._squares[name] = result.detach()[0].float().square().mean()  # of the first sequence

        return keep

    @torch.no_grad()
    def take_gradients(self) -> None:
        """When the gradient is there, before it is clipped."""
        for name, layer in self.parts.items():
            pairs = [(weight, weight.grad) for weight in layer.parameters() if weight.grad is not None]
            if pairs:
                self._gradients[name] = self._square(pairs)
                matrices = [weight for weight, _ in pairs if weight.ndim == 2]
                self._before[name] = [(weight, self._rows(weight).clone()) for weight in matrices]

    @torch.no_grad()
    def finish(self) -> dict[str, LayerState]:
        """When the weights have moved: what was seen of each layer that learns, by its name."""
        self.stop()
        sums = dict[str, Tensor]()
        for name, pairs in self._before.items():
            if name in self._squares:
                moved = self._square((weight, self._rows(weight) - before) for weight, before in pairs)
                seen = self._squares[name]
                sums[name] = torch.stack(
                    [self._gradients[name], moved, self._square(pairs), seen, torch.ones_like(seen)]
                )
        if not (sums := self.parallel.reduce_layers(sums)):
            return {}
        rows = torch.stack(list(sums.values())).tolist()
        return {name: _state(*row) for name, row in zip(sums, rows, strict=True) if row[-1]}

    def stop(self) -> None:
        """Look no more."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _rows(self, weight: nn.Parameter) -> Tensor:
        return self.parallel.local(weight.detach())[:ROWS]

    def _square(self, pairs: Iterable[tuple[nn.Parameter, Tensor]]) -> Tensor:
        """The sum of squares of numbers that belong to weights, of which each counts once, however many have it."""
        pairs = list(pairs)
        norms = torch._foreach_norm([self.parallel.local(tensor) for _, tensor in pairs]) if pairs else ()
        counts = [self.parallel.num_replicas(weight) for weight, _ in pairs]
        own = [norm / math.sqrt(count) for norm, count in zip(norms, counts, strict=True)]
        return torch.stack(own).square().sum() if own else torch.zeros((), device=self.device)


def _state(gradient: float, moved: float, size: float, square: float, count: float) -> LayerState:
    """By sums of squares, and the mean square of so many processes' results."""
    ratio = math.sqrt(moved / size) if math.sqrt(size) > SMALLEST else 0.0
    return LayerState(gradient_norm=math.sqrt(gradient), update_ratio=ratio, activation_scale=math.sqrt(square / count))


def layers_of(model: nn.Module) -> dict[str, nn.Module]:
    """The layers of every stack that are here, by their names."""
    named = ((name, module) for name, module in model.named_modules() if LAYER.fullmatch(name))
    return {name: layer for name, layer in named if next(layer.parameters(), None) is not None}
