"""Trying a batch measures what a step costs."""

import pytest
import torch

from tfmcore.config import Config, UserError, presets
from tfmcore.training.measure import PeakMemory, try_batch

SMALL = ["model.d_model=16", "model.num_heads=2", "model.num_layers=1", "training.batch_size=2"]


@pytest.mark.parametrize("name", presets())
def test_every_preset_can_be_tried(name):
    config = presets()[name].config(SMALL)
    before = torch.get_rng_state()
    trial = try_batch(config, vocab_size=300, steps=1)
    both = 2 if config.model.architecture == "encoder_decoder" else 1
    assert trial.tokens == 2 * config.model.context_length * both
    assert 0 < trial.seconds < 10
    assert trial.parameters > 300 * 16
    assert torch.equal(torch.get_rng_state(), before)


def test_memory_holds_at_least_what_is_kept_and_is_the_same_again():
    config = Config.parse({"model": {"d_model": 256}, "training": {"batch_size": 4}})
    trials = [try_batch(config, vocab_size=2000, steps=1) for _ in range(3)]
    for trial in trials:
        assert 16 * trial.parameters < trial.num_bytes < 64 * trial.parameters
    assert max(t.num_bytes for t in trials) < 1.3 * min(t.num_bytes for t in trials)


def test_the_peak_is_measured_not_what_is_left():
    with PeakMemory(torch.device("cpu")) as memory:
        held = torch.ones(25_000_000)
        held.sum()
        del held
    assert 95e6 < memory.num_bytes < 130e6


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no cuda here"):
        try_batch(Config.parse({"training": {"device": "cuda"}}), 100)
