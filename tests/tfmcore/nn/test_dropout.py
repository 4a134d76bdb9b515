"""Dropout on a processor: so many zeros, the mean as it was, and the same again from the same seed."""

import pytest
import torch

from tfmcore.nn.dropout import Dropout, dropout
from tfmcore.nn.kernels.dropout import own_random_numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.95])
def test_so_many_are_zero_and_the_others_grow(p, dtype):
    torch.manual_seed(0)
    x = torch.ones(200, 501, dtype=dtype, requires_grad=True)
    out = dropout(x, p)
    (out * 3).sum().backward()
    kept = out != 0
    assert kept.double().mean() == pytest.approx(1 - p, abs=0.008)  # a 256th up or down
    assert torch.equal(out[kept], torch.full_like(out[kept], 1 / (1 - p)))
    torch.testing.assert_close(x.grad, 3 * out.detach())


@pytest.mark.parametrize("p", [0.001, 0.1])
def test_it_is_p_in_the_mean(p):
    torch.manual_seed(0)
    zeros = sum(int((dropout(torch.ones(100), p) == 0).sum()) for _ in range(20_000))
    assert zeros / 2_000_000 == pytest.approx(p, abs=0.0005)


@pytest.mark.parametrize("p", [0.9961, 0.9999, 1.0])
def test_nearly_all_may_be_dropped(p):
    x = torch.ones(1000, requires_grad=True)
    dropout(x, p).sum().backward()
    assert (x.grad == 0).float().mean() > 0.98


def test_rows_and_columns_are_independent():
    torch.manual_seed(0)
    kept = (dropout(torch.ones(512, 512), 0.5) != 0).double() - 0.5
    for one, other in [(kept[1:], kept[:-1]), (kept[:, 1:], kept[:, :-1]), (kept[8:], kept[:-8])]:
        assert abs(float((one * other).mean())) < 0.003


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (7,), (3, 5, 2)], ids=str)
def test_any_shape(shape):
    out = dropout(torch.ones(shape), 0.5)
    assert out.shape == shape
    assert ((out == 0) | (out == 2)).all()


def test_the_same_again_from_the_same_seed():
    x, layer = torch.ones(1000), Dropout(0.3)
    torch.manual_seed(1)
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    assert torch.equal(layer(x), first)
    own = []
    for _ in range(2):
        with own_random_numbers(5):
            own += [layer(x), layer(x)]
    assert not torch.equal(own[0], own[1])
    assert torch.equal(torch.stack(own[:2]), torch.stack(own[2:]))
    assert torch.equal(layer(x), second)  # which torch's random state still has


def test_nothing_is_dropped_where_nothing_is_trained():
    x = torch.ones(1000)
    assert Dropout(0.5).eval()(x) is x
    assert torch.equal(Dropout(0.0)(x), x)
