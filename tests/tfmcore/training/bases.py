"""Small trained models to begin from, and training that begins from them."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import torch

from tfmcore.config import SOURCES, TASKS, Config, DataConfig, ModelConfig, SavedModel, TokenizerConfig, with_base
from tfmcore.config.tasks import LABEL_TASKS
from tfmcore.data import Tokenizer
from tfmcore.data.tasks.span_corruption import SpanCorruption
from tfmcore.data.tokenizer_training import train_tokenizer
from tfmcore.models import build, save_weights
from tfmcore.runs import Run
from tfmcore.training.controls import Controls
from tfmcore.training.trainer import TransformerTrainer

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
LEARNS = {
    kind: [task for task, facts in TASKS.items() if kind in facts.architectures]
    for kind in ("encoder", "decoder", "encoder_decoder")
}
FIRST = [(kind, "classification" if "classification" in tasks else tasks[0]) for kind, tasks in LEARNS.items()]

SENTINELS = SpanCorruption(DataConfig()).extra_tokens(SHAPE["context_length"])
"""Those that span corruption needs; of any task, for every task must be able to begin from it."""


def letters(end: int, extra: Sequence[str] = SENTINELS) -> Tokenizer:
    """A tokenizer of the characters from the space to before `end`."""
    text = "".join(chr(code) for code in range(32, end))
    return train_tokenizer(TokenizerConfig(kind="char"), [text, text], extra)


def write_base(folder: Path, kind: str, task: str, **fields: object) -> None:
    """A model folder of that kind and task with random weights."""
    tokenizer = letters(127)
    labels = ["a", "b", "c"] if task in LABEL_TASKS else []
    model = ModelConfig(architecture=kind, **SHAPE | fields)
    saved = SavedModel(task=task, vocab_size=tokenizer.vocab_size, model=model, labels=labels)
    torch.manual_seed(5)
    saved.write(folder)
    whole = build(saved)
    with torch.no_grad():
        for weight in whole.parameters():
            weight += 0.05 * torch.randn_like(weight)
    save_weights(whole, folder / "model.safetensors")
    tokenizer.save(folder / "tokenizer.json")


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
        list(trainer.steps.learn(batches))
