"""Training that begins from a trained model: what comes from it, what is new, what learns, and at which rate."""

import itertools
import shutil
from pathlib import Path

import pytest
import torch

from tests.tfmcore.training.bases import (
    FIRST,
    LEARNS,
    LORA,
    SENTINELS,
    TRAINING,
    begin,
    letters,
    steps,
    trainer_of,
    weights_of,
)
from tfmcore.config import SavedModel, UserError
from tfmcore.data import Tokenizer
from tfmcore.messages import Command, Stepped, Warned
from tfmcore.models import load_model
from tfmcore.runs import Run, RunState
from tfmcore.training.optimizers import rate_scales, set_learning_rate
from tfmcore.training.trainer import train

PAIRS = [(kind, *pair) for kind, tasks in LEARNS.items() for pair in itertools.product(tasks, tasks)]


@pytest.mark.parametrize(("kind", "task", "new_task"), PAIRS)
def test_body_comes_from_the_model_and_the_head_where_it_fits(base, tmp_path, kind, task, new_task):
    trainer = trainer_of(begin(base(kind, task), new_task), tmp_path / "run")
    its, _ = load_model(base(kind, task))
    given, found = dict(its.named_parameters()), dict(trainer.model.named_parameters())
    body = {name for name in found if not name.startswith("head.")}
    assert body == {name for name in given if not name.startswith("head.")}
    assert all(torch.equal(found[name], given[name]) for name in body)
    keeps = type(its.head) is type(trainer.model.head) and trainer.saved.labels == []
    heads = found.keys() - body
    assert all(name in given and torch.equal(found[name], given[name]) for name in heads) == (keeps or not heads)
    assert any("the head" in sentence for sentence in trainer.warnings) == bool(heads and not keeps)
    assert set(trainer.counters.new) == (set() if keeps else heads)
    assert set(trainer.learner.weights) == set(trainer.model.parameters())
    steps(trainer, 1)


def test_the_same_labels_keep_a_classifier_s_head(base, tmp_path):
    first = list(train(begin(base("encoder", "classification"), "classification"), tmp_path / "first"))
    assert any("the head" in event.sentence for event in first if isinstance(event, Warned))
    best = Run(tmp_path / "first").best().folder
    trainer = trainer_of(begin(best, "classification"), tmp_path / "second")
    assert trainer.counters.new == []
    learned = load_model(best)[0].parameters()
    assert all(torch.equal(a, b) for a, b in zip(trainer.learner.weights, learned, strict=True))


@pytest.mark.parametrize("kind", LEARNS)
@pytest.mark.parametrize("part", ["embedding", "head", "layers.0", "layers.0-1"])
def test_frozen_parts_stay_and_the_others_learn(base, tmp_path, kind, part):
    task = dict(FIRST)[kind]
    config = begin(base(kind, task, tie_embeddings=False), task, freeze=[part])
    trainer = trainer_of(config, tmp_path / "run")
    before = weights_of(trainer.model)
    steps(trainer, 2)
    frozen = {
        "embedding": lambda name: "embedding." in name,
        "head": lambda name: name.startswith("head."),
        "layers.0": lambda name: ".layers.0." in name,
        "layers.0-1": lambda name: ".layers." in name,
    }[part]
    assert any(frozen(name) for name in before)
    for name, weight in trainer.model.named_parameters():
        assert torch.equal(weight, before[name]) == frozen(name), name


def test_special_tokens_stay_what_the_model_calls_them(base, tmp_path):
    """Imported models have names for them beside their tokenizer, and some do without one: nothing is added."""
    folder = shutil.copytree(base("encoder_decoder", "translation"), tmp_path / "base")
    its = Tokenizer(Tokenizer.load(folder / "tokenizer.json").library, {"[BOS]": "[PAD]", "[EOS]": "~"})
    its.save(folder / "tokenizer.json")
    config = begin(folder, "translation")
    trainer = trainer_of(config, tmp_path / "run")
    assert trainer.dataset.tokenizer.names == its.names
    batch = next(trainer.dataset.train.batches(4, 0))
    assert set(batch.inputs["decoder_input_ids"][:, 0]) == {its.pad_id}
    list(train(config, tmp_path / "run"))
    shutil.rmtree(folder)
    best = Run(tmp_path / "run").best().folder
    assert Tokenizer.load(best / "tokenizer.json").names == its.names
    assert trainer_of(config, tmp_path / "run").dataset.tokenizer.names == its.names


def test_a_whole_stack_is_frozen(base, tmp_path):
    trainer = trainer_of(
        begin(base("encoder_decoder", "translation"), "translation", freeze=["encoder"]), tmp_path / "r"
    )
    before = weights_of(trainer.model)
    steps(trainer, 2)
    for name, weight in trainer.model.named_parameters():
        assert torch.equal(weight, before[name]) == name.startswith("encoder."), name


def test_nothing_left_to_learn_is_refused(base, tmp_path):
    config = begin(base("encoder", "classification"), "classification", freeze=["embedding", "encoder", "head"])
    with pytest.raises(UserError, match="no weights are left to train"):
        trainer_of(config, tmp_path / "run")


