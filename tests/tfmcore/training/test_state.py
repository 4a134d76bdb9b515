"""What a checkpoint holds beside the model is put back to the bit."""

import pytest
import torch

from tfmcore.config import ModelConfig, SavedModel, TrainingConfig, UserError
from tfmcore.models import build
from tfmcore.training.batches import DeviceBatch
from tfmcore.training.learner import Learner
from tfmcore.training.state import COUNTERS, TENSORS, Counters, load_counters, load_state, save_state

SAVED = SavedModel(task="language_modeling", vocab_size=11, model=ModelConfig(d_model=8, num_layers=1, dropout=0.5))


def make(**training) -> Learner:
    torch.manual_seed(0)
    return Learner(build(SAVED), SAVED.task, TrainingConfig(**training))


def step(learner) -> float:
    ids = torch.arange(10)[None]
    loss, _ = learner.gradient([DeviceBatch({"input_ids": ids}, ids.roll(1), 10, 10, [])])
    learner.update(1e-3)
    return loss


def test_goes_on_to_the_bit_with_dropout(tmp_path):
    learner = make()
    for _ in range(3):
        step(learner)
    counters = Counters(step=3, best_score=0.1, best_step=2, stale=1, skipped_steps=4, learning_rate=0.5)
    save_state(tmp_path, learner, counters)
    weights = {name: weight.detach().clone() for name, weight in learner.objective.model.named_parameters()}
    expected = [step(learner) for _ in range(3)]

    again = make()
    torch.manual_seed(99)
    with torch.no_grad():
        for name, weight in again.objective.model.named_parameters():
            weight.copy_(weights[name])
    assert load_counters(tmp_path) == counters
    load_state(tmp_path, again, counters)
    assert [step(again) for _ in range(3)] == expected
    assert all(map(torch.equal, again.weights, learner.weights))


def test_no_pickle_is_written(tmp_path):
    learner = make()
    step(learner)
    save_state(tmp_path, learner, Counters())
    assert sorted(path.name for path in tmp_path.iterdir()) == [TENSORS, COUNTERS]
    assert b"ctorch" not in (tmp_path / TENSORS).read_bytes()


@pytest.mark.parametrize("name", [TENSORS, COUNTERS])
@pytest.mark.parametrize("data", [b"", b"{", b"\x80\x04.", b"\xff" * 100])
def test_what_is_no_state_is_refused(tmp_path, name, data):
    learner = make()
    step(learner)
    save_state(tmp_path, learner, Counters())
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match="holds no training state"):
        load_state(tmp_path, make(), load_counters(tmp_path))
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match="holds no training state"):
        load_state(tmp_path, make(), load_counters(tmp_path))


@pytest.mark.parametrize(("before", "after"), [("adamw", "muon"), ("muon", "adamw")])
def test_an_optimizer_of_another_kind_begins_anew_where_it_keeps_other_things(tmp_path, before, after):
    learner = make(optimizer=before)
    step(learner)
    save_state(tmp_path, learner, Counters())
    again = make(optimizer=after)
    load_state(tmp_path, again, Counters())
    names = {weight: name for name, weight in again.objective.model.named_parameters()}
    kept = {names[weight] for weight in again.optimizer.state}
    assert kept == {name for name in names.values() if ".layers." not in name or "norm" in name}
    step(again)
