"""What is too large to be trained by accident."""

import pytest

from app import machine
from tfmcore.config import Config, presets
from tfmcore.config.memory import memory_to_train


@pytest.mark.parametrize("name", presets())
def test_a_preset_at_its_true_size_is_never_started_by_accident(name: str) -> None:
    preset = presets()[name]
    assert bool(machine.caution(preset.config())) == preset.reading


def test_a_design_is_compared_with_the_memory_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = memory_to_train(Config())
    monkeypatch.setattr(machine, "memory", lambda: needed)
    assert machine.caution(Config()) == ""
    monkeypatch.setattr(machine, "memory", lambda: needed - 1)
    assert "this machine has" in machine.caution(Config())


def test_a_preset_for_reading_that_was_made_small_may_start() -> None:
    reading = next(preset for preset in presets().values() if preset.reading)
    small = reading.config().replaced(
        model__num_layers=1, model__d_model=64, model__num_heads=2, model__num_kv_heads=None, model__head_dim=None,
        model__d_ff=None, model__context_length=64, tokenizer__vocab_size=300, training__batch_size=2,
    )  # fmt: skip
    assert machine.caution(small) == ""
