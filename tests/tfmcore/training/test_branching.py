"""A branch goes on from its parent's checkpoint as the parent would have, but for what was changed."""

import pytest
import torch

from tfmcore.config import ConfigError, UserError
from tfmcore.config.branching import Parent, parent_of
from tfmcore.messages import Changed, Command, Evaluated, Finished, Saved, Started, Stepped
from tfmcore.models import load_model
from tfmcore.runs import Run
from tfmcore.training import trainer
from tfmcore.training.controls import Controls
from tfmcore.training.evaluation import Evaluation
from tfmcore.training.trainer import train

HALF = ("training.steps=12", "training.save_every=3", "model.dropout=0.1")


@pytest.fixture
def parent(tiny, tmp_path) -> Run:
    config = tiny("nano-decoder", *HALF)
    list(train(config, tmp_path / "runs" / "parent"))
    return Run(tmp_path / "runs" / "parent")


def branch(parent, step=None, **changes) -> Run:
    folder = str(parent.checkpoint_before(step).folder)
    config = parent.config().replaced(training__branch_from=folder, **changes)
    return Run.create(parent.folder.parent, config, "child")


def losses(run: Run) -> dict[int, float]:
    return {event.step: event.loss for event in run.events() if isinstance(event, Stepped)}


def test_without_a_change_it_does_what_its_parent_did(parent):
    child = branch(parent, 10)
    assert parent_of(child.config().training) == Parent("parent", 9)
    assert [checkpoint.step for checkpoint in child.checkpoints()] == [9]
    events = list(train(child.config(), child.folder))
    assert isinstance(events[0], Started)
    assert events[0].step == 9
    assert losses(child) == {step: loss for step, loss in losses(parent).items() if step > 9}
    ends = [run.checkpoints()[-1].folder for run in (parent, child)]
    for name in ("model.safetensors", "optimizer.safetensors"):
        assert (ends[0] / name).read_bytes() == (ends[1] / name).read_bytes()
    assert load_model(ends[1])[1].run == child.id


def test_what_is_changed_acts_from_the_next_step_on(parent):
    child = branch(parent, 9, training__learning_rate=0.5, training__schedule="constant", training__batch_size=2)
    events = list(train(child.config(), child.folder))
    steps = [event for event in events if isinstance(event, Stepped)]
    assert {event.learning_rate for event in steps} == {0.5}
    assert steps[0].tokens < next(e for e in parent.events() if isinstance(e, Stepped)).tokens
    assert [event.step for event in events if isinstance(event, Evaluated)] == [12]
    assert len(list(parent.events())) == len({(e.kind, e.step, e.time) for e in parent.events()}), "it stays as it is"


def test_a_rate_that_was_set_by_hand_stays_with_the_parent(tiny, tmp_path):
    parent = Run.open(tmp_path / "parent", tiny("nano-decoder", *HALF))
    for event in train(parent.config(), parent.folder):
        if isinstance(event, Stepped) and event.step == 2:
            parent.command(Command(kind="set_learning_rate", value=0.125))
    assert any(isinstance(event, Changed) for event in parent.events())
    child = branch(parent, 9)
    rates = {event.learning_rate for event in train(child.config(), child.folder) if isinstance(event, Stepped)}
    assert 0.125 not in rates


def validating(monkeypatch, losses: list[float]) -> None:
    found = iter(losses)
    monkeypatch.setattr(trainer, "evaluate", lambda *_: Evaluation(next(found), {}, 1))


def test_where_it_is_measured_alike_what_it_goes_on_from_is_the_best_until_beaten(tiny, tmp_path, monkeypatch):
    validating(monkeypatch, [1.0, 5.0, 3.0, 4.0])
    parent = Run.open(tmp_path / "parent", tiny("nano-decoder", *HALF))
    list(train(parent.config(), parent.folder))
    child = branch(parent, 9, training__steps=15, training__early_stopping=2)
    assert (child.best().step, child.best().score) == (9, 3.0)
    validating(monkeypatch, [3.5, 2.0])
    saved = [event for event in train(child.config(), child.folder) if isinstance(event, Saved)]
    assert [(event.step, event.best) for event in saved] == [(12, False), (15, True)]
    assert child.best().step == 15


