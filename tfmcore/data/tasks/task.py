"""What a task makes of examples: the tokens to store, and the batches that a model learns from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tfmcore.config.data import DataConfig
from tfmcore.data.framing import Framing, Row
from tfmcore.data.sources import Example
from tfmcore.data.tokenizers import Ids, Tokenizer

IGNORED = -100
"""A label that no loss counts."""

OURS = Framing.ours()
"""What a task that is told no framing reckons with."""

Inputs = dict[str, NDArray[np.int64]]
Labels = NDArray[np.int64]
Random = np.random.Generator


@dataclass(frozen=True)
class Batch:
    """`inputs` are the model's arguments, (B, T) int64; a mask is there only where something is padded. `labels` line
    up with the logits: (B, T), (B,) in classification, or (B, 2), the places of start and end, in question answering;
    IGNORED where nothing is predicted. `further` are labels of further heads, by the name of the model's output.
    `example_ids` (B,) are numbers of sequences, or in running text the token each window begins at. Of a larger batch
    that is computed in pieces, `labels_per_example` is the whole one's (0: there is no more of it)."""

    inputs: Inputs
    labels: Labels
    example_ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    further: Mapping[str, Labels] = field(default_factory=dict)
    labels_per_example: float = 0.0

    @property
    def num_labels(self) -> int:
        return int(np.count_nonzero(self.labels != IGNORED))

    def rows(self, begin: int, end: int) -> Self:
        """Some of its rows."""
        inputs, further = (
            {name: rows[begin:end] for name, rows in group.items()} for group in (self.inputs, self.further)
        )
        ids = self.example_ids[begin:end]
        return replace(self, inputs=inputs, labels=self.labels[begin:end], example_ids=ids, further=further)


@dataclass(frozen=True)
class Item:
    """One sequence before it is batched: the ids of each role; a number whose meaning is the task's: the label, or how
    many tokens at the beginning are given; `marks`, more numbers by name, such as a label of each token; the token
    that the sequence `start`s at where a long text is read in windows; and the text of an `other` place in the data,
    where the task draws one and there is one."""

    ids: Mapping[str, Ids]
    number: int = 0
    marks: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    start: int = 0
    other: Ids | None = None


@dataclass(frozen=True)
class Sequences:
    """What the stored examples become, N of them: the number of the example, the token that the sequence starts at, and
    its length in tokens before it is cut to the context; each (N,)."""

    examples: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


class Task(ABC):
    """One file each in this package, made from `[data]` and the tokenizer's framing. `roles` are the texts whose tokens
    are stored, `apart` those by which examples are held out, `stored` the fields of `[data]` that change what is
    stored. Running text is cut into windows, each beginning `overlap` tokens before the end of the one before. A task
    that `hides` what is to be predicted has changed it in what the model reads; one that `keeps_end` reads the end of a
    prompt that is longer than the context, others its beginning."""

    roles: ClassVar[tuple[str, ...]] = ("text",)
    apart: ClassVar[tuple[str, ...]] = ("text",)
    stored: ClassVar[tuple[str, ...]] = ()
    overlap: ClassVar[int] = 0
    hides: ClassVar[bool] = False
    keeps_end: ClassVar[bool] = False

    def __init__(self, data: DataConfig, framing: Framing = OURS) -> None:
        self.data, self.framing = data, framing

    @property
    def draws_others(self) -> bool:
        """Whether each window of running text comes with another, drawn at random from all of the text."""
        return False

    def window(self, context_length: int) -> int:
        """Tokens of running text that become one sequence."""
        return context_length

    def extra_tokens(self, context_length: int) -> tuple[str, ...]:
        """Special tokens that the task needs beside those that every tokenizer has."""
        return ()

    def labels_of(self, example: Example) -> Sequence[str]:
        """The names of the labels in an example, whose places in the list of all are what a model predicts."""
        return ()

    def as_read(self, example: Example) -> Example:
        """The texts that are tokenised, where they are not those of the data."""
        return example

    def items(self, examples: Sequence[Example], tokenizer: Tokenizer, labels: Mapping[str, int]) -> list[Item]:
        """The examples as they are stored, without special tokens and whole, however long."""
        examples = [self.as_read(example) for example in examples]
        roles = [role for role in self.roles if role in examples[0]]
        ids = {role: tokenizer.encode_arrays([example[role] for example in examples]) for role in roles}
        return [Item({role: ids[role][n] for role in roles}) for n in range(len(examples))]

    def classes(self, numbers: NDArray[np.int64], marks: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """The classes that are to be predicted in all items, by these numbers and marks; below 0 where none is."""
        return np.zeros(0, np.int64)

    def num_unlearned(self, numbers: NDArray[np.int64], context_length: int) -> int:
        """Of how many items, by their numbers, nothing is left to predict once they are cut to the context."""
        return 0

    @abstractmethod
    def lengths(self, lengths: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        """Tokens of the longest sequence that an example becomes, from the number of tokens of each role."""

    def sequences(self, lengths: Mapping[str, NDArray[np.int64]], context_length: int) -> Sequences:
        """One sequence of each example; a task that reads long texts in windows makes more."""
        whole = self.lengths(lengths)
        return Sequences(np.arange(len(whole)), np.zeros(len(whole), np.int64), whole)

    @abstractmethod
    def collate(self, items: Sequence[Item], tokenizer: Tokenizer, context_length: int, random: Random) -> Batch:
        """A batch of items; what is longer than the context is cut."""

    @abstractmethod
    def inputs(self, texts: Mapping[str, str], tokenizer: Tokenizer, context_length: int) -> Inputs:
        """What a trained model reads for a prompt (role → text), (1, T), made exactly as in training."""

    def written(self, ids: Sequence[int], tokenizer: Tokenizer) -> str:
        """The text of what a decoder wrote."""
        return tokenizer.decode(ids)

    def targets(self, labels: Labels, width: int, tokenizer: Tokenizer, names: Sequence[str]) -> list[str]:
        """What is to be predicted at each of `width` places, in words, for the labels of one sequence."""
        return ["" if id == IGNORED else tokenizer.tokens([id])[0] for id in labels.tolist()]

    def label(self, batch: Batch, row: int, names: Sequence[str]) -> str:
        """What is to be predicted of a whole sequence, in words; "" where nothing is."""
        return ""


def padded(rows: Sequence[Row], filler: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of ids as one array (B, T), and which are real (B, T): 1, and 0 for the filler."""
    lengths = np.array([len(row) for row in rows])
    real = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(real.shape, filler, np.int64)
    ids[real] = np.concatenate([np.asarray(row, np.int64) for row in rows])
    return ids, real.astype(np.int64)


def model_inputs(rows: Sequence[Row], filler: int, prefix: str = "") -> dict[str, NDArray[np.int64]]:
    """`input_ids` and, where a row is shorter than others, `attention_mask`, both named with a prefix."""
    ids, real = padded(rows, filler)
    masks = {} if real.all() else {f"{prefix}attention_mask": real}
    return {f"{prefix}input_ids": ids, **masks}


def framed(examples: Sequence[Sequence[Row]], tokenizer: Tokenizer) -> Inputs:
    """Each example's parts as the tokenizer frames them, with token types where there are two: [CLS] part [SEP] part
    [SEP] with the types 0 and 1, unless it has a frame of its own."""
    frame = tokenizer.framing.texts(len(examples[0]))
    inputs = model_inputs([frame.around(parts) for parts in examples], tokenizer.pad_id)
    if len(examples[0]) > 1:
        inputs["token_type_ids"] = padded([frame.types_around(parts) for parts in examples], 0)[0]
    return inputs
