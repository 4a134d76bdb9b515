"""The layers of the paper's figure 1: an encoder's, and a decoder's with or without cross-attention."""

from collections.abc import Callable

from torch import Tensor, nn

from tfmcore.nn.attention import KeysValues, MultiHeadAttention, MultiHeadSelfAttention
from tfmcore.nn.cache import KeyValueCache
from tfmcore.nn.feed_forward import FeedForward
from tfmcore.nn.mask import Mask
from tfmcore.nn.probe import Probe
from tfmcore.nn.residual import ResidualConnection


class EncoderLayer(nn.Module):
    """Self-attention, then a feed-forward layer, each in a residual connection of its own.

    `EncoderLayer(MultiHeadSelfAttention(64, 4), FeedForward(64, 256), lambda: ResidualConnection(LayerNorm(64)))`
    """

    def __init__(
        self,
        self_attention: MultiHeadSelfAttention,
        feed_forward: FeedForward,
        residual: Callable[[], ResidualConnection],
    ) -> None:
        super().__init__()
        self.self_attention, self.self_attention_residual = self_attention, residual()
        self.feed_forward, self.feed_forward_residual = feed_forward, residual()
        self.probe_middle, self.probe_output = Probe(), Probe()

    def forward(
        self, x: Tensor, mask: Mask | None = None, rotation: Tensor | None = None, return_attention: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """x (B, T, D) → (B, T, D), and the attention (B, H, T, T) if asked for."""
        near = self.self_attention_residual
        result, weights = self.self_attention(near.before(x), mask, rotation, None, return_attention)
        middle = self.probe_middle(near.after(x, result))
        return self.probe_output(self.feed_forward_residual(middle, self.feed_forward, x)), weights


class DecoderLayer(nn.Module):
    """Masked self-attention, cross-attention on an encoder's memory if there is one, and a feed-forward layer."""

    def __init__(
        self,
        self_attention: MultiHeadSelfAttention,
        feed_forward: FeedForward,
        residual: Callable[[], ResidualConnection],
        cross_attention: MultiHeadAttention | None = None,
    ) -> None:
        super().__init__()
        self.self_attention, self.self_attention_residual = self_attention, residual()
        self.cross_attention = cross_attention
        self.cross_attention_residual = None if cross_attention is None else residual()
        self.feed_forward, self.feed_forward_residual = feed_forward, residual()
        self.probe_middle, self.probe_output = Probe(), Probe()

    def forward(
        self,
        x: Tensor,
        mask: Mask | None = None,
        rotation: Tensor | None = None,
        return_attention: bool = False,
        memory: Tensor | KeysValues | None = None,
        memory_mask: Mask | None = None,
        cache: KeyValueCache | None = None,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """x (B, T, D) → (B, T, D); if asked for, the attention (B, H, T, S) and the cross-attention on `memory`."""
        near, cross_weights = self.self_attention_residual, None
        result, weights = self.self_attention(near.before(x), mask, rotation, cache, return_attention)
        middle = self.probe_middle(near.after(x, result))
        if self.cross_attention is not None and (far := self.cross_attention_residual) is not None:
            result, cross_weights = self.cross_attention(far.before(middle, x), memory, memory_mask, return_attention)
            middle = far.after(middle, result)
        return self.probe_output(self.feed_forward_residual(middle, self.feed_forward, x)), weights, cross_weights
