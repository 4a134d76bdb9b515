"""Sweeps: axes as they are written, grids, draws."""

import pytest

from tfmcore.config import Config, ConfigError, UserError
from tfmcore.config.config import apply_overrides
from tfmcore.config.sweeps import MOST_RUNS, combinations, label, parse_axis, swept


def test_a_grid_has_every_combination_once():
    axes = [parse_axis("model.num_layers=1, 2,4"), parse_axis("training.seed=0..2")]
    found = combinations(axes)
    assert len(set(found)) == len(found) == 9
    assert found[0] == ("model.num_layers=1", "training.seed=0")
    assert found[-1] == ("model.num_layers=4", "training.seed=2")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('training.freeze=[],["embedding", "layers.0"]', [[], ["embedding", "layers.0"]]),
        ("data.prefix=\"a, b: \",'c, [d',it's,\\\"", ["a, b: ", "c, [d", "it's", '\\"']),
        ('data.columns={text="a", prompt="b"},{text="c"}', [{"text": "a", "prompt": "b"}, {"text": "c"}]),
        ("model.num_kv_heads=none,2", [None, 2]),
    ],
)
def test_values_may_hold_commas_where_they_are_written_as_in_toml(text, values):
    found = []
    for combination in combinations([parse_axis(text)]):
        raw = {}
        apply_overrides(raw, combination)
        section, name = text.partition("=")[0].split(".")
        found.append(raw[section].get(name))
    assert found == values


def test_draws_are_different_repeatable_and_within_bounds():
    axes = [parse_axis("training.learning_rate=1e-5..1e-1"), parse_axis("model.norm=layer,rms")]
    found = combinations(axes, 200, seed=1)
    assert found == combinations(axes, 200, seed=1) != combinations(axes, 200, seed=2)
    assert len(set(found)) == 200
    rates = [float(rate.partition("=")[2]) for rate, _ in found]
    assert all(1e-5 <= rate <= 1e-1 for rate in rates)
    assert 70 < sum(rate < 1e-3 for rate in rates) < 130, "half of them lie below the geometric mean"
    assert {norm for _, norm in found} == {"model.norm=layer", "model.norm=rms"}


def test_draws_end_where_there_is_nothing_new():
    assert sorted(combinations([parse_axis("training.seed=0..2")], 50)) == [(f"training.seed={n}",) for n in range(3)]


@pytest.mark.parametrize(
    ("texts", "word"),
    [
        (["training.lr=1,2"], "not an option"),
        (["training.seed"], "write its values"),
        (["training.seed="], "write its values"),
        (["training.seed=1,,2"], "once, separated by commas"),
        (["training.seed=1,1"], "once, separated by commas"),
        (["training.seed=0..x"], "whole numbers"),
        (["training.seed=4..0"], "must go up"),
        (["training.learning_rate=1e-3..nan"], "must go up"),
        ([f"training.seed=0..{MOST_RUNS}"], "too many"),
        (["training.learning_rate=1e-4..1e-2"], "--random N"),
        (["training.seed=0..999", "data.seed=0..99"], "--random N"),
        (["training.seed=0..3", "training.seed=5,6"], "swept twice"),
    ],
)
def test_a_wrong_axis_is_one_sentence(texts, word):
    with pytest.raises(UserError, match=word):
        combinations([parse_axis(text) for text in texts])


def test_swept_configs_differ_as_said_and_all_problems_are_named():
    raw = Config().raw()
    made = combinations([parse_axis("training.seed=1,2"), parse_axis("model.num_layers=2,3")])
    configs = swept(raw, made)
    assert [(c.training.seed, c.model.num_layers) for c in configs] == [(1, 2), (1, 3), (2, 2), (2, 3)]
    assert raw == Config().raw()
    assert label("mine", made[0]) == "mine seed=1 num_layers=2"
    with pytest.raises(ConfigError) as raised:
        swept(raw, combinations([parse_axis("model.num_heads=3,4,5"), parse_axis("training.seed=1,2")]))
    assert {problem.field for problem in raised.value.problems} == {"model.num_heads"}
    assert len(raised.value.problems) == 2
