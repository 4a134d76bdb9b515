"""Views: pooled by maximum, within their edges, never larger than asked for."""

import numpy as np
import pytest

from tfmcore.inspection.views import edges, thumbnails, view

WEIGHTS = np.random.default_rng(0).dirichlet(np.ones(53), (3, 37)).astype(np.float16)  # (H, T, S)


@pytest.mark.parametrize("size", [1, 2, 7, 36, 37, 38, 53, 100])
@pytest.mark.parametrize("between", [(None, None), ((3, 20), (0, 50)), ((5, 6), (52, 53)), ((-4, 900), (30, 10))])
def test_a_cell_is_the_largest_of_what_its_edges_enclose(size, between):
    rows, columns = between
    seen = view(WEIGHTS, [2, 0], rows, columns, size)
    assert seen.weights.dtype == np.float32
    assert seen.weights.shape == (2, len(seen.row_edges) - 1, len(seen.column_edges) - 1)
    assert max(seen.weights.shape[1:]) <= size
    rows, columns = seen.row_edges, seen.column_edges
    assert seen.pooled == (max(rows[-1] - rows[0], columns[-1] - columns[0]) > size)
    for i in range(seen.weights.shape[1]):
        for j in range(seen.weights.shape[2]):
            part = WEIGHTS[
                :, seen.row_edges[i] : seen.row_edges[i + 1], seen.column_edges[j] : seen.column_edges[j + 1]
            ]
            assert seen.weights[:, i, j].tolist() == part.max(axis=(1, 2))[[2, 0]].tolist()


def test_no_heads_named_is_the_mean_of_all():
    np.testing.assert_allclose(view(WEIGHTS).weights, WEIGHTS.mean(0, dtype=np.float32)[None], rtol=1e-6)
    assert not view(WEIGHTS).pooled
    assert view(WEIGHTS, size=8).weights.shape == (1, 8, 8)


def test_edges_cover_everything_once():
    for length in (1, 2, 31, 32, 33, 100):
        found = edges(None, length, 32)
        assert found[0] == 0
        assert found[-1] == length
        assert (np.diff(found) >= 1).all()
        assert len(found) - 1 == min(length, 32)


def test_thumbnails_are_scaled_by_the_largest_weight_of_their_head():
    small, largest = thumbnails(WEIGHTS, 8)
    assert largest.tolist() == WEIGHTS.max(axis=(1, 2)).tolist()
    assert small.shape == (3, 8, 8)
    assert small.dtype == np.uint8
    assert small.max(axis=(1, 2)).tolist() == [255] * 3
    whole = thumbnails(WEIGHTS, 64).levels
    assert whole.shape == WEIGHTS.shape
    expected = WEIGHTS.astype(float) / WEIGHTS.max(axis=(1, 2), keepdims=True).astype(float) * 255
    np.testing.assert_allclose(whole, expected, atol=0.51)
    assert not thumbnails(np.zeros((2, 3, 3), np.float16)).levels.any()
