"""What a training is made of, at its start or where a checkpoint stands: its dataset and its model."""

import os
import shutil
from pathlib import Path

import torch
from torch import Tensor

from tfmcore.config import Config, SavedModel, TrainingConfig, UserError
from tfmcore.config.branching import parent_of
from tfmcore.data import Dataset, Progress, prepare
from tfmcore.data.tokenizers import ROLES
from tfmcore.models import Model, build
from tfmcore.models.weights import FILE, load_weights
from tfmcore.patience import patiently
from tfmcore.runs import Checkpoint, Run
from tfmcore.training.finetuning import begin_from, choose_trained
from tfmcore.training.state import Counters, load_counters


def dataset_of(
    config: Config, run: Run, checkpoint: Checkpoint | None, progress: Progress, is_main: bool = True
) -> tuple[Dataset, list[str]]:
    """The run's data and, where it is no longer what the checkpoint learned from, a sentence that says so; its
    tokenizer stays the same, for the model knows no other. Of several ranks only the main one writes to the run's
    folder. Raises UserError."""
    tokenizer = run.folder / "tokenizer.json"
    if config.tokenizer.kind == "file":  # kept, for the model that it came with may be gone when the run goes on
        if not tokenizer.is_file():
            _keep(Path(config.tokenizer.path), tokenizer)
        config = config.replaced(tokenizer__path=str(tokenizer))
    dataset = prepare(config, progress)
    if checkpoint is None:
        if config.tokenizer.kind != "file" and is_main:
            dataset.tokenizer.save(tokenizer)
        return dataset, []
    if dataset.fingerprint == checkpoint.manifest.data_fingerprint:
        return dataset, []
    if is_main:
        _keep(checkpoint.folder / "tokenizer.json", tokenizer)
    dataset = prepare(config.replaced(tokenizer__kind="file", tokenizer__path=str(tokenizer)), progress)
    if dataset.labels != SavedModel.read(checkpoint.folder).labels:
        raise UserError("the data has other labels now than when the run began: start a new run")
    if dataset.fingerprint == checkpoint.manifest.data_fingerprint:
        return dataset, []
    return dataset, [f"the data has changed since step {checkpoint.step}: the run continues with the changed data"]


def _keep(given: Path, kept: Path) -> None:
    """Copy a tokenizer.json into the run, and what says which of its tokens are the special ones; raises UserError
    where it cannot be read."""
    staged = kept.with_name(f".{kept.name}-{os.getpid()}")
    try:
        if given.with_name(ROLES).is_file():
            shutil.copyfile(given.with_name(ROLES), kept.with_name(ROLES))
        shutil.copyfile(given, staged)
        patiently(lambda: staged.replace(kept))
    except OSError as error:
        raise UserError(f"the tokenizer {given} cannot be read: {error.strerror}") from None


def class_weights_of(training: TrainingConfig, dataset: Dataset) -> Tensor | None:
    """How much each class (C,) counts in the loss, where not all count the same."""
    return torch.from_numpy(dataset.class_weights()) if training.class_weights == "balanced" else None


def saved_model(config: Config, dataset: Dataset, checkpoint: Checkpoint | None = None, run: str = "") -> SavedModel:
    """What to build. Of the model that training goes on with or begins from, the vocabulary may count tokens that
    nobody writes."""
    before, vocab_size = config.training.finetune_from, dataset.tokenizer.vocab_size
    if checkpoint or before:
        known = SavedModel.read(checkpoint.folder if checkpoint else Path(before)).vocab_size
        vocab_size = max(vocab_size, known)
    task, labels = config.data.task, dataset.labels
    return SavedModel(task=task, vocab_size=vocab_size, model=config.model, labels=labels, data=config.data, run=run)


def model_of(
    saved: SavedModel, training: TrainingConfig, device: torch.device, checkpoint: Checkpoint | None = None
) -> tuple[Model, Counters, list[str]]:
    """The model as training goes on with it or begins, where that stands, and what is new; raises UserError."""
    model, counters, news = build(saved), Counters(), list[str]()
    if checkpoint:
        counters = load_counters(checkpoint.folder)
        load_weights(model, checkpoint.folder / FILE)
        if (parent := parent_of(training)) and parent.step == checkpoint.step:
            counters.branch(checkpoint.score)
    elif training.finetune_from:
        counters.new, news = begin_from(Path(training.finetune_from), model, saved)
    choose_trained(model, training, counters.new)
    model.to(device).set_gradient_checkpointing(training.gradient_checkpointing)
    return model, counters, news
