"""Packed matrices multiply as the ones that they were made of, as closely as their numbers allow."""

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef

from tfmcore.nn.kernels import packed
from tfmcore.nn.kernels.linear import FEW
from tfmcore.nn.kernels.packed import LEAST_WEIGHTS, BFloat16Linear, Int8Linear, lay_out
from tfmcore.nn.linear import FusedLinear


@pytest.fixture(params=["packed", "rounded"])
def of_that_size(request, monkeypatch):
    """Matrices in their own format, however small, or in fp32."""
    monkeypatch.setattr(packed, "SMALL", 0 if request.param == "packed" else 2**40)
    return request.param


SHAPES = [(1, 1), (3, 7), (64, 33), (384, 1152), (100, 65), (527, 640)]


@pytest.mark.parametrize("rows", [(), (1, 1), (3, 2), (FEW, 1), (2, FEW)], ids=str)
@pytest.mark.parametrize(("width", "results"), SHAPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kind", "steps"), [(BFloat16Linear, 256), (Int8Linear, 127)])
def test_products_are_as_close_as_the_numbers(of_that_size, kind, steps, bias, width, results, rows):
    torch.manual_seed(0)
    linear, x = torch.nn.Linear(width, results, bias), torch.randn(*rows, width)
    with torch.inference_mode():
        exact, found = linear(x), kind(linear.weight, linear.bias)(x)
        reach = linear.weight.abs().amax() * x.norm(dim=-1, keepdim=True)  # of a sum of errors of random signs
    assert (found.dtype, found.shape) == (torch.float32, exact.shape)
    assert ((found - exact).abs() <= 4 * reach / steps + 1e-6).all()
    assert not torch.equal(found, exact)


@pytest.mark.parametrize("kind", [BFloat16Linear, Int8Linear])
def test_the_longer_numbers_are_forgotten(of_that_size, kind):
    weight = torch.randn(64, 32)
    kept = StorageWeakRef(weight.untyped_storage())
    with torch.inference_mode():
        layer = kind(weight, None)
        layer(torch.randn(1, 32)), layer(torch.randn(3, 32))
    del weight
    assert kept.expired()


def test_a_row_of_zeros_stays_zero(of_that_size):
    weight = torch.randn(4, 16)
    weight[2] = 0
    with torch.inference_mode():
        found = Int8Linear(weight, None)(torch.randn(5, 16))
    assert not found[:, 2].any()
    assert found[:, [0, 1, 3]].all()


@pytest.mark.parametrize("kind", [BFloat16Linear, Int8Linear])
def test_a_part_is_that_part_of_the_whole(of_that_size, kind):
    linear, x = FusedLinear(16, [8, 4, 4], [True, False, True]), torch.randn(3, 16)
    torch.nn.init.normal_(linear.bias)
    with torch.inference_mode():
        ready = kind(linear.weight, linear.whole_bias(), linear.sizes)
        parts = [ready.part(x, index) for index in range(3)]
        assert torch.equal(torch.cat(parts, -1), ready(x))
        torch.testing.assert_close(parts[1], linear.part(x, 1), atol=0.05, rtol=0.05)


@pytest.mark.parametrize(("kind", "size"), [(BFloat16Linear, 2), (Int8Linear, 1)])
@pytest.mark.parametrize(("N", "D"), [(512, 256), (512, 255)])
def test_only_large_matrices_have_the_format_and_all_have_its_numbers(kind, size, N, D):
    weight, x = torch.randn(N, D), torch.randn(3, D)
    ready = kind(weight, None)
    assert ready.num_bytes == N * D * (size if N * D >= packed.SMALL else 4)
    with torch.inference_mode():
        torch.testing.assert_close(ready(x), x @ ready.round(weight).T, atol=0.3, rtol=0.02)


@pytest.mark.parametrize(
    ("N", "D", "widths"),
    [
        (768, 768, [256, 256, 256]),
        (50_257, 1280, [256] * 5),
        (2000, 528, [256, 272]),
        (512, 512, [256, 256]),
        (768, 3072, [3072]),
        (384, 1536, [1536]),
        (1152, 384, [384]),
        (9, 16, [16]),
    ],
)
def test_a_wide_matrix_of_many_rows_is_cut_into_narrow_parts(N, D, widths):
    """So that four rows are near each other in memory."""
    assert packed.widths(N, D) == widths


@pytest.mark.parametrize(("N", "D", "turned"), [(512, 64, True), (64, 512, False), (256, 256, False), (16, 8, False)])
def test_only_large_matrices_that_lengthen_are_laid_out_by_columns(N, D, turned):
    linear, x = torch.nn.Linear(D, N), torch.randn(2, D)
    before, weight = linear(x), linear.weight.detach().clone()
    lay_out(linear.weight)
    assert (linear.weight.stride() == (1, N)) is turned
    assert torch.equal(linear.weight, weight)
    assert N * D >= LEAST_WEIGHTS or not turned
    torch.testing.assert_close(linear(x), before, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [(1,), (2,), (4, 1), (1, 16), (3, 7), (0, 1)], ids=str)
def test_a_few_vectors_meet_a_matrix_by_columns(rows, bias):
    linear, x = FusedLinear(64, [300, 212], bias), torch.randn(*rows, 64)
    with torch.inference_mode():
        before = linear(x)
        lay_out(linear.weight)
        assert linear.weight.stride() == (1, 512)
        torch.testing.assert_close(linear(x), before, atol=1e-5, rtol=1e-5)
