"""The residual connection around every sublayer, and where its norm stands."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from tfmcore.nn.dropout import Dropout

Placement = Literal["pre", "post", "sandwich", "parallel"]


class ResidualConnection(nn.Module):
    """pre: x + f(norm(x)) (https://arxiv.org/abs/2002.04745); post: norm(x + f(x)), as in 2017; sandwich:
    x + norm_after(f(norm(x))) (https://arxiv.org/abs/2408.00118); parallel: x + f(norm(start)), where `start` is what
    the layer was given (https://arxiv.org/abs/2204.06745). Dropout on f's result."""

    def __init__(
        self,
        norm: nn.Module,
        placement: Placement = "pre",
        dropout: float = 0.0,
        norm_after: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.norm = norm
        self.placement = placement
        self.dropout = Dropout(dropout)
        self.norm_after = norm_after

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor], start: Tensor | None = None) -> Tensor:
        """x is the stream so far, `start` the stream as it entered the layer (x, unless given)."""
        return self.after(x, sublayer(self.before(x, start)))

    def before(self, x: Tensor, start: Tensor | None = None) -> Tensor:
        """What the sublayer gets."""
        if self.placement == "parallel" and start is not None:
            x = start
        return x if self.placement == "post" else self.norm(x)

    def after(self, x: Tensor, result: Tensor) -> Tensor:
        """What the sublayer's result becomes."""
        if self.norm_after is not None:
            result = self.norm_after(result)
        x = x + (self.dropout(result) if self.training else result)
        return self.norm(x) if self.placement == "post" else x
