"""Tasks, and a batch of examples as each of them makes it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from tfmcore.config import DataConfig, TokenizerConfig
from tfmcore.data import TASKS, Batch, Example, Tokenizer
from tfmcore.data.tasks import Task
from tfmcore.data.tokenizer_training import train_tokenizer

SENTINELS = [f"<extra_id_{number}>" for number in range(20)]
TEXT = "the quick brown fox jumps over a lazy dog and runs away from it unbelievably fast"
WORDS = TEXT.split()


@pytest.fixture(scope="session")
def letters() -> Tokenizer:
    """A tokenizer of printable ASCII characters, with sentinels."""
    return train_tokenizer(TokenizerConfig(kind="char"), ["".join(map(chr, range(32, 127)))], SENTINELS)


@pytest.fixture(scope="session", params=["bpe", "byte_bpe", "wordpiece", "unigram"])
def pieces(request: pytest.FixtureRequest) -> Tokenizer:
    """Tokenizers that know frequent words whole, and write rare ones in pieces."""
    texts = [" ".join(WORDS[n:] + WORDS[:n]) + ". Then (so it was) 1,234 more came!" for n in range(len(WORDS))]
    return train_tokenizer(TokenizerConfig(kind=request.param, vocab_size=90), texts * 5)


@pytest.fixture
def task_of() -> Callable[..., Task]:
    """A task by its name, with other fields of `[data]`."""
    return lambda name, **fields: TASKS[name](DataConfig(task=name, **fields))


Collated = Callable[..., Batch]


@pytest.fixture
def collated(letters: Tokenizer) -> Collated:
    """A batch of examples, cut to a context."""

    def collate(task: Task, examples: Sequence[Example], context: int = 64, seed: int = 0, **more: Any) -> Batch:
        tokenizer = more.get("tokenizer", letters)
        items = task.items(examples, tokenizer, labels_of(task, examples))
        return task.collate(items, tokenizer, context, np.random.default_rng(seed))

    return collate


def labels_of(task: Task, examples: Sequence[Example]) -> Mapping[str, int]:
    """The labels in their order, each with its place."""
    names = sorted({label for example in examples for label in task.labels_of(example)})
    return {label: number for number, label in enumerate(names)}
