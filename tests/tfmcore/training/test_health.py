"""What is noticed of a training that goes wrong, and that nothing is of one that goes well."""

import random

import pytest
import torch

from tfmcore.config import SavedModel
from tfmcore.messages import Examined, LayerState, Noticed, Stepped
from tfmcore.models import build
from tfmcore.training.examination import Examination, layers_of
from tfmcore.training.health import LEAST, LayerWatch, LossWatch
from tfmcore.training.trainer import TransformerTrainer, train


def falling(number: int, seed: int = 0) -> list[float]:
    chance = random.Random(seed)
    return [4 / (1 + step / 100) + chance.gauss(0, 0.05) for step in range(number)]


def state(gradient: float = 1.0, update: float = 0.01, scale: float = 1.0) -> LayerState:
    return LayerState(gradient_norm=gradient, update_ratio=update, activation_scale=scale)


@pytest.mark.parametrize("seed", range(20))
def test_a_loss_that_falls_with_noise_has_no_spike(seed):
    watch = LossWatch()
    assert [watch.score(loss) for loss in falling(1500, seed)] == [None] * 1500


def test_a_spike_is_told_once_and_the_next_one_again():
    watch, losses = LossWatch(), falling(300)
    losses[150:153] = [9.0, 9.5, 9.2]
    losses[250] = 12.0
    scores = {step: score for step, loss in enumerate(losses) if (score := watch.score(loss)) is not None}
    assert list(scores) == [150, 250]
    assert all(score > 20 for score in scores.values())


@pytest.mark.parametrize("seed", range(20))
def test_small_losses_that_vary_by_their_own_size_have_no_spike(seed):
    chance, watch = random.Random(seed), LossWatch()
    assert [watch.score(0.05 * chance.lognormvariate(0, 0.6)) for _ in range(1500)] == [None] * 1500


def test_of_few_losses_nothing_is_said_and_equal_ones_are_no_trouble():
    watch = LossWatch()
    assert [watch.score(loss) for loss in [1.0] * (LEAST - 1) + [50.0]] == [None] * LEAST
    watch = LossWatch()
    assert [watch.score(loss) for loss in [0.0] * 200] == [None] * 200


def test_layers_that_die_or_explode_are_told_once_until_they_are_well_again():
    watch = LayerWatch()
    well = {f"decoder.layers.{n}": state() for n in range(3)}
    for _ in range(10):
        assert list(watch.faults(well)) == []
    dead = well | {"decoder.layers.1": state(gradient=0.0)}
    [(kind, layer, sentence)] = watch.faults(dead)
    assert (kind, layer) == ("dead_layer", "decoder.layers.1")
    assert "try a lower learning rate" in sentence
    assert list(watch.faults(dead)) == []
    assert list(watch.faults(well)) == []
    assert len(list(watch.faults(dead))) == 1
    for figure in ("gradient", "update", "scale"):
        watch = LayerWatch()
        for _ in range(6):
            assert list(watch.faults(well)) == []
        [(kind, layer, sentence)] = watch.faults(well | {"decoder.layers.2": state(**{figure: 50.0})})
        assert (kind, layer) == ("exploding_layer", "decoder.layers.2")
        assert "lower learning rate" in sentence
    assert list(LayerWatch().faults({})) == []


@pytest.mark.parametrize("preset", ["nano-decoder", "nano-seq2seq", "nano-encoder", "bert-mini"])
def test_a_look_sees_what_is_there_and_changes_nothing(tiny, make_run, preset):
    run = make_run(preset, "model.num_layers=2", "training.steps=3", "training.health_every=2")
    run_without = make_run(preset, "model.num_layers=2", "training.steps=3", "training.health_every=0")
    events, plain = list(train(run.config(), run.folder)), list(train(run_without.config(), run_without.folder))
    losses = [[e.loss for e in found if isinstance(e, Stepped)] for found in (events, plain)]
    assert losses[0] == losses[1]
    [examined] = [event for event in events if isinstance(event, Examined)]
    assert examined.step == 2
    model = build(SavedModel(task=run.config().data.task, vocab_size=20, model=run.config().model))
    assert list(examined.layers) == list(layers_of(model))
    assert len(examined.layers) == (4 if preset == "nano-seq2seq" else 2)
    for layer in examined.layers.values():
        assert 0 < layer.gradient_norm < 100
        assert 1e-5 < layer.update_ratio < 0.3
        assert 0 < layer.activation_scale < 100


