"""The smaller blocks against their formulas: feed-forward, norms, residual connections, embeddings, layers."""

import typing
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tfmcore.config import ModelConfig
from tfmcore.nn.attention import MultiHeadAttention, MultiHeadSelfAttention
from tfmcore.nn.embedding import InputEmbedding
from tfmcore.nn.feed_forward import FeedForward
from tfmcore.nn.layers import DecoderLayer, EncoderLayer
from tfmcore.nn.mask import CAUSAL
from tfmcore.nn.norm import LayerNorm, RMSNorm
from tfmcore.nn.positions import LearnedPositions, PositionalEncoding
from tfmcore.nn.probe import probes
from tfmcore.nn.residual import ResidualConnection
from tfmcore.nn.stacks import DecoderStack, EncoderStack

FORMULAS: dict[str, Any] = {
    "relu": lambda x: x.clamp(min=0),
    "gelu": lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5)),
    "gelu_tanh": lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3))),
    "silu": lambda x: x * torch.sigmoid(x),
    "reglu": lambda g, x: g.clamp(min=0) * x,
    "geglu": lambda g, x: FORMULAS["gelu"](g) * x,
    "geglu_tanh": lambda g, x: FORMULAS["gelu_tanh"](g) * x,
    "swiglu": lambda g, x: g * torch.sigmoid(g) * x,
}


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("activation", typing.get_args(ModelConfig.model_fields["activation"].annotation))
@pytest.mark.parametrize("bias", [False, True])
def test_feed_forward(activation: str, bias: bool) -> None:
    block, x = FeedForward(6, 10, activation=activation, bias=bias), torch.randn(2, 3, 6)
    inner = F.linear(x, block.input.weight, block.input.bias)
    parts = inner.split(10, -1)
    assert len(parts) == (2 if "glu" in activation else 1)
    close(block(x), F.linear(FORMULAS[activation](*parts), block.output.weight, block.output.bias))
    assert (block.input.bias is not None) == bias


@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_norms(eps: float) -> None:
    x = torch.randn(2, 3, 8, dtype=torch.double) * 0.3 + 1
    rms, layer = RMSNorm(8, eps).double(), LayerNorm(8, eps).double()
    for norm, expected in (
        (rms, x / (x.square().mean(-1, keepdim=True) + eps).sqrt()),
        (layer, (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + eps).sqrt()),
    ):
        torch.nn.init.normal_(norm.weight)
        close(norm(x), expected * norm.weight)
        with torch.no_grad():
            close(norm(x), expected * norm.weight)
    assert torch.autograd.gradcheck(lambda x, _: rms(x), (x.requires_grad_(), rms.weight))
    assert LayerNorm(8, bias=False).bias is None


def test_rms_norm_of_half_precision_is_computed_in_full() -> None:
    x = torch.randn(2, 8, dtype=torch.bfloat16)
    assert RMSNorm(8)(x).dtype == torch.float32


def test_residual_connections() -> None:
    x, norm = torch.randn(2, 3, 8), LayerNorm(8)
    close(ResidualConnection(norm, "pre")(x, torch.sin), x + torch.sin(norm(x)))
    close(ResidualConnection(norm, "post")(x, torch.sin), norm(x + torch.sin(x)))
    dropped = ResidualConnection(torch.nn.Identity(), "pre", dropout=0.5)(torch.zeros(20, 8), lambda x: x + 1).flatten()
    assert set(dropped.tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("positions", [None, LearnedPositions(9, 8), PositionalEncoding(8)])
def test_embedding(positions: Any) -> None:
    tokens, ids = torch.nn.Embedding(20, 8), torch.randint(0, 20, (2, 5))
    block = InputEmbedding(tokens, positions, num_token_types=2, norm=LayerNorm(8), scale=3.0)
    where, types = torch.arange(5)[None], torch.tensor([[0, 0, 1, 1, 7], [0, 1, 1, 1, 1]])
    order = torch.zeros(1) if positions is None else positions(where)
    assert block.token_types is not None
    expected = tokens(ids) * 3 + order + block.token_types.weight[types.clamp(max=1)]
    close(block(ids, where, types), block.norm(expected))
    close(block(ids, where), block(ids, where, torch.zeros(2, 5, dtype=torch.long)))


def layer(kind: type, **more: Any) -> Any:
    band = CAUSAL if kind is DecoderLayer else (None, None)
    attention = MultiHeadSelfAttention(8, 2, band=band)
    return kind(attention, FeedForward(8, 16), lambda: ResidualConnection(LayerNorm(8)), **more)


def test_layers_are_sums_of_their_sublayers() -> None:
    x, memory = torch.randn(2, 5, 8), torch.randn(2, 4, 8)
    encoder = layer(EncoderLayer)
    middle = x + encoder.self_attention(encoder.self_attention_residual.norm(x))[0]
    close(encoder(x)[0], middle + encoder.feed_forward(encoder.feed_forward_residual.norm(middle)))
    decoder = layer(DecoderLayer, cross_attention=MultiHeadAttention(8, 2))
    middle = x + decoder.self_attention(decoder.self_attention_residual.norm(x))[0]
    middle = middle + decoder.cross_attention(decoder.cross_attention_residual.norm(middle), memory)[0]
    close(decoder(x, memory=memory)[0], middle + decoder.feed_forward(decoder.feed_forward_residual.norm(middle)))
    out, weights, cross = layer(DecoderLayer)(x, return_attention=True)
    assert (out.shape, weights.shape, cross) == (x.shape, (2, 2, 5, 5), None)
    assert not weights.triu(1).any()


def test_stacks_stand_alone() -> None:
    x, memory = torch.randn(2, 5, 8), torch.randn(2, 4, 8)
    encoder = EncoderStack([layer(EncoderLayer) for _ in range(3)], norm=LayerNorm(8))
    out, attentions = encoder(x, return_attention=True)
    close(out, encoder(x)[0])
    assert attentions is not None
    assert [tuple(weights.shape) for weights in attentions] == [(2, 2, 5, 5)] * 3
    decoder = DecoderStack([layer(DecoderLayer, cross_attention=MultiHeadAttention(8, 2)) for _ in range(2)])
    out, attentions, cross = decoder(x, memory=memory, return_attention=True)
    close(out, decoder(x, memory=memory)[0])
    assert cross is not None
    assert [tuple(weights.shape) for weights in cross] == [(2, 2, 5, 4)] * 2


def test_probes_see_and_change() -> None:
    stack, x, seen = EncoderStack([layer(EncoderLayer) for _ in range(2)]), torch.randn(1, 5, 8), {}
    before = stack(x)[0]
    hooks = [
        probe.register_forward_hook(lambda _, inputs, output, name=name: seen.__setitem__(name, output))
        for name, probe in probes(stack).items()
    ]
    stack(x, return_attention=True)
    assert seen.keys() == probes(stack).keys()
    assert seen["layers.0.self_attention.probe_weights"].shape == (1, 2, 5, 5)
    assert seen["layers.1.self_attention.probe_q"].shape == (1, 2, 5, 4)
    close(seen["layers.1.probe_output"], before)
    for hook in hooks:
        hook.remove()
    with probes(stack)["layers.0.feed_forward.probe_output"].register_forward_hook(lambda *_: torch.zeros(1, 5, 8)):
        assert not torch.allclose(stack(x)[0], before)
