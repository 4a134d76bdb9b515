"""Runs so small that they train in a moment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tfmcore.training.bases import write_base
from tfmcore.config import Config, find_preset
from tfmcore.runs import Run

TINY = [
    "data.max_examples=60",
    "data.languages=['fi', 'hu', 'ja']",
    "data.validation_fraction=0.2",
    "tokenizer.vocab_size=300",
    "model.d_model=16",
    "model.num_heads=2",
    "model.num_layers=1",
    "model.context_length=32",
    "training.steps=6",
    "training.warmup_steps=2",
    "training.batch_size=4",
    "training.eval_every=3",
    "training.eval_batches=2",
    "training.save_every=3",
    "training.sample_every=0",
    "training.threads=1",
    "training.device=cpu",
]

MakeBase = Callable[..., Path]
MakeConfig = Callable[..., Config]
MakeRun = Callable[..., Run]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> MakeBase:
    """A model folder of that kind and task with random weights; the same one each time."""
    made: dict[tuple[object, ...], Path] = {}

    def make(kind: str, task: str, **fields: object) -> Path:
        if (key := (kind, task, *fields.items())) not in made:
            made[key] = tmp_path_factory.mktemp(f"{kind}-{task}")
            write_base(made[key], kind, task, **fields)
        return made[key]

    return make


@pytest.fixture
def tiny() -> MakeConfig:
    """A preset made small: `tiny("reverse", "training.steps=9")`."""
    return lambda preset="reverse", *overrides: find_preset(preset).config([*TINY, *overrides])


@pytest.fixture
def make_run(tiny: MakeConfig, tmp_path: Path) -> MakeRun:
    """A run of a preset made small, in a folder whose name is not plain."""
    return lambda *arguments: Run.create(tmp_path / "été 训练 🙂", tiny(*arguments), "run")
