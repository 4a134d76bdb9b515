"""A linear map is the same, and so is its gradient, whichever product makes it."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tfmcore.nn.linear import Linear, linear


@pytest.mark.parametrize("shape", [(6,), (1, 6), (0, 6), (5, 6), (3, 4, 6), (2, 0, 6)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_learns_as_torchs_own(bias, shape):
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


def test_a_copy_and_autocast_work_alike():
    module = copy.deepcopy(Linear(8, 4))
    with torch.autocast("cpu", torch.bfloat16):
        result = module(torch.randn(3, 8))
    assert result.dtype == torch.bfloat16
    result.float().sum().backward()
    assert module.weight.grad.dtype == torch.float32