@pytest.mark.parametrize("changes", [{"training__best_by": "loss"}, {"data__validation_fraction": 0.3}])
def test_where_it_is_measured_otherwise_it_begins_its_own_search_for_the_best(tiny, tmp_path, monkeypatch, changes):
    validating(monkeypatch, [1.0] * 4)
    parent = Run.open(tmp_path / "parent", tiny("nano-decoder", *HALF))
    list(train(parent.config(), parent.folder))
    child = branch(parent, training__steps=21, training__early_stopping=2, **changes)
    assert child.best().manifest.validation_loss is None
    assert child.best().fault() == ""
    validating(monkeypatch, [3.0, 2.0, 2.5])
    events = list(train(child.config(), child.folder))
    assert [event.best for event in events if isinstance(event, Saved)] == [True, True, False]
    assert events[-1].reason == "finished"
    assert child.best().step == 18


def test_one_that_is_never_validated_tells_no_loss(parent):
    child = branch(parent, training__steps=15, training__eval_every=100)
    for event in train(child.config(), child.folder):
        if isinstance(event, Stepped):
            child.command(Command(kind="stop"))
    assert isinstance(event, Finished)
    assert (event.reason, event.loss) == ("stopped", None)
    assert load_model(child.checkpoints()[-1].folder)[1].metrics == {}


def test_an_average_or_another_optimizer_can_begin_at_a_branch_and_end_there(parent):
    child = branch(parent, training__optimizer="muon", training__ema_decay=0.9, training__steps=15)
    assert list(train(child.config(), child.folder))[-1].step == 15
    again = branch(child, training__optimizer="adamw", training__ema_decay=0.0, training__steps=18)
    assert list(train(again.config(), again.folder))[-1].step == 18
    assert parent_of(again.config().training) == Parent(child.id, 15)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"model__d_model": 32}, "model.d_model"),
        ({"training__steps": 12}, "training.steps"),
        ({"model__num_layers": 3}, "model.num_layers"),
        ({"tokenizer__lowercase": True}, "tokenizer.lowercase"),
        ({"data__task": "denoising", "model__architecture": "encoder_decoder"}, "data.task"),
    ],
)
def test_what_cannot_change_is_named_and_no_run_is_made(parent, changes, field):
    with pytest.raises(ConfigError, match=field):
        branch(parent, **changes)
    assert [path.name for path in parent.folder.parent.iterdir()] == ["parent"]


@pytest.fixture
def tuned(parent, tiny, tmp_path) -> Run:
    """With updates of low rank, begun from the parent."""
    base = parent.best().folder
    words = [f"training.finetune_from={base}", "training.lora_rank=2", *HALF]
    words += ["tokenizer.kind=file", f"tokenizer.path={base / 'tokenizer.json'}"]
    list(train(tiny("nano-decoder", *words), tmp_path / "lora"))
    return Run(tmp_path / "lora")


def test_low_rank_updates_stay_what_they_are(tuned):
    others = {"lora_rank": 0, "lora_alpha": 32.0, "lora_targets": ["feed_forward"], "freeze": ["head"]}
    for name, value in others.items():
        with pytest.raises(ConfigError, match=f"training.{name}: the run that this one branches from"):
            branch(tuned, training__steps=15, **{f"training__{name}": value})
    child = branch(tuned, 9)
    list(train(child.config(), child.folder))
    assert losses(child) == {step: loss for step, loss in losses(tuned).items() if step > 9}


def test_an_average_of_low_rank_updates_begins_as_they_are(tuned):
    child = branch(tuned, training__ema_decay=0.9, training__steps=15)
    prepared = trainer.TransformerTrainer.prepare(child.config(), child, Controls(child.folder), lambda *_: None)
    averages = prepared.learner.averages
    assert averages.count == 0
    assert all(torch.equal(*pair) for pair in zip(averages.values, averages.weights, strict=True))


def test_parts_of_a_run_without_low_rank_updates_can_be_frozen_from_there_on(parent):
    child = branch(parent, training__freeze=["layers.0"], training__steps=15)
    assert list(train(child.config(), child.folder))[-1].step == 15


def test_no_checkpoint_is_said(parent, tiny, tmp_path):
    with pytest.raises(UserError, match="no checkpoint at or before step 2; it has"):
        parent.checkpoint_before(2)
    with pytest.raises(UserError, match="no checkpoint yet"):
        Run.create(tmp_path / "other", tiny(), "new").checkpoint_before()
    for wrong in (tmp_path, parent.folder / "checkpoints" / "step-00000001"):
        with pytest.raises(UserError, match="is not a checkpoint of a run"):
            Run.create(tmp_path / "runs", tiny("nano-decoder", f"training.branch_from={wrong}"), "x")
