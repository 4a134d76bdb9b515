"""Low-rank updates: they begin at nothing, learn apart from the matrix, and become a part of it to the last digits."""

import copy

import pytest
import torch
from torch import nn

from tfmcore.nn.linear import FusedLinear, Linear
from tfmcore.nn.low_rank import AdaptedLinear, add_low_rank, merged, unmerged

LINEARS = {
    "plain": lambda: Linear(6, 5),
    "without bias": lambda: Linear(6, 5, bias=False),
    "fused": lambda: FusedLinear(6, [4, 3, 3]),
    "fused, some biases": lambda: FusedLinear(6, [4, 3, 3], [True, False, True]),
}


@pytest.fixture(params=LINEARS.values(), ids=LINEARS)
def pair(request):
    """A model of one projection, and the same with an update of rank 2."""
    torch.manual_seed(0)
    model = nn.Sequential(request.param())
    adapted = copy.deepcopy(model)
    add_low_rank(adapted, "0", rank=2, alpha=8.0)
    return model, adapted


def learn(adapted):
    with torch.no_grad():
        for up in adapted[0].low_rank.up:
            up.normal_(std=0.1)


X = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(1))


def test_adds_nothing_at_first_and_keeps_the_names(pair):
    model, adapted = pair
    assert torch.equal(adapted(X), model(X))
    names = {name for name, _ in adapted.named_parameters() if "low_rank" not in name}
    assert names == {name for name, _ in model.named_parameters()}


def test_update_is_the_product_of_each_part_s_own_factors(pair):
    model, adapted = pair
    learn(adapted)
    low_rank = adapted[0].low_rank
    sizes = getattr(model[0], "sizes", (5,))
    parts = [up @ low_rank.down[2 * n : 2 * n + 2] * 4.0 for n, up in enumerate(low_rank.up)]
    assert [len(part) for part in parts] == list(sizes)
    torch.testing.assert_close(low_rank.matrix(), torch.cat(parts))
    assert sum(p.numel() for p in low_rank.parameters()) == 2 * (6 * len(sizes) + sum(sizes))
    torch.testing.assert_close(adapted(X), model(X) + X @ torch.cat(parts).T)


def test_merged_is_a_plain_model_that_answers_the_same_and_all_comes_back(pair):
    model, adapted = pair
    learn(adapted)
    before = {name: weight.detach().clone() for name, weight in adapted.named_parameters()}
    expected = adapted(X)
    with merged(adapted):
        assert [name for name, _ in adapted.named_parameters()] == [name for name, _ in model.named_parameters()]
        torch.testing.assert_close(adapted(X), expected, rtol=0, atol=1e-6)
        model.load_state_dict(adapted.state_dict())
    torch.testing.assert_close(model(X), expected, rtol=0, atol=1e-6)
    after = dict(adapted.named_parameters())
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())
    assert torch.equal(adapted(X), expected)


def test_all_comes_back_after_a_fault_too(pair):
    _, adapted = pair
    learn(adapted)
    expected = adapted(X)

    with pytest.raises(OSError, match="full"), merged(adapted):
        raise OSError("full")
    assert torch.equal(adapted(X), expected)


def test_one_part_alone(pair):
    model, adapted = pair
    learn(adapted)
    if isinstance(model[0], FusedLinear):
        whole = adapted(X).split(model[0].sizes, -1)
        for index, part in enumerate(whole):
            torch.testing.assert_close(adapted[0].part(X, index), part)


def test_unmerged_is_what_merging_changes(pair):
    _, adapted = pair
    assert unmerged(adapted).keys() == {name for name, _ in adapted.named_parameters()} - {"0.bias"}
    assert unmerged(nn.Linear(2, 2)) == {}


def test_dropout_is_for_training_alone():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5))
    add_low_rank(model, "0", rank=2, dropout=0.5)
    assert isinstance(model[0], AdaptedLinear)
    learn(model)
    assert not torch.equal(model(X), model(X))
    model.eval()
    assert torch.equal(model(X), model(X))
