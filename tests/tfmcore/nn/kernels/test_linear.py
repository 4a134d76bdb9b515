"""A linear map is the same, and so is its gradient, whichever product makes it."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tfmcore.nn.kernels import linear as kernels
from tfmcore.nn.kernels.linear import all_by_onednn, computes_exactly, linear, linear_in_bf16
from tfmcore.nn.linear import Linear


@pytest.mark.parametrize("by_onednn", [True, False], ids=["oneDNN", "MKL"])
@pytest.mark.parametrize("shape", [(6,), (1, 6), (0, 6), (5, 6), (3, 4, 6), (2, 0, 6)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_learns_as_torchs_own(bias, shape, by_onednn, monkeypatch):
    monkeypatch.setattr(kernels, "LEARNS_BY_ONEDNN", by_onednn and kernels.HAS_ONEDNN)
    torch.manual_seed(0)
    ours = Linear(6, 5, bias)
    torchs = nn.Linear(6, 5, bias)
    torchs.load_state_dict(ours.state_dict())
    x = torch.randn(shape)
    results = []
    for module in (ours, torchs):
        given = x.clone().requires_grad_()
        result = module(given)
        (result * torch.linspace(-1, 1, 5)).sum().backward()
        results.append([result, given.grad, *(weight.grad for weight in module.parameters())])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_what_is_frozen_gets_no_gradient():
    frozen, learning = Linear(6, 6).requires_grad_(False), Linear(6, 6)
    frozen(learning(torch.randn(3, 6))).sum().backward()
    assert frozen.weight.grad is frozen.bias.grad is None
    assert learning.weight.grad is not None
    assert learning.weight.grad.any()


def test_a_transposed_input_and_a_transposed_gradient_count_as_they_lie():
    torch.manual_seed(0)
    x, weight, into = torch.randn(6, 4), torch.randn(5, 6, requires_grad=True), torch.randn(5, 4)
    linear(x.t(), weight).backward(into.t())
    torch.testing.assert_close(weight.grad, into @ x.t())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_every_type_of_number_and_writing_multiply_as_torch(dtype):
    x, weight, bias = torch.randn(3, 8).to(dtype), torch.randn(4, 8).to(dtype), torch.randn(4).to(dtype)
    by_columns = weight.t().contiguous().t()
    expected = F.linear(x, weight, bias)
    torch.testing.assert_close(linear(x, weight.requires_grad_(), bias), expected)
    with torch.inference_mode():
        torch.testing.assert_close(linear(x, weight, bias), expected)
        torch.testing.assert_close(linear(x, by_columns, bias), expected)


@pytest.mark.parametrize("has_bf16", [True, False])
def test_bf16_is_multiplied_without_such_products_too(has_bf16, monkeypatch):
    monkeypatch.setattr(kernels, "HAS_BF16", has_bf16)
    torch.manual_seed(0)
    x, weight = torch.randn(3, 4, 64).bfloat16(), torch.randn(32, 64).bfloat16()
    found = linear_in_bf16(x, weight)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), x.double() @ weight.double().t(), rtol=2**-7, atol=1e-2)


def test_all_products_are_onednns_where_it_computes_exactly(monkeypatch):
    """And not afterwards, nor where it rounds."""
    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    for exactly in (True, False):
        monkeypatch.setattr(kernels, "computes_exactly", lambda exactly=exactly: exactly)
        with all_by_onednn():
            assert (matmul.fp32_precision == "bf16") == exactly
        assert matmul.fp32_precision == before


def test_whether_it_computes_exactly_is_seen_in_products(monkeypatch):
    before, product = torch.backends.mkldnn.matmul.fp32_precision, torch.Tensor.__matmul__
    found = computes_exactly.__wrapped__()
    x, y = torch.randn(2, 8, 96, 96).unbind()
    with all_by_onednn():
        torch.testing.assert_close((x @ y).double(), x.double() @ y.double(), rtol=1e-5, atol=1e-4)

    def rounded(x, y):
        return product(*((x.bfloat16().float(), y.bfloat16().float()) if x.dtype == torch.float32 else (x, y)))

    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert not computes_exactly.__wrapped__()
    monkeypatch.setattr(kernels, "HAS_ONEDNN", False)
    assert not computes_exactly.__wrapped__()
    assert torch.backends.mkldnn.matmul.fp32_precision == before
    assert found == computes_exactly()


def test_a_copy_and_autocast_work_alike():
    module = copy.deepcopy(Linear(8, 4))
    with torch.autocast("cpu", torch.bfloat16):
        result = module(torch.randn(3, 8))
    assert result.dtype == torch.bfloat16
    result.float().sum().backward()
    assert module.weight.grad.dtype == torch.float32
