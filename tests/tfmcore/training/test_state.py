"""What a checkpoint holds beside the model is put back to the bit."""

import pytest
import torch

from tfmcore.config import ModelConfig, SavedModel, TrainingConfig, UserError
from tfmcore.models import build
from tfmcore.training.optimizers import make_optimizer
from tfmcore.training.state import COUNTERS, TENSORS, Counters, load_state, save_state

SAVED = SavedModel(task="language_modeling", vocab_size=11, model=ModelConfig(d_model=8, num_layers=1, dropout=0.5))


def make(**training):
    torch.manual_seed(0)
    model = build(SAVED)
    return model, make_optimizer(model, TrainingConfig(**training))


def step(model, optimizer) -> float:
    loss = model(torch.arange(10)[None]).logits.logsumexp(-1).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def test_goes_on_to_the_bit_with_dropout(tmp_path):
    model, optimizer = make()
    for _ in range(3):
        step(model, optimizer)
    counters = Counters(step=3, best_score=0.1, best_step=2, stale=1, skipped_steps=4, learning_rate=0.5)
    save_state(tmp_path, model, optimizer, counters)
    weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    expected = [step(model, optimizer) for _ in range(3)]

    again, its_optimizer = make()
    torch.manual_seed(99)
    with torch.no_grad():
        for name, weight in again.named_parameters():
            weight.copy_(weights[name])
    assert load_state(tmp_path, again, its_optimizer) == counters
    assert [step(again, its_optimizer) for _ in range(3)] == expected
    for (name, a), (_, b) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert torch.equal(a, b), name


def test_no_pickle_is_written(tmp_path):
    model, optimizer = make()
    step(model, optimizer)
    save_state(tmp_path, model, optimizer, Counters())
    assert sorted(path.name for path in tmp_path.iterdir()) == [TENSORS, COUNTERS]
    assert b"ctorch" not in (tmp_path / TENSORS).read_bytes()


@pytest.mark.parametrize("name", [TENSORS, COUNTERS])
@pytest.mark.parametrize("data", [b"", b"{", b"\x80\x04.", b"\xff" * 100])
def test_what_is_no_state_is_refused(tmp_path, name, data):
    model, optimizer = make()
    step(model, optimizer)
    save_state(tmp_path, model, optimizer, Counters())
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match="holds no training state"):
        load_state(tmp_path, *make())
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match="holds no training state"):
        load_state(tmp_path, *make())


@pytest.mark.parametrize(("before", "after"), [("adamw", "muon"), ("muon", "adamw")])
def test_an_optimizer_of_another_kind_begins_anew_where_it_keeps_other_things(tmp_path, before, after):
    model, optimizer = make(optimizer=before)
    step(model, optimizer)
    save_state(tmp_path, model, optimizer, Counters())
    again, its_optimizer = make(optimizer=after)
    load_state(tmp_path, again, its_optimizer)
    names = {weight: name for name, weight in again.named_parameters()}
    kept = {names[weight] for weight in its_optimizer.state}
    assert kept == {name for name in names.values() if ".layers." not in name or "norm" in name}
    step(again, its_optimizer)