def test_each_layer_has_its_rate():
    names = [
        *("embedding.tokens.weight", "encoder.layers.0.a.weight", "encoder.layers.1.a.weight", "encoder.norm.weight"),
        "head.classifier.weight",
    ]
    assert list(rate_scales(names, 0.5).values()) == [0.125, 0.25, 0.5, 1.0, 1.0]
    both = ["encoder_embedding.tokens.weight", "encoder.layers.0.a", "decoder.layers.0.a", "decoder.layers.2.a"]
    assert rate_scales([name + "." for name in both], 0.5) == {
        "encoder_embedding.tokens.weight.": 1 / 16,
        "encoder.layers.0.a.": 1 / 2,
        "decoder.layers.0.a.": 1 / 8,
        "decoder.layers.2.a.": 1 / 2,
    }


@pytest.mark.parametrize("kind", LEARNS)
def test_layer_decay_sets_the_rate_of_every_weight(base, tmp_path, kind):
    task = dict(FIRST)[kind]
    trainer = trainer_of(begin(base(kind, task), task, layer_decay=0.5), tmp_path / "run")
    set_learning_rate(trainer.learner.optimizer, 0.1)
    rates = {w: group["lr"] for group in trainer.learner.optimizer.param_groups for w in group["params"]}
    named = {name: rates[weight] for name, weight in trainer.model.named_parameters()}
    assert len(rates) == len(named)
    for name, rate in named.items():
        above = 3 if "embedding." in name else 2 - int(name.split(".")[2]) if ".layers." in name else 0
        assert rate == pytest.approx(0.1 * 0.5**above), name
    steps(trainer, 1)


WAYS = {
    "all": {},
    "frozen": {"freeze": ["embedding", "layers.0"]},
    "decay": {"layer_decay": 0.7},
    "lora": LORA | {"lora_dropout": 0.2},
    "lora, decay, frozen": LORA | {"layer_decay": 0.5, "freeze": ["layers.0"]},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", LEARNS)
def test_resume_comes_to_the_same_bit_for_bit_though_the_model_is_gone(base, tmp_path, kind, way):
    task = dict(FIRST)[kind]
    copied = shutil.copytree(base(kind, task, dropout=0.1), tmp_path / "base")
    config = begin(copied, task, **way)
    whole = [e for e in train(config, tmp_path / "whole") if isinstance(e, Stepped)]
    run, parts = Run.open(tmp_path / "parts", config), []
    for event in train(config, run.folder):
        if isinstance(event, Stepped):
            parts.append(event)
            if event.step == 2:
                run.command(Command(kind="stop"))
    assert run.state() is RunState.STOPPED
    for file in copied.iterdir():
        file.unlink()
    events = list(train(config, run.folder))
    parts += [event for event in events if isinstance(event, Stepped)]
    assert [(e.step, e.loss, e.gradient_norm) for e in parts] == [(e.step, e.loss, e.gradient_norm) for e in whole]
    assert not [e for e in events if isinstance(e, Warned) and ("new" in e.sentence or "changed" in e.sentence)]
    for name in ("model.safetensors", "optimizer.safetensors", "tokenizer.json"):
        ends = [r.checkpoints()[-1].folder / name for r in (Run(tmp_path / "whole"), run)]
        assert ends[0].read_bytes() == ends[1].read_bytes()


def test_a_model_of_another_shape_is_refused_by_field(base, tmp_path):
    config = begin(base("encoder", "classification"), "classification")
    with pytest.raises(UserError, match=r"model\.norm: the model to fine-tune has rms, not layer"):
        trainer_of(config.replaced(model__norm="layer"), tmp_path / "run")


def with_tokenizer(folder: Path, copied: Path, tokenizer: Tokenizer) -> Path:
    """The same model with another tokenizer."""
    shutil.copytree(folder, copied)
    tokenizer.save(copied / "tokenizer.json")
    return copied


def test_tokens_that_the_model_lacks_get_new_embeddings(base, tmp_path):
    folder = with_tokenizer(base("decoder", "language_modeling"), tmp_path / "base", letters(140))
    trainer = trainer_of(begin(folder, "language_modeling"), tmp_path / "run")
    its, _ = load_model(folder)
    size = its.vocab_size
    assert trainer.saved.vocab_size == size + 13
    tokens = trainer.model.get_parameter("embedding.tokens.weight")
    assert torch.equal(tokens[:size], its.get_parameter("embedding.tokens.weight"))
    assert any("13 tokens are new to the model" in sentence for sentence in trainer.warnings)
    steps(trainer, 1)


def test_a_tokenizer_without_sentinels_gets_them_for_span_corruption(base, tmp_path):
    folder = with_tokenizer(base("encoder_decoder", "translation"), tmp_path / "base", letters(127, ()))
    assert Tokenizer.load(folder / "tokenizer.json").library.token_to_id(SENTINELS[0]) is None
    run = Run.open(tmp_path / "run", begin(folder, "span_corruption"))
    events = list(train(run.config(), run.folder))
    assert len([event for event in events if isinstance(event, Stepped)]) == TRAINING["steps"]
    kept = Tokenizer.load(run.best().folder / "tokenizer.json")
    assert {kept.library.token_to_id(sentinel) for sentinel in SENTINELS} <= kept.special_ids
    assert SavedModel.read(run.best().folder).vocab_size == kept.vocab_size
