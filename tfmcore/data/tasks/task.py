"""What a task makes of examples: the tokens to store, and the batches that a model learns from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.sources import Example
from tfmcore.data.tokenizers import Ids, Tokenizer

IGNORED = -100
"""A label that no loss counts."""

Inputs = dict[str, NDArray[np.int64]]
Labels = NDArray[np.int64]
Random = np.random.Generator


@dataclass(frozen=True)
class Batch:
    """`inputs` are the model's arguments, (B, T) int64; a mask is there only where something is padded. `labels` line
    up with the logits: (B, T), or (B,) in classification; IGNORED where nothing is predicted. `example_ids` (B,) are
    numbers of examples, or in running text the token each window begins at."""

    inputs: Inputs
    labels: Labels
    example_ids: NDArray[np.int64]

    @property
    def num_labels(self) -> int:
        return int(np.count_nonzero(self.labels != IGNORED))


@dataclass(frozen=True)
class Item:
    """One sequence before it is batched: the ids of each role, and a number whose meaning is the task's: the label, or
    how many tokens at the beginning are given."""

    ids: Mapping[str, Ids]
    number: int = 0


class Task(ABC):
    """One file each in this package. `roles` are the texts whose tokens are stored; a task with `overlap` or `margin`
    cuts running text into windows: of context_length − margin tokens, each beginning `overlap` tokens before the end
    of the one before."""

    roles: ClassVar[tuple[str, ...]] = ("text",)
    margin: ClassVar[int] = 0
    overlap: ClassVar[int] = 0

    def items(self, examples: Sequence[Example], tokenizer: Tokenizer, labels: Mapping[str, int]) -> list[Item]:
        """The examples as they are stored, without special tokens and whole, however long."""
        roles = [role for role in self.roles if role in examples[0]]
        ids = {role: tokenizer.encode_arrays([example[role] for example in examples]) for role in roles}
        numbers = [labels[example["label"]] if labels else 0 for example in examples]
        return [Item({role: ids[role][n] for role in roles}, number) for n, number in enumerate(numbers)]

    @abstractmethod
    def lengths(self, lengths: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        """Tokens of the longest sequence that an example becomes, from the number of tokens of each role."""

    @abstractmethod
    def collate(
        self, items: Sequence[Item], tokenizer: Tokenizer, context_length: int, random: Random
    ) -> tuple[Inputs, Labels]:
        """A batch of items; what is longer than the context is cut."""

    @abstractmethod
    def inputs(self, texts: Mapping[str, str], tokenizer: Tokenizer, context_length: int) -> Inputs:
        """What a trained model reads for a prompt (role → text), (1, T), made exactly as in training."""


def padded(rows: Sequence[Sequence[int] | NDArray[Any]], filler: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of ids as one array (B, T), and which are real (B, T): 1, and 0 for the filler."""
    lengths = np.array([len(row) for row in rows])
    real = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(real.shape, filler, np.int64)
    ids[real] = np.concatenate([np.asarray(row, np.int64) for row in rows])
    return ids, real.astype(np.int64)


def model_inputs(
    rows: Sequence[Sequence[int] | NDArray[Any]], filler: int, prefix: str = ""
) -> dict[str, NDArray[np.int64]]:
    """`input_ids` and, where a row is shorter than others, `attention_mask`, both named with a prefix."""
    ids, real = padded(rows, filler)
    masks = {} if real.all() else {f"{prefix}attention_mask": real}
    return {f"{prefix}input_ids": ids, **masks}
