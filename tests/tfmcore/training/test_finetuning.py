"""Training that begins from a trained model: what comes from it, what is new, what learns, and at which rate."""

import copy
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tfmcore.config import SOURCES, TASKS, Config, ModelConfig, SavedModel, TokenizerConfig, UserError, with_base
from tfmcore.data.tokenizer_training import train_tokenizer
from tfmcore.messages import Command, Stepped, Warned
from tfmcore.models import build, load_model, save_weights
from tfmcore.nn.low_rank import AdaptedLinear, LowRank, merged
from tfmcore.runs import Run, RunState
from tfmcore.training.controls import Controls
from tfmcore.training.finetuning import choose_trained, low_rank_targets
from tfmcore.training.optimizers import make_optimizer, rate_scales, set_learning_rate
from tfmcore.training.trainer import TransformerTrainer, train

SHAPE = {"d_model": 16, "num_layers": 2, "num_heads": 2, "context_length": 40}
DATA = {"max_examples": 60, "languages": ["fi", "hu", "ja"], "validation_fraction": 0.2}
TRAINING = {
    "steps": 6,
    "warmup_steps": 0,
    "batch_size": 4,
    "learning_rate": 0.01,
    "eval_every": 3,
    "eval_batches": 2,
    "save_every": 3,
    "sample_every": 0,
    "threads": 1,
    "device": "cpu",
}
LORA = {"lora_rank": 2, "lora_targets": ["attention", "feed_forward"]}
LEARNS = {  # an architecture and two tasks that it can learn
    kind: [task for task, facts in TASKS.items() if kind in facts.architectures] for kind in ("encoder", "decoder")
} | {"encoder_decoder": [task for task, facts in TASKS.items() if "encoder_decoder" in facts.architectures]}
PAIRS = [(kind, *pair) for kind, tasks in LEARNS.items() for pair in itertools.product(tasks, tasks)]
FIRST = [(kind, "classification" if "classification" in tasks else tasks[0]) for kind, tasks in LEARNS.items()]

Begin = Callable[..., Config]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Callable[..., Path]:
    """A model folder of that kind and task with random weights; the same one each time."""
    made: dict[tuple[object, ...], Path] = {}

    def make(kind: str, task: str, **fields) -> Path:
        if (key := (kind, task, *fields.items())) not in made:
            made[key] = tmp_path_factory.mktemp(f"{kind}-{task}")
            letters = "".join(chr(code) for code in range(32, 127))
            tokenizer = train_tokenizer(TokenizerConfig(kind="char"), [letters, letters])
            labels = ["a", "b", "c"] if task in ("classification", "token_tagging") else []
            model = ModelConfig(architecture=kind, **SHAPE | fields)
            saved = SavedModel(task=task, vocab_size=tokenizer.vocab_size, model=model, labels=labels)
            torch.manual_seed(5)
            saved.write(made[key])
            whole = build(saved)
            with torch.no_grad():
                for weight in whole.parameters():
                    weight += 0.05 * torch.randn_like(weight)
            save_weights(whole, made[key] / "model.safetensors")
            tokenizer.save(made[key] / "tokenizer.json")
        return made[key]

    return make


def begin(folder: Path, task: str, **training) -> Config:
    source = next(name for name, facts in SOURCES.items() if task in facts.tasks and name != "file")
    raw = {"data": DATA | {"task": task, "source": source}, "training": TRAINING | training}
    raw["training"]["finetune_from"] = str(folder)
    return Config.parse(with_base(raw, Path))


def trainer_of(config: Config, folder: Path) -> TransformerTrainer:
    run = Run.open(folder, config)
    return TransformerTrainer.prepare(run.config(), run, Controls(run.folder), lambda *_: None)


def weights_of(model) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def steps(trainer: TransformerTrainer, count: int) -> None:
    for batches in itertools.islice(trainer._work(), count):
        list(trainer._learn(batches))


@pytest.mark.parametrize(("kind", "task", "new_task"), PAIRS)
def test_body_comes_from_the_model_and_the_head_where_it_fits(base, tmp_path, kind, task, new_task):
    trainer = trainer_of(begin(base(kind, task), new_task), tmp_path / "run")
    its, _ = load_model(base(kind, task))
    given, found = dict(its.named_parameters()), dict(trainer.model.named_parameters())
    body = {name for name in found if not name.startswith("head.")}
    assert body == {name for name in given if not name.startswith("head.")}
    assert all(torch.equal(found[name], given[name]) for name in body)
    keeps = type(its.head) is type(trainer.model.head) and trainer.saved.labels == []
    assert keeps or task != new_task or trainer.saved.labels
    heads = found.keys() - body
    assert all(name in given and torch.equal(found[name], given[name]) for name in heads) == (keeps or not heads)
    assert any("the head" in sentence for sentence in trainer.warnings) == bool(heads and not keeps)
    assert set(trainer.counters.new) == (set() if keeps else heads)
    assert set(trainer.weights) == set(trainer.model.parameters())
    steps(trainer, 1)


