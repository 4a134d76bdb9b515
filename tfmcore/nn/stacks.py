"""Stacks of layers: what their layers share (masks, positions) is made here, once for all of them."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tfmcore.nn.cache import Cache
from tfmcore.nn.convolution import Convolution
from tfmcore.nn.layers import DecoderLayer, EncoderLayer
from tfmcore.nn.mask import Band, Mask, Timeline
from tfmcore.nn.positions import Positions

Weights = tuple[Tensor, ...] | None
"""The attention of each layer, (B, H, T, S) each, or None where it was not asked for."""


class Stack(nn.Module):
    """Layers, the position plug-in that they share, and the norm after the last of them. Layers with a window are
    rotated by `local_positions`, if there is such."""

    def __init__(
        self,
        layers: Sequence[EncoderLayer] | Sequence[DecoderLayer],
        positions: Positions | None = None,
        norm: nn.Module | None = None,
        local_positions: Positions | None = None,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.bands = [layer.self_attention.band for layer in layers]
        self.positions = positions or Positions()
        self.local_positions = local_positions
        self.norm = norm or nn.Identity()
        self.gradient_checkpointing = False

    def masks(self, timeline: Timeline) -> dict[Band, Mask]:
        """The mask of each band among the layers."""
        bias = self.positions.bias(timeline.queries, timeline.keys)
        relative = self.positions.relative(timeline.queries, timeline.keys)
        return {band: timeline.mask(band, bias)._replace(relative=relative) for band in set(self.bands)}

    def rotations(self, timeline: Timeline) -> dict[Band, Tensor | None]:
        """What each band among the layers rotates queries and keys by."""
        rotation = self.positions.rotation(timeline.queries)
        local = rotation if self.local_positions is None else self.local_positions.rotation(timeline.queries)
        return {band: rotation if band[0] is None else local for band in set(self.bands)}

    def run(self, layer: nn.Module, *inputs: Any) -> Any:
        """One layer; with gradient checkpointing its activations are computed again in the backward pass."""
        if self.gradient_checkpointing and self.training and torch.is_grad_enabled():
            return checkpoint(layer, *inputs, use_reentrant=False)
        return layer(*inputs)


class EncoderStack(Stack):
    """Layers that read a whole sequence, the first of them beside a convolution if there is one."""

    def __init__(self, *arguments: Any, convolution: Convolution | None = None, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.convolution = convolution

    def forward(
        self, x: Tensor, timeline: Timeline | None = None, return_attention: bool = False
    ) -> tuple[Tensor, Weights]:
        """x (B, T, D) → (B, T, D), and each layer's attention if asked for."""
        timeline = timeline or Timeline.of(x)
        masks, rotations, start = self.masks(timeline), self.rotations(timeline), x
        attentions = []
        for i, (layer, band) in enumerate(zip(self.layers, self.bands, strict=True)):
            x, weights = self.run(layer, x, masks[band], rotations[band], return_attention)
            if i == 0 and self.convolution is not None:
                x = self.convolution(start, x, timeline.real)
            attentions.append(weights)
        return self.norm(x), tuple(attentions) if return_attention else None


class DecoderStack(Stack):
    """Layers that write a sequence, alone or looking at a memory."""

    def forward(
        self,
        x: Tensor,
        timeline: Timeline | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: Cache | None = None,
        return_attention: bool = False,
    ) -> tuple[Tensor, Weights, Weights]:
        """x (B, T, D) → (B, T, D), and each layer's attention and cross-attention if asked for. `memory` (B, S, D)
        with `memory_mask` (B, S) is projected once where a cache keeps it; with a cache, x is the newest tokens. Where
        texts share a row, `memory_mask` are document numbers, as the timeline has them."""
        timeline = timeline or Timeline.of(x)
        masks, rotations = self.masks(timeline), self.rotations(timeline)
        memories = self.memories(memory, memory_mask, cache)
        memory_mask = memory_mask if cache is None else cache.memory_mask
        if timeline.documents is None or memory_mask is None:
            far = Mask.of_padding(memory_mask)
        else:
            far = Mask.of_documents(timeline.documents, memory_mask)
        attentions, cross_attentions = [], []
        for i, layer in enumerate(self.layers):
            near, rotation = masks[self.bands[i]], rotations[self.bands[i]]
            keep = None if cache is None else cache.layers[i]
            x, weights, cross = self.run(layer, x, near, rotation, return_attention, memories[i], far, keep)
            attentions.append(weights)
            cross_attentions.append(cross)
        has_cross = return_attention and cross_attentions[0] is not None
        return (
            self.norm(x),
            tuple(attentions) if return_attention else None,
            tuple(cross_attentions) if has_cross else None,
        )

    def memories(self, memory: Tensor | None, memory_mask: Tensor | None, cache: Cache | None) -> list[Any]:
        """What each layer's cross-attention looks at: the memory, or its projection from the cache."""
        if cache is None or (memory is None and not cache.memories):
            return [memory] * len(self.layers)
        if not cache.memories:
            cache.memories = [cast(Any, layer).cross_attention.project(memory) for layer in self.layers]
            cache.memory_mask = memory_mask
        return cache.memories
