"""Plain products in bf16 give what torch's kernel gives in fp32, and its gradients, as closely as bf16 allows; and with
dropout what all weights at once give."""

import pytest
import torch
from torch.nn import functional as F

from tfmcore.nn.kernels import attention as module
from tfmcore.nn.kernels.attention import all_at_once, as_products_take_them, scaled_dot_product, weights_kept
from tfmcore.nn.mask import Mask

B, H, T, S, E = 3, 4, 7, 7, 8
PADDING = torch.arange(S)[None] < torch.tensor([[7], [4], [5]])
BIAS = torch.randn(1, H, T, S, generator=torch.Generator().manual_seed(2))
MASKS = {
    "everything": Mask(),
    "causal": Mask(causal=True),
    "padding": Mask(PADDING[:, None, None]),
    "band of each": Mask((PADDING[:, None] & torch.ones(T, S, dtype=torch.bool).tril())[:, None]),
    "shared bias": Mask(BIAS),
    "bias of each": Mask(BIAS.expand(B, H, T, S).masked_fill(~PADDING[:, None, None], float("-inf"))),
}


def learned(function, heads):
    """Its result and the gradients of q, k, v."""
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(B, T, H, E, generator=generator).transpose(1, 2).requires_grad_()
    k, v = (torch.randn(B, S, heads, E, generator=generator).transpose(1, 2).requires_grad_() for _ in "kv")
    result = function(q, k, v)
    into = torch.randn(result.shape, generator=generator)
    return [result, *torch.autograd.grad(result, (q, k, v), into.to(result.dtype))]


@pytest.mark.parametrize("heads", [H, 2, 1])
@pytest.mark.parametrize(("chunk", "block"), [(1, 2), (3 * T * S, 4), (2 * H * T * S, T), (2**20, 256)])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_it_learns_as_the_kernel_does(monkeypatch, mask, chunk, block, heads):
    monkeypatch.setattr(module, "CHUNK", chunk)
    monkeypatch.setattr(module, "QUERIES", block)
    exact = learned(
        lambda q, k, v: F.scaled_dot_product_attention(
            q, k, v, mask.tensor, is_causal=mask.causal, scale=0.3, enable_gqa=True
        ),
        heads,
    )
    with torch.autocast("cpu", torch.bfloat16):
        found = learned(lambda q, k, v: scaled_dot_product(q, k, v, mask, 0.0, 0.3), heads)
    assert found[0].dtype == torch.bfloat16
    for near, true in zip(found, exact, strict=True):
        assert (near - true).norm() < 0.02 * true.norm()


@pytest.mark.parametrize("shape", [(1, H, T, S), (B, H, T, S), (1, 1, T, S)], ids=str)
def test_a_bias_learns_too(shape):
    into, gradients = torch.randn(B, H, T, E), []
    for narrow in (False, True):
        bias = torch.randn(shape, generator=torch.Generator().manual_seed(3)).requires_grad_()
        q, k, v = (torch.randn(B, H, T, E, generator=torch.Generator().manual_seed(i)) for i in range(3))
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            result = scaled_dot_product(q, k, v, Mask(bias), 0.0, 0.3)
        gradients.append(*torch.autograd.grad(result, bias, into.to(result.dtype)))
    assert gradients[1].shape == shape
    assert (gradients[1] - gradients[0]).norm() < 0.02 * gradients[0].norm()


def test_a_query_that_may_look_nowhere_is_a_number_and_spoils_no_gradient():
    allowed = torch.zeros(1, 1, T, S, dtype=torch.bool)
    allowed[:, :, 1:] = True
    for mask in (Mask(allowed), Mask(torch.zeros(1, 1, T, S).masked_fill(~allowed, float("-inf")))):
        with torch.autocast("cpu", torch.bfloat16):
            for part in learned(lambda q, k, v, mask=mask: scaled_dot_product(q, k, v, mask, 0.0, 0.3), H):
                assert part.isfinite().all()


@pytest.mark.parametrize("narrow", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize(("chunk", "block"), [(1, 4), (2 * H * T * S, 2 * T), (2**20, 256)])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_with_dropout_it_learns_as_all_weights_at_once_do(monkeypatch, mask, chunk, block, narrow):
    monkeypatch.setattr(module, "CHUNK", chunk)
    monkeypatch.setattr(module, "QUERIES", block)

    def by_parts(q, k, v):
        torch.manual_seed(7)
        return scaled_dot_product(q, k, v, mask, 0.4, 0.3)

    def at_once(q, k, v):
        torch.manual_seed(7)
        q, k, v, bias = as_products_take_them(q, k, v, mask)
        kept = weights_kept(q.shape, S, bias is not None, mask.causal, 0.4, q.dtype)
        seen = kept[:, torch.ones(T, S, dtype=torch.bool).tril()] if mask.causal else kept
        assert seen.float().mean() == pytest.approx(0.6, abs=0.06)
        return all_at_once(q, k, v, bias, mask.causal, 0.3, 0.4, kept)

    with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        found, expected = learned(by_parts, 2), learned(at_once, 2)
    assert found[0].dtype == (torch.bfloat16 if narrow else torch.float32)
    for near, true in zip(found, expected, strict=True):
        assert (near - true).norm() < (0.02 if narrow else 1e-5) * true.norm()


@pytest.mark.parametrize("shape", [(1, H, T, S), (B, H, T, S), (1, 1, T, S)], ids=str)
def test_a_bias_learns_with_dropout_too(monkeypatch, shape):
    monkeypatch.setattr(module, "CHUNK", H * T * S)
    q, k, v = (torch.randn(B, H, T, E, generator=torch.Generator().manual_seed(i)) for i in range(3))
    bias, into = torch.randn(shape).requires_grad_(), torch.randn(B, H, T, E)
    torch.manual_seed(7)
    by_parts = scaled_dot_product(q, k, v, Mask(bias), 0.4, 0.3)
    torch.manual_seed(7)
    kept = weights_kept(q.shape, S, True, False, 0.4, q.dtype)
    at_once = all_at_once(q, k, v, bias, False, 0.3, 0.4, kept)
    found, expected = (torch.autograd.grad(each, bias, into)[0] for each in (by_parts, at_once))
    torch.testing.assert_close(found, expected)


def test_longer_keys_than_queries():
    q, k = torch.randn(2, H, 3, E), torch.randn(2, H, 9, E)
    with torch.autocast("cpu", torch.bfloat16):
        found = scaled_dot_product(q.requires_grad_(), k, k, Mask(), 0.0, 0.3)
    exact = F.scaled_dot_product_attention(q, k, k, scale=0.3)
    assert found.shape == exact.shape
    assert (found - exact).norm() < 0.02 * exact.norm()
