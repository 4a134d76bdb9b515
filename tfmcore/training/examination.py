"""A look at every layer: how large its gradient is, how far its weights move, how large its results are."""

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.utils.hooks import RemovableHandle

from tfmcore.messages import LayerState

LAYER = re.compile(r"(?:(?:en|de)coder\.)?layers\.\d+")
ROWS = 16
"""How far weights move is seen from so many rows of each matrix."""
SMALLEST = 1e-6
"""Weights smaller than that, such as those that begin at zero, have no ratio worth a word."""


class Examination:
    """Of one optimizer step: made before its gradient, then `take_gradients`, the update, `finish`. A GPU is waited for
    once, in `finish`."""

    def __init__(self, model: nn.Module) -> None:
        self.parts = layers_of(model)
        self._scales: dict[str, Tensor] = {}
        self._norms: dict[str, Tensor] = {}
        self._before: dict[str, list[tuple[nn.Parameter, Tensor]]] = {}
        self._hooks: list[RemovableHandle] = [
            layer.register_forward_hook(self._hook(name)) for name, layer in self.parts.items()
        ]

    def _hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            result = output[0] if isinstance(output, tuple) else output
            self._scales[name] = result.detach()[0].float().square().mean().sqrt()  # of one sequence

        return keep

    @torch.no_grad()
    def take_gradients(self) -> None:
        """When the gradient is there, before it is clipped."""
        for name, layer in self.parts.items():
            weights = [weight for weight in layer.parameters() if weight.grad is not None]
            if weights:
                self._norms[name] = get_total_norm([weight.grad for weight in weights if weight.grad is not None])
                matrices = [weight for weight in weights if weight.ndim == 2]
                self._before[name] = [(weight, weight.detach()[:ROWS].clone()) for weight in matrices]

    @torch.no_grad()
    def finish(self) -> dict[str, LayerState]:
        """When the weights have moved: what was seen of each layer that learns, by its name."""
        self.stop()
        figures = dict[str, Tensor]()
        for name, pairs in self._before.items():
            if name not in self._scales:
                continue
            moved = get_total_norm([weight.detach()[:ROWS] - before for weight, before in pairs])
            size = get_total_norm([before for _, before in pairs])
            ratio = torch.where(size > SMALLEST, moved / size.clamp(min=SMALLEST), 0.0)
            figures[name] = torch.stack([self._norms[name].float(), ratio.float(), self._scales[name]])
        if not figures:
            return {}
        rows = torch.stack(list(figures.values())).tolist()
        return {
            name: LayerState(gradient_norm=norm, update_ratio=ratio, activation_scale=scale)
            for name, (norm, ratio, scale) in zip(figures, rows, strict=True)
        }

    def stop(self) -> None:
        """Look no more."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()


def layers_of(model: nn.Module) -> dict[str, nn.Module]:
    """The layers of every stack, by their names."""
    return {name: module for name, module in model.named_modules() if LAYER.fullmatch(name)}
