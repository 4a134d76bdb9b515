"""The average of the weights: what it is, where it stands, and that training goes on from the weights themselves."""

import pytest
import torch

from tfmcore.messages import Evaluated
from tfmcore.models import load_model
from tfmcore.runs import Run
from tfmcore.training.averages import Averages
from tfmcore.training.trainer import train


def test_it_follows_the_weights_as_slowly_as_asked():
    weight = torch.nn.Parameter(torch.zeros(3))
    averages = Averages([weight], 0.5)
    with torch.no_grad():
        for expected in (9 / 11, 1 - (2 / 11) * (3 / 12)):  # at first faster than asked: (1 + n) / (10 + n)
            weight.fill_(1.0)
            averages.update()
            torch.testing.assert_close(averages.values[0], torch.full((3,), expected))
        averages.count = 1000
        averages.values[0].zero_()
        averages.update()
    torch.testing.assert_close(averages.values[0], torch.full((3,), 0.5))


def test_it_stands_in_place_of_the_weights_and_leaves_them_as_they_were():
    model = torch.nn.Linear(2, 2)
    averages = Averages(list(model.parameters()), 0.9)
    kept = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.add_(1.0)
    with averages.in_place():
        assert torch.equal(model.weight, kept)
    assert torch.equal(model.weight, kept + 1.0)
    with pytest.raises(RuntimeError, match="here"), averages.in_place():
        raise RuntimeError("here")
    assert torch.equal(model.weight, kept + 1.0)


def test_what_is_saved_is_the_average_and_is_what_was_validated(tiny, tmp_path):
    rate = ("training.learning_rate=0.05", "training.schedule=constant")
    plain = list(train(tiny("nano-decoder", *rate), tmp_path / "plain"))
    events = list(train(tiny("nano-decoder", "training.ema_decay=0.99", *rate), tmp_path / "averaged"))
    losses, others = ([e.loss for e in found if isinstance(e, Evaluated)] for found in (plain, events))
    assert losses != others
    run = Run(tmp_path / "averaged")
    saved = load_model(run.checkpoints()[-1].folder)[1]
    assert saved.metrics["loss"] == others[-1]
    last = [load_model(Run(tmp_path / name).checkpoints()[-1].folder)[0] for name in ("plain", "averaged")]
    assert not torch.equal(next(last[0].parameters()), next(last[1].parameters()))


def test_low_rank_updates_are_averaged_too_and_resume_to_the_bit(tiny, tmp_path):
    base = tiny("nano-decoder")
    list(train(base, tmp_path / "base"))
    lora = [f"training.finetune_from={tmp_path / 'base'}", "training.lora_rank=2", "training.ema_decay=0.9"]
    lora[0] = f"training.finetune_from={Run(tmp_path / 'base').best().folder}"
    lora += ["tokenizer.kind=file", f"tokenizer.path={tmp_path / 'base' / 'tokenizer.json'}"]
    config = tiny("nano-decoder", *lora)
    whole = list(train(config, tmp_path / "whole"))
    life = train(config, tmp_path / "parts")
    for event in life:
        if event.kind == "saved":
            break
    life.close()
    parts = list(train(config, tmp_path / "parts"))
    assert parts[0].step == 3
    assert [e.loss for e in parts if e.kind == "stepped"] == [e.loss for e in whole if e.kind == "stepped"][3:]
    ends = [Run(tmp_path / name).checkpoints()[-1].folder for name in ("whole", "parts")]
    for name in ("model.safetensors", "optimizer.safetensors"):
        assert (ends[0] / name).read_bytes() == (ends[1] / name).read_bytes()
