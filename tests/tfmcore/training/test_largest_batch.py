"""The largest batch: by estimate, verified by trial, smaller where the trial says so."""

import pytest

from tfmcore.config import Config, UserError
from tfmcore.config.estimate import estimate
from tfmcore.config.memory import largest_batch as largest_by_estimate
from tfmcore.config.memory import training_memory
from tfmcore.training import largest_batch as module
from tfmcore.training.free_memory import free_memory
from tfmcore.training.largest_batch import SMALLER, largest_batch
from tfmcore.training.measure import BatchTrial

CONFIG = Config.parse({"model": {"context_length": 128}, "training": {"threads": 1}})
LIMIT = 200 * 2**20


def test_by_estimate_one_more_would_be_too_many():
    cost = estimate(CONFIG.model, 300, "language_modeling")
    size = largest_by_estimate(cost, CONFIG.training, LIMIT)

    def needs(batch_size: int) -> int:
        training = CONFIG.training.model_copy(update={"batch_size": batch_size})
        return sum(training_memory(cost, training).values())

    assert needs(size) <= LIMIT < needs(size + 1)
    assert largest_by_estimate(cost, CONFIG.training, 10) == 0
    assert largest_by_estimate(cost, CONFIG.training, 2**60) == 65_536


def test_it_is_really_tried_and_nearly_fills_what_there_is():
    found = largest_batch(CONFIG, 300, limit=LIMIT)
    assert 0.7 * LIMIT < found.trial.num_bytes <= LIMIT
    assert found.trial.tokens == found.batch_size * 128
    assert largest_batch(CONFIG, 300, limit=LIMIT, most=3).batch_size == 3


def test_a_trial_that_fails_or_takes_more_is_followed_by_a_smaller_one(monkeypatch):
    tried: list[int] = []

    def trial(config: Config, vocab_size: int, steps: int) -> BatchTrial:
        tried.append(config.training.batch_size)
        if len(tried) == 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")
        return BatchTrial(1.0, LIMIT + 1 if len(tried) == 2 else LIMIT, 1, 1, 1, {})

    monkeypatch.setattr(module, "try_batch", trial)
    assert largest_batch(CONFIG, 300, limit=LIMIT).batch_size == tried[2]
    assert tried[1:] == [int(tried[0] * SMALLER), int(int(tried[0] * SMALLER) * SMALLER)]


@pytest.mark.parametrize(("most", "found"), [(1000, 999), (5, 3), (2, None)])
def test_it_comes_out_even_for_processes_that_share_it(monkeypatch, most, found):
    monkeypatch.setattr(module, "try_batch", lambda *_, **__: BatchTrial(1.0, LIMIT, 1, 1, 1, {}))
    shared = {"training__parallel": ["data"], "training__num_processes": 3, "training__batch_size": 33}
    config = CONFIG.replaced(model__d_model=16, model__context_length=8, **shared)
    if found is None:
        with pytest.raises(UserError, match="not even one sequence for each process"):
            largest_batch(config, 300, limit=LIMIT, most=most)
    else:
        assert largest_batch(config, 300, limit=LIMIT, most=most).batch_size == found


def test_other_faults_are_raised_and_too_little_memory_is_said(monkeypatch):
    def trial(config: Config, vocab_size: int, steps: int) -> BatchTrial:
        raise RuntimeError("something else")

    monkeypatch.setattr(module, "try_batch", trial)
    with pytest.raises(RuntimeError, match="something else"):
        largest_batch(CONFIG, 300, limit=LIMIT)
    monkeypatch.undo()
    with pytest.raises(UserError, match="not even one sequence fits in 1 MiB"):
        largest_batch(CONFIG, 300, limit=2**20)
    assert free_memory() > 2**20
