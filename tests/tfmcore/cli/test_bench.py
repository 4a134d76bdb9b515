"""bench: every preset builds, takes a step and is measured."""

import json

import pytest

from tfmcore.config import presets

SMALL = ("model.d_model=16", "model.num_heads=2", "model.num_layers=1", "training.batch_size=2", "training.threads=1")
WORDS = [word for override in SMALL for word in ("--set", override)]


@pytest.mark.parametrize("name", [name for name, preset in presets().items() if not preset.reading])
def test_every_preset_of_a_size_for_here_is_measured(tfm, name):
    result = tfm("bench", name, *WORDS, "--steps", "1", "--json")
    facts = json.loads(result.out)
    assert (result.code, result.err, facts["config"]) == (0, "", name)
    assert facts["parameters"] > 1_000
    assert facts["seconds_per_step"] > 0
    assert facts["tokens_per_second"] == pytest.approx(facts["tokens_per_step"] / facts["seconds_per_step"])


def test_table_of_parts(tfm):
    result = tfm("bench", "induction", *WORDS, "--steps", "1")
    assert "tokens/s" in result.out
    for part in ("attention", "feed-forward", "head"):
        assert part in result.out