def test_the_same_labels_keep_a_classifier_s_head(base, tmp_path):
    first = list(train(begin(base("encoder", "classification"), "classification"), tmp_path / "first"))
    assert any("the head" in event.sentence for event in first if isinstance(event, Warned))
    best = Run(tmp_path / "first").best().folder
    trainer = trainer_of(begin(best, "classification"), tmp_path / "second")
    assert trainer.counters.new == []
    assert all(torch.equal(a, b) for a, b in zip(trainer.weights, load_model(best)[0].parameters(), strict=True))


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
    with pytest.raises(UserError, match="nothing is left that could learn"):
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
    set_learning_rate(trainer.optimizer, 0.1)
    rates = {w: group["lr"] for group in trainer.optimizer.param_groups for w in group["params"]}
    named = {name: rates[weight] for name, weight in trainer.model.named_parameters()}
    assert len(rates) == len(named)
    for name, rate in named.items():
        above = 3 if "embedding." in name else 2 - int(name.split(".")[2]) if ".layers." in name else 0
        assert rate == pytest.approx(0.1 * 0.5**above), name
    steps(trainer, 1)


def adapted(base, kind: str, task: str, **fields):
    """A model as it is, and the same with updates of rank 2 that have learned something."""
    model, _ = load_model(base(kind, task, **fields))
    plain = copy.deepcopy(model)
    torch.manual_seed(1)
    choose_trained(model, begin(base(kind, task, **fields), task, **LORA).training)
    return plain, model


def answers(model, kind: str):
    ids = torch.randint(7, model.vocab_size, (2, 9), generator=torch.Generator().manual_seed(3))
    more = {"decoder_input_ids": ids.flip(1)} if kind == "encoder_decoder" else {}
    return model(ids, **more).logits


@pytest.mark.parametrize(("kind", "task"), FIRST)
def test_lora_begins_as_the_model_and_learns_only_its_factors(base, kind, task):
    plain, model = adapted(base, kind, task)
    assert torch.equal(answers(model, kind), answers(plain, kind))
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained == {name for name, _ in model.named_parameters() if ".low_rank." in name}
    targets = low_rank_targets(plain, LORA["lora_targets"])
    assert targets == [name for name, m in model.named_modules() if isinstance(m, AdaptedLinear)]
    count = 0
    for name in targets:
        linear = plain.get_submodule(name)
        parts = len(getattr(linear, "sizes", "1"))
        count += 2 * (parts * linear.in_features + linear.out_features)
    assert model.num_parameters(trainable=True) == count > 0


@pytest.mark.parametrize(("kind", "task"), FIRST)
def test_lora_merged_answers_as_unmerged_and_the_model_s_own_weights_stay(base, tmp_path, kind, task):
    trainer = trainer_of(begin(base(kind, task), task, **LORA), tmp_path / "run")
    before = weights_of(trainer.model)
    steps(trainer, 3)
    trainer.model.eval()
    after = dict(trainer.model.named_parameters())
    new = set(trainer.counters.new)
    for name, weight in before.items():
        assert torch.equal(after[name], weight) != (".low_rank." in name or name in new), name
    expected = answers(trainer.model, kind)
    with merged(trainer.model):
        torch.testing.assert_close(answers(trainer.model, kind), expected, rtol=0, atol=1e-6)
    folder = tmp_path / "saved"
    folder.mkdir()
    trainer._fill(folder)
    opened, _ = load_model(folder)
    torch.testing.assert_close(answers(opened, kind), expected, rtol=0, atol=1e-6)
    assert not torch.equal(answers(opened, kind), answers(load_model(base(kind, task))[0], kind))


def test_lora_leaves_out_what_is_frozen_and_what_is_not_named(base, tmp_path):
    config = begin(base("encoder", "classification"), "classification", lora_rank=1, freeze=["layers.0"])
    trainer = trainer_of(config, tmp_path / "run")
    having = {name for name, module in trainer.model.named_modules() if isinstance(module, LowRank)}
    assert having == {f"encoder.layers.1.self_attention.{name}.low_rank" for name in ("query_key_value", "output")}
    others = {name for name, w in trainer.model.named_parameters() if w.requires_grad and "low_rank" not in name}
    assert others == set(trainer.counters.new)


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
    copied = tmp_path / "base"
    copied.mkdir()
    for file in base(kind, task, dropout=0.1).iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
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
    with pytest.raises(UserError, match=r"model\.norm: the model that training begins from has rms, not layer"):
        trainer_of(config.replaced(model__norm="layer"), tmp_path / "run")


def test_tokens_that_the_model_lacks_get_new_embeddings(base, tmp_path):
    folder = tmp_path / "base"
    folder.mkdir()
    for file in base("decoder", "language_modeling").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    letters = "".join(chr(code) for code in range(32, 140))
    train_tokenizer(TokenizerConfig(kind="char"), [letters, letters]).save(folder / "tokenizer.json")
    trainer = trainer_of(begin(folder, "language_modeling"), tmp_path / "run")
    its, _ = load_model(folder)
    size = its.vocab_size
    assert trainer.saved.vocab_size == size + 13
    tokens = trainer.model.get_parameter("embedding.tokens.weight")
    assert torch.equal(tokens[:size], its.get_parameter("embedding.tokens.weight"))
    assert any("13 tokens are new to the model" in sentence for sentence in trainer.warnings)
    steps(trainer, 1)


def test_updates_are_learned_at_their_layer_s_rate(base):
    _, model = adapted(base, "encoder", "classification")
    config = begin(base("encoder", "classification"), "classification", layer_decay=0.5, **LORA)
    optimizer = make_optimizer(model, config.training)
    scales = {group["rate_scale"] for group in optimizer.param_groups if group["params"]}
    assert scales == {0.25, 0.5}