def test_the_figures_are_those_of_the_definition(tiny, make_run):
    run = make_run("nano-decoder", "model.num_layers=2", "training.gradient_clip=0.01")
    trainer = TransformerTrainer.prepare(run.config(), run, trainer_controls(run), lambda *_: None)
    name, layer = next(iter(layers_of(trainer.model).items()))
    seen: list[torch.Tensor] = []
    layer.register_forward_hook(lambda module, inputs, output: seen.append(output[0].detach()))
    examination = Examination(trainer.model)
    trainer.learner.gradient(next(trainer._work()))
    expected = torch.stack([weight.grad.norm() for weight in layer.parameters()]).norm().item()
    examination.take_gradients()
    before = [weight.detach()[:16].clone() for weight in layer.parameters() if weight.ndim == 2]
    trainer.learner.update(0.01)
    found = examination.finish()[name]
    after = [weight.detach()[:16] for weight in layer.parameters() if weight.ndim == 2]
    moved = torch.cat([(b - a).flatten() for a, b in zip(before, after, strict=True)]).norm()
    assert found.gradient_norm == pytest.approx(expected, rel=1e-5)
    assert found.update_ratio == pytest.approx(
        (moved / torch.cat([a.flatten() for a in before]).norm()).item(), rel=1e-4
    )
    assert found.activation_scale == pytest.approx(seen[0][0].square().mean().sqrt().item(), rel=1e-5)
    trainer.learner.gradient(next(trainer._work()))
    assert len(seen) == 2, "and its hooks are gone"
    assert not examination._hooks


def trainer_controls(run):
    from tfmcore.training.controls import Controls

    return Controls(run.folder)


def test_frozen_layers_are_not_called_dead(tiny, tmp_path):
    list(train(tiny("nano-decoder"), tmp_path / "base"))
    base = tmp_path / "base" / "checkpoints" / "step-00000006"
    words = [f"training.finetune_from={base}", "training.freeze=['layers.0']", "training.health_every=1"]
    words += ["tokenizer.kind=file", f"tokenizer.path={base / 'tokenizer.json'}", "model.num_layers=1"]
    events = list(train(tiny("nano-decoder", *words), tmp_path / "tuned"))
    assert not [event for event in events if isinstance(event, Noticed | Examined)]


@pytest.mark.parametrize("stopped", [None, 25])
def test_a_spike_is_an_event_with_its_batch_kept_and_readable(tiny, tmp_path, monkeypatch, stopped):
    """Also soon after a stop: what it is compared with is what was found before."""
    config = tiny("nano-decoder", "training.steps=40", "training.eval_every=100", "training.health_every=4")
    events = []
    for event in train(config, tmp_path / "run") if stopped else ():
        made[-1].controls.asked = isinstance(event, Stepped) and event.step == stopped
    for event in train(config, tmp_path / "run"):
        events.append(event)
        if isinstance(event, Stepped) and event.step == 30:
            with torch.no_grad():
                for weight in trainer_of(monkeypatch).model.parameters():
                    weight.mul_(6.0)
    noticed = [event for event in events if isinstance(event, Noticed)]
    spikes = [event for event in noticed if event.what == "loss_spike"]
    assert [event.step for event in spikes] == [31]
    assert "the loss jumped to" in spikes[0].sentence
    assert "try a lower learning rate" in spikes[0].sentence
    assert len(spikes[0].example_ids) == 4
    assert spikes[0].texts
    assert all(isinstance(text, str) and text for text in spikes[0].texts)
    assert "loss spike" in (tmp_path / "run" / "log.txt").read_text()


made: list[TransformerTrainer] = []


def trainer_of(monkeypatch) -> TransformerTrainer:
    return made[-1]


@pytest.fixture(autouse=True)
def remembered(monkeypatch):
    """The trainer that was made last, to be meddled with."""
    events = TransformerTrainer.events

    def remember(self):
        made.append(self)
        return events(self)

    monkeypatch.setattr(TransformerTrainer, "events", remember)
    yield
    made.clear()
