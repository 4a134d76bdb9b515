"""A convolution beside the first layer, which lets neighbours mix before attention does (DeBERTa 2)."""

from torch import Tensor, nn

from tfmcore.nn.activations import ACTIVATIONS
from tfmcore.nn.dropout import Dropout


class Convolution(nn.Module):
    """norm(x + f(dropout(convolution of the embeddings))), where x is what the first layer made of them
    . `width` is odd."""

    def __init__(
        self,
        d_model: int,
        width: int,
        norm: nn.Module,
        activation: str = "tanh",
        groups: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(d_model, d_model, width, padding=width // 2, groups=groups)
        self.norm, self.activation, self.dropout = norm, ACTIVATIONS[activation], Dropout(dropout)

    def forward(self, start: Tensor, x: Tensor, real: Tensor | None = None) -> Tensor:
        """The embeddings `start` (B, T, D), the first layer's x (B, T, D), and `real` (B, T), False for padding."""
        if real is not None:
            start = start * real[..., None]
        mixed = self.convolution(start.transpose(1, 2)).transpose(1, 2)
        out: Tensor = self.norm(x + self.activation(self.dropout(mixed)))
        return out
