"""bench: every preset builds, takes a step and is measured."""

import json

import pytest

from tfmcore.config import presets


@pytest.mark.parametrize("name", [name for name, preset in presets().items() if not preset.reading])
def test_every_preset_of_a_size_for_here_is_measured(tfm, name):
    result = tfm("bench", name, "--set", "training.batch_size=2", "--steps", "1", "--json")
    facts = json.loads(result.out)
    assert (result.code, result.err, facts["config"]) == (0, "", name)
    assert facts["parameters"] > 100_000
    assert facts["seconds_per_step"] > 0
    assert facts["tokens_per_second"] == pytest.approx(facts["tokens_per_step"] / facts["seconds_per_step"])


def test_table_of_parts(tfm):
    result = tfm("bench", "induction", "--set", "training.batch_size=2", "--steps", "1")
    assert "tokens/s" in result.out
    for part in ("attention", "feed-forward", "head"):
        assert part in result.out
