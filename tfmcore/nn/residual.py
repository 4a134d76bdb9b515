"""The residual connection around every sublayer, and where its norm stands."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn


class ResidualConnection(nn.Module):
    """pre: x + f(norm(x)) (https://arxiv.org/abs/2002.04745); post: norm(x + f(x)), as in 2017; dropout on f(x)."""

    def __init__(self, norm: nn.Module, placement: Literal["pre", "post"] = "pre", dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = norm
        self.placement = placement
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        return self.after(x, sublayer(self.before(x)))

    def before(self, x: Tensor) -> Tensor:
        """What the sublayer gets."""
        return self.norm(x) if self.placement == "pre" else x

    def after(self, x: Tensor, result: Tensor) -> Tensor:
        """What the sublayer's result becomes."""
        x = x + self.dropout(result)
        return self.norm(x) if self.placement == "post" else x
