"""The optimizer, made from the config: AdamW for all weights, or beside Muon for the hidden matrices."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

from tfmcore.config import TrainingConfig
from tfmcore.config.parts import EMBEDDINGS
from tfmcore.training.late_compiler import load_compiler_late

STATE = {AdamW: ("step", "exp_avg", "exp_avg_sq"), Muon: ("momentum_buffer",)}
"""What each optimizer keeps of a weight."""
LAYER = re.compile(r"(encoder|decoder)\.layers\.(\d+)\.")


def make_optimizer(model: nn.Module, config: TrainingConfig) -> Optimizer:
    """The weights that learn, each with its share of the rate. Matrices decay; norms, biases and other vectors do not.

    AdamW (https://arxiv.org/abs/1711.05101) is fused. Muon (https://kellerjordan.github.io/posts/muon/) has its updates
    made as large as AdamW's are, so that the same rate suits both (https://arxiv.org/abs/2502.16982, §2.2).
    """
    load_compiler_late()
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    scales = rate_scales((name for name, _ in model.named_parameters()), config.layer_decay)
    hidden = {name for name, weight in weights.items() if config.optimizer == "muon" and is_hidden(name, weight)}
    rest = [name for name in weights if name not in hidden]
    adamw = AdamW(
        _groups(weights, rest, scales, config.weight_decay),
        lr=config.learning_rate, betas=(config.beta1, config.beta2), eps=config.epsilon, fused=True,
    )  # fmt: skip
    if not hidden:
        return adamw
    groups = [group for group in _groups(weights, hidden, scales, config.weight_decay) if group["params"]]
    muon = Muon(groups, lr=config.learning_rate, momentum=config.momentum, adjust_lr_fn="match_rms_adamw")
    return ChainedOptimizer([muon, adamw])


def is_hidden(name: str, weight: nn.Parameter) -> bool:
    """Whether it is a matrix between one layer's features and another's: neither an embedding nor a head."""
    return weight.ndim == 2 and LAYER.match(name) is not None


def _groups(
    weights: dict[str, nn.Parameter], names: Iterable[str], scales: dict[str, float], decay: float
) -> list[dict[str, Any]]:
    chosen = set(names)
    return [
        {
            "params": [
                w for name, w in weights.items() if name in chosen and scales[name] == scale and (w.ndim >= 2) == matrix
            ],
            "weight_decay": decay if matrix else 0.0,
            "rate_scale": scale,
        }
        for scale in sorted(set(scales.values()), reverse=True)
        for matrix in (True, False)
    ]


class ChainedOptimizer(Optimizer):
    """Several optimizers as one: their groups, their states, and a step of each."""

    def __init__(self, parts: Sequence[Optimizer]) -> None:
        super().__init__([weight for part in parts for group in part.param_groups for weight in group["params"]], {})
        self.parts = parts
        self.param_groups = [group for part in parts for group in part.param_groups]
        for part in parts:
            part.state = self.state

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        assert closure is None, "nothing is computed again within a step"
        for part in self.parts:
            part.step()


def states_of(optimizer: Optimizer) -> dict[nn.Parameter, tuple[str, ...]]:
    """What is kept of each weight, by name."""
    parts = optimizer.parts if isinstance(optimizer, ChainedOptimizer) else [optimizer]
    return {weight: STATE[type(part)] for part in parts for group in part.param_groups for weight in group["params"]}


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


def is_guarded(optimizer: Optimizer) -> bool:
    """Whether `step_guarded` is for it: on a GPU, AdamW's kernel clips gradients as it reads them."""
    return type(optimizer) is AdamW and all(
        weight.is_cuda for group in optimizer.param_groups for weight in group["params"]
    )


def step_guarded(optimizer: Optimizer, norm: Tensor, most: float, found: Tensor) -> None:
    """A step of gradients that are shortened from `norm` to `most` (0: not at all), unless one of the numbers `found`
    is none: on the device alone, by the means that loss scaling has there."""
    shortened = (norm / most).clamp(min=1.0) if most else None
    vars(optimizer).update(grad_scale=shortened, found_inf=1.0 - found.isfinite().all().float())
    optimizer.step()


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_scale"]
