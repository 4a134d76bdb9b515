"""The optimizer, made from the config."""

import re
from collections.abc import Iterable

import torch
from torch import nn

from tfmcore.config import TrainingConfig
from tfmcore.config.parts import EMBEDDINGS

LAYER = re.compile(r"(encoder|decoder)\.layers\.(\d+)\.")


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW (https://arxiv.org/abs/1711.05101), fused. Matrices decay; norms, biases and other vectors do not."""
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    scales = rate_scales((name for name, _ in model.named_parameters()), config.layer_decay)
    groups = [
        {
            "params": [w for name, w in weights.items() if scales[name] == scale and (w.ndim >= 2) == is_matrix],
            "weight_decay": config.weight_decay if is_matrix else 0.0,
            "rate_scale": scale,
        }
        for scale in sorted(set(scales.values()), reverse=True)
        for is_matrix in (True, False)
    ]
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), eps=config.epsilon, fused=True
    )


def rate_scales(names: Iterable[str], decay: float) -> dict[str, float]:
    """Weight → share of the learning rate: `decay` to the power of the layers above it, in a stack of its own, and one
    more for the embeddings, below the deepest; 1 for the rest (https://arxiv.org/abs/2003.10555, appendix B)."""
    places = {name: LAYER.match(name) for name in names}
    depths: dict[str, int] = {}
    for place in places.values():
        if place:
            depths[place[1]] = max(depths.get(place[1], 0), int(place[2]) + 1)
    below = {name: depths[place[1]] - int(place[2]) for name, place in places.items() if place}
    below |= {name: max(depths.values(), default=0) + 1 for name in places if name.startswith(EMBEDDINGS)}
    return {name: decay ** below.get(name, 0) for name in places}


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_scale"]
