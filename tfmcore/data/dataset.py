"""A dataset ready for training: its tokenizer, its labels and its two parts, tokenised and mapped into memory."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfmcore.config.config import Config
from tfmcore.config.data import DataConfig
from tfmcore.config.problems import UserError
from tfmcore.config.tokenizer import TokenizerConfig
from tfmcore.data.arrays import Stored
from tfmcore.data.preparation import TRAIN, VALIDATION, Preparation, fingerprint, is_whole
from tfmcore.data.progress import Progress, silent
from tfmcore.data.splits import ExampleSplit, Split, TextSplit
from tfmcore.data.tasks import TASKS
from tfmcore.data.tokenizers import Tokenizer
from tfmcore.workspace import cache_folder


@dataclass(frozen=True)
class Dataset:
    """`warnings` are sentences for the user; `counts` say how much there is; `folder` is its place in the cache."""

    tokenizer: Tokenizer
    labels: list[str]
    train: Split
    validation: Split
    warnings: list[str]
    counts: dict[str, int]
    fingerprint: str
    folder: Path

    def class_weights(self) -> NDArray[np.float32]:
        """For each of the labels (C,) so many that all of them count alike in the training data: the number of all
        examples ÷ (C · the number of its own), whose mean over the examples is 1."""
        found = self.train.task.classes(self.train.stored.numbers, self.train.stored.marks)
        counts = np.bincount(found[found >= 0], minlength=len(self.labels))
        weights: NDArray[np.float32] = (counts.mean() / np.maximum(counts, 1)).astype(np.float32)
        return weights


def prepare(config: Config, progress: Progress | None = None, cache: Path | None = None) -> Dataset:
    """The dataset of a config: from the cache, or made now (a tokenizer trained, everything tokenised).

    Raises UserError for data that cannot be used. `progress` may raise Cancelled; then nothing is left behind.
    """
    progress = progress or silent
    extra = TASKS[config.data.task](config.data).extra_tokens(config.model.context_length)
    mark = fingerprint(config.data, config.tokenizer, progress, *extra)
    folder = (cache or cache_folder()) / "data" / mark
    if not is_whole(folder):
        Preparation(config.data, config.tokenizer, progress, extra=extra).write(folder)
    return _opened(folder, config, mark)


def evaluation_split(
    data: DataConfig,
    tokenizer: Tokenizer,
    labels: Sequence[str],
    context_length: int,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> Split:
    """All of some data, to evaluate a trained model on with its own tokenizer and labels; raises UserError."""
    progress = progress or silent
    mark = fingerprint(data, TokenizerConfig(), progress, tokenizer.library.to_str(), *labels)
    folder = (cache or cache_folder()) / "data" / mark
    if not is_whole(folder):
        Preparation(data, TokenizerConfig(), progress, tokenizer, labels).write(folder)
    split = _split(folder, VALIDATION, data, tokenizer, context_length)
    split.warnings = [*_facts(folder)["warnings"], *_cut([split], context_length, fixed=True)]
    return split


def _opened(folder: Path, config: Config, mark: str) -> Dataset:
    facts = _facts(folder)
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    context = config.model.context_length
    train, validation = (_split(folder, name, config.data, tokenizer, context) for name in (TRAIN, VALIDATION))
    counts = {
        "train": len(train),
        "validation": len(validation),
        "train_tokens": train.num_tokens,
        "validation_tokens": validation.num_tokens,
        "vocabulary": tokenizer.vocab_size,
    }
    warnings = [*facts["warnings"], *_cut([train, validation], context)]
    return Dataset(tokenizer, facts["labels"], train, validation, warnings, counts, mark, folder)


def _facts(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "dataset.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def _split(folder: Path, name: str, data: DataConfig, tokenizer: Tokenizer, context_length: int) -> Split:
    stored, task = Stored(folder, name, tokenizer.vocab_size), TASKS[data.task](data, tokenizer.framing)
    if stored.ends:
        return ExampleSplit(stored, task, tokenizer, context_length)
    split = TextSplit(stored, task, tokenizer, context_length)
    if name == TRAIN and len(split.text) < split.window:
        raise UserError(
            f"the training text has {len(split.text)} tokens, too few for one window of {split.window}: "
            f"use a longer text or a shorter model.context_length"
        )
    return split


def _cut(splits: Sequence[Split], context_length: int, fixed: bool = False) -> Iterator[str]:
    lengths = np.concatenate([split.lengths() for split in splits])
    if num_cut := int(np.count_nonzero(lengths > context_length)):
        remedy = "" if fixed else f"; a model.context_length of {lengths.max()} would hold them all"
        examples = f"{num_cut} of {len(lengths)} examples are longer than the context of {context_length} tokens"
        yield f"{examples} and are cut{remedy}"
    if num_blank := sum(split.task.num_unlearned(split.stored.numbers, context_length) for split in splits):
        yield f"examples of which nothing is learned because their prompt fills the context: {num_blank}"
    if num_split := sum(split.num_split for split in splits):
        yield f"{num_split} examples are longer than the context of {context_length} tokens and are read in windows"
