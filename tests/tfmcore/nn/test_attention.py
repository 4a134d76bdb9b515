"""One attention: fused and eager agree, and both agree with torch's own module and with the definition."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tfmcore.nn.attention import MultiHeadAttention, MultiHeadSelfAttention
from tfmcore.nn.cache import KeyValueCache
from tfmcore.nn.mask import CAUSAL, FULL, Band, Mask, Timeline
from tfmcore.nn.positions import RelativeBuckets, Rotary

BANDS: tuple[Band, ...] = (FULL, CAUSAL, (2, 0), (1, 3), (0, 0))
PADDINGS = {"none": None, "right": [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]], "all": [[1] * 6, [0] * 6]}


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.fault(18)
@pytest.mark.parametrize("band", BANDS, ids=str)
@pytest.mark.parametrize("padding", PADDINGS)
def test_fused_equals_eager(band: Band, padding: str) -> None:
    real = PADDINGS[padding] and torch.tensor(PADDINGS[padding])
    x = torch.randn(2, 6, 24)
    timeline = Timeline.of(x, real)
    for kv_heads, head_dim, scale, positions in product((4, 2, 1), (6, 8), (None, 1.0), ("none", "rotary", "buckets")):
        attention = MultiHeadSelfAttention(24, 4, band=band, num_kv_heads=kv_heads, head_dim=head_dim, scale=scale)
        rotation = Rotary(head_dim).rotation(timeline.queries) if positions == "rotary" else None
        bias = RelativeBuckets(4).bias(timeline.queries, timeline.keys) if positions == "buckets" else None
        mask = timeline.mask(band, bias)
        fused, nothing = attention(x, mask, rotation)
        eager, weights = attention(x, mask, rotation, return_attention=True)
        assert nothing is None
        close(fused, eager)
        assert fused.isfinite().all()
        if padding == "all":
            assert not weights[1].any()
            close(fused[1], attention.output.bias.expand(6, 24))


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_cross_attention(kv_heads: int) -> None:
    attention = MultiHeadAttention(24, 4, num_kv_heads=kv_heads)
    x, memory = torch.randn(2, 3, 24), torch.randn(2, 5, 24)
    for mask in (None, Mask.of_padding(torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]))):
        fused, _ = attention(x, memory, mask)
        eager, weights = attention(x, memory, mask, return_attention=True)
        close(fused, eager)
        close(attention(x, attention.project(memory), mask)[0], fused)
        assert weights.shape == (2, 4, 3, 5)
        close(weights.sum(-1), torch.ones(2, 4, 3))
        assert mask is None or not weights[1, :, :, 2:].any()


@pytest.mark.parametrize("band", BANDS, ids=str)
def test_weights_are_the_definition(band: Band) -> None:
    attention = MultiHeadSelfAttention(12, 1, band=band, bias=False)
    x = torch.randn(1, 6, 12)
    q, k, v = attention.query_key_value(x)[0].split(12, -1)
    out, weights = attention(x, return_attention=True)
    left, right = (6 if side is None else side for side in band)
    for i in range(6):
        seen = [j for j in range(6) if i - left <= j <= i + right]
        expected = (k[seen] @ q[i] * 12**-0.5).softmax(0)
        close(weights[0, 0, i, seen], expected)
        close(weights[0, 0, i].sum(), torch.tensor(1.0))
        close(out[0, i], attention.output.weight @ (expected @ v[seen]))


@pytest.mark.parametrize("causal", [False, True])
def test_it_is_torch_s_multi_head_attention(causal: bool) -> None:
    theirs, ours = nn.MultiheadAttention(24, 4, batch_first=True), MultiHeadSelfAttention(24, 4, band=(None, 0))
    cross = MultiHeadAttention(24, 4)
    with torch.no_grad():
        nn.init.normal_(theirs.in_proj_bias)
        ours.query_key_value.weight.copy_(theirs.in_proj_weight)
        ours.query_key_value.bias.copy_(theirs.in_proj_bias)
        for attention in (ours, cross):
            attention.output.load_state_dict(theirs.out_proj.state_dict())
        cross.query.weight.copy_(theirs.in_proj_weight[:24])
        cross.query.bias.copy_(theirs.in_proj_bias[:24])
        cross.key_value.weight.copy_(theirs.in_proj_weight[24:])
        cross.key_value.bias.copy_(theirs.in_proj_bias[24:])
    x, memory = torch.randn(2, 5, 24), torch.randn(2, 7, 24)
    options: dict[str, Any] = {"average_attn_weights": False}
    if causal:
        expected, weights = theirs(x, x, x, attn_mask=torch.ones(5, 5).triu(1).bool(), **options)
        out, ours_weights = ours(x, return_attention=True)
    else:
        expected, weights = theirs(x, memory, memory, **options)
        out, ours_weights = cross(x, memory, return_attention=True)
    close(out, expected)
    close(ours_weights, weights)


def test_dropout_only_in_training() -> None:
    attention = MultiHeadSelfAttention(24, 4, dropout=0.5)
    x = torch.randn(1, 6, 24)
    for asked in (False, True):
        assert not torch.equal(attention(x, return_attention=asked)[0], attention(x, return_attention=asked)[0])
    attention.eval()
    assert torch.equal(attention(x)[0], attention(x)[0])


def test_cache_gives_what_the_whole_gives() -> None:
    attention = MultiHeadSelfAttention(24, 4, num_kv_heads=2, band=CAUSAL)
    x = torch.randn(2, 6, 24)
    cache = KeyValueCache(torch.empty(2, 2, 6, 6))
    with torch.no_grad():
        first = attention(x[:, :4], cache=cache)[0]
        steps = [attention(x[:, i : i + 1], Mask(), cache=cache)[0] for i in (4, 5)]
        close(torch.cat([first, *steps], 1), attention(x)[0])
    assert cache.length == 6


@pytest.mark.fault(18)
def test_gradients_survive_a_row_that_may_look_nowhere() -> None:
    attention = MultiHeadSelfAttention(24, 4)
    x = torch.randn(2, 6, 24, requires_grad=True)
    mask = Timeline.of(x, torch.tensor(PADDINGS["all"])).mask(FULL)
    for asked in (False, True):
        attention(x, mask, return_attention=asked)[0].sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all()
