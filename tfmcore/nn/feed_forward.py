"""The feed-forward layer: two matrices and a non-linearity, or three matrices with a gate."""

from torch import Tensor, nn

from tfmcore.config.model import GATED
from tfmcore.nn.activations import ACTIVATIONS
from tfmcore.nn.linear import FusedLinear, Linear
from tfmcore.nn.probe import Probe


class FeedForward(nn.Module):
    """W₂ f(W₁ x), or W₂ (f(W_gate x) · W_up x) for the activations that end in "glu"
    (https://arxiv.org/abs/1706.03762, section 3.3; https://arxiv.org/abs/2002.05202)."""

    def __init__(self, d_model: int, d_ff: int, *, activation: str = "relu", bias: bool = True) -> None:
        super().__init__()
        self.gated = activation in GATED
        self.activation = ACTIVATIONS[GATED.get(activation, activation)]
        self.input = FusedLinear(d_model, [d_ff, d_ff] if self.gated else [d_ff], bias)
        self.output = Linear(d_ff, d_model, bias)
        self.probe_hidden, self.probe_output = Probe(), Probe()

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) → (B, T, D)"""
        hidden: Tensor = self.input(x)
        if self.gated:
            gate, up = hidden.chunk(2, -1)
            hidden = self.activation(gate) * up
        else:
            hidden = self.activation(hidden)
        return self.probe_output(self.output(self.probe_hidden(hidden)))
