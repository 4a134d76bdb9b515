"""Positions: the papers' formulas, and what follows from them."""

import math

import pytest
import torch

from tfmcore.config import UserError
from tfmcore.nn.mask import Timeline
from tfmcore.nn.positions import LearnedPositions, PositionalEncoding, Positions, RelativeBuckets, Rotary, rotate


@pytest.mark.parametrize("width", [8, 7])
def test_sinusoids_interleave(width: int) -> None:
    table = PositionalEncoding(width)(torch.arange(50))
    assert table.shape == (50, width)
    for position in (0, 1, 49):
        for i in range(width):
            angle = position / 10_000 ** (2 * (i // 2) / width)
            expected = math.cos(angle) if i % 2 else math.sin(angle)
            assert table[position, i].item() == pytest.approx(expected, abs=1e-5)


def test_learned_positions_end() -> None:
    positions = LearnedPositions(8, 4)
    assert positions(torch.arange(8)[None]).shape == (1, 8, 4)
    with pytest.raises(UserError, match="9 tokens are too many: this model has positions for 8"):
        positions(torch.arange(9)[None])


def test_rotation_depends_on_distance_alone() -> None:
    rotary, (q, k) = Rotary(8), torch.randn(2, 1, 1, 1, 8)

    def score(query: int, key: int) -> float:
        turned = [rotate(x, rotary.rotation(torch.tensor([[place]]))) for x, place in ((q, query), (k, key))]
        return float((turned[0] * turned[1]).sum())

    assert score(7, 3) == pytest.approx(score(104, 100), abs=1e-4)
    assert score(7, 3) != pytest.approx(score(7, 4), abs=1e-4)
    assert score(5, 5) == pytest.approx(float((q * k).sum()), abs=1e-4)


def test_rotation_turns_pairs_by_the_paper_s_angles() -> None:
    x = torch.tensor([1.0, 0.0, 1.0, 0.0]).view(1, 1, 1, 4)
    turned = rotate(x, Rotary(4, theta=100.0).rotation(torch.tensor([[3]]))).flatten()
    expected = [math.cos(3), math.sin(3), math.cos(0.3), math.sin(0.3)]
    assert turned.tolist() == pytest.approx(expected, abs=1e-6)
    assert rotate(x.bfloat16(), Rotary(4).rotation(torch.tensor([[3]]))).dtype == torch.bfloat16


def reference_bucket(distance: int, one_sided: bool, buckets: int, farthest: int) -> int:
    """The pseudo-code of T5, for one number."""
    first = 0
    if one_sided:
        away = max(-distance, 0)
    else:
        buckets //= 2
        first, away = (buckets if distance > 0 else 0), abs(distance)
    exact = buckets // 2
    if away < exact:
        return first + away
    far = exact + int(math.log(away / exact) / math.log(farthest / exact) * (buckets - exact))
    return first + min(far, buckets - 1)


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize(("buckets", "farthest"), [(32, 128), (8, 20)])
def test_buckets(one_sided: bool, buckets: int, farthest: int) -> None:
    distances = torch.arange(-300, 301)
    got = RelativeBuckets(2, buckets, farthest, one_sided).bucket(distances)
    expected = [reference_bucket(d, one_sided, buckets, farthest) for d in distances.tolist()]
    wrong = [d for d, a, b in zip(distances.tolist(), got.tolist(), expected, strict=True) if a != b]
    assert all(abs(d) in (16, 32, 64, 128) for d in wrong)  # where float32's logarithm stands on a bucket's edge
    assert int(got.min()) == 0
    assert int(got.max()) == buckets - 1


def test_bias_has_a_value_for_each_head_and_bucket() -> None:
    buckets = RelativeBuckets(3, one_sided=True)
    timeline = Timeline.of(torch.zeros(1, 5))
    bias = buckets.bias(timeline.queries, timeline.keys)
    assert bias.shape == (1, 3, 5, 5)
    for i in range(5):
        for j in range(i + 1):
            assert torch.equal(bias[0, :, i, j], buckets.embedding.weight[i - j])


def test_no_positions() -> None:
    timeline = Timeline.of(torch.zeros(1, 5))
    assert Positions().rotation(timeline.queries) is None
    assert Positions().bias(timeline.queries, timeline.keys) is None
