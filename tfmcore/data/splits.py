"""The training and the validation part of a dataset, as batches: the same ones whenever seed and step are."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import count, zip_longest
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tfmcore.config.problems import UserError
from tfmcore.data.arrays import Stored
from tfmcore.data.packing import apart, packed
from tfmcore.data.sources import Example
from tfmcore.data.tasks import Batch, Item, Sequences, Task
from tfmcore.data.tokenizers import Ids, Tokenizer

POOL = 32
"""Batches whose examples are sorted by length together."""
VALIDATION_SEED = 1_000_003
OTHERS_SEED = 1_000_033
"""Draws what a task reads beside a window, so that nothing else of a batch depends on it."""


class Split(ABC):
    """A part of a dataset. Its length counts examples, or windows of running text."""

    warnings: Sequence[str] = ()
    """Sentences on what it lacks, of data that a model is only evaluated on."""

    def __init__(self, stored: Stored, task: Task, tokenizer: Tokenizer, context_length: int) -> None:
        self.stored, self.task, self.tokenizer, self.context_length = stored, task, tokenizer, context_length

    @property
    def num_tokens(self) -> int:
        """Tokens stored, of all roles."""
        return sum(len(ids) for ids in self.stored.ids.values())

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batch(self, step: int, batch_size: int, seed: int) -> Batch:
        """The batch of a step, counted from 0; nothing else decides it."""

    @abstractmethod
    def once(self, batch_size: int) -> Iterator[Batch]:
        """Everything once, in a fixed order; the last batch may be smaller."""

    def steps_per_epoch(self, batch_size: int) -> float:
        """After so many steps as many sequences have been read as there are."""
        return len(self) / batch_size

    @abstractmethod
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of every sequence, before it is cut to the context."""

    @property
    def num_examples(self) -> int:
        """Examples, each of one sequence or more, or windows of running text."""
        return len(self)

    @property
    def continued(self) -> NDArray[np.bool_] | None:
        """Of each sequence, whether it is a further window of the example before it; None of running text."""
        return None

    @property
    def num_split(self) -> int:
        """Examples that are longer than the context and are read in several sequences."""
        return 0

    @abstractmethod
    def first(self, number: int) -> Self:
        """The first so many examples, each whole, or windows of running text."""

    @abstractmethod
    def examples(self, limit: int) -> list[Example]:
        """The texts of up to `limit` examples (at most 2,000); of running text, pieces of the context's length."""

    def batches(self, batch_size: int, seed: int, start_step: int = 0) -> Iterator[Batch]:
        """Batches without end; those from `start_step` on are the same as if one had begun at 0."""
        return (self.batch(step, batch_size, seed) for step in count(start_step))

    def _collated(self, items: list[Item], numbers: NDArray[Any], *seed: int) -> Batch:
        random = np.random.default_rng(seed)
        batch = self.task.collate(items, self.tokenizer, self.context_length, random)
        return replace(batch, example_ids=numbers.astype(np.int64))


class TextSplit(Split):
    """Running text: random windows to train on; one after the other, without a gap, once through."""

    def __init__(self, stored: Stored, task: Task, tokenizer: Tokenizer, context_length: int) -> None:
        super().__init__(stored, task, tokenizer, context_length)
        self.text = stored.ids["text"]
        self.window = max(1, task.window(context_length))
        self.stride = self.window - task.overlap
        if len(self.text) <= task.overlap:
            raise UserError("the text is too short to learn from: one of its parts has no more than one token")

    def __len__(self) -> int:
        return -(-(len(self.text) - self.task.overlap) // self.stride)

    def batch(self, step: int, batch_size: int, seed: int) -> Batch:
        last = max(0, len(self.text) - self.window)
        starts = np.random.default_rng((seed, step)).integers(0, last + 1, batch_size)
        return self._windows(starts, seed, step, 1)

    def once(self, batch_size: int) -> Iterator[Batch]:
        for first in range(0, len(self), batch_size):
            starts = np.arange(first, min(first + batch_size, len(self))) * self.stride
            yield self._windows(starts, VALIDATION_SEED, first)

    def lengths(self) -> NDArray[np.int64]:
        lengths = np.full(len(self), self.stride)
        lengths[-1] = len(self.text) - self.task.overlap - (len(self) - 1) * self.stride
        return lengths

    def first(self, number: int) -> Self:
        part = copy(self)
        part.text = self.text[: number * self.stride + self.task.overlap]
        return part

    def examples(self, limit: int) -> list[Example]:
        pieces = (self.text[n * self.stride :][: self.stride] for n in range(min(limit, len(self))))
        return [Example(text=self.tokenizer.decode(piece.tolist())) for piece in pieces]

    def _windows(self, starts: NDArray[np.int64], *seed: int) -> Batch:
        others = self._others(starts, np.random.default_rng((OTHERS_SEED, *seed))) if self.task.draws_others else ()
        pairs = zip_longest(starts.tolist(), others)
        items = [
            Item({"text": self._window(start)}, other=None if n is None else self._window(n)) for start, n in pairs
        ]
        batch = self._collated(items, starts, *seed)
        return apart(batch, self.tokenizer.eos_id) if self.task.data.packing else batch

    def _window(self, start: int) -> Ids:
        found: Ids = self.text[start : start + self.window]
        return found

    def _others(self, starts: NDArray[np.int64], random: np.random.Generator) -> list[int]:
        """Where another window begins for each: one that shares nothing with it, if the text is long enough; none in a
        text that is one window long."""
        places = max(0, len(self.text) - self.window) + 1
        if places == 1:
            return []
        apart = min(self.window, places // 2)
        further = random.integers(0, max(1, places - 2 * apart + 1), len(starts))
        return [int(place) for place in (starts + apart + further) % places]


class ExampleSplit(Split):
    """Examples of their own, in a new order in each epoch: those of like lengths together, or packed."""

    def __init__(self, stored: Stored, task: Task, tokenizer: Tokenizer, context_length: int) -> None:
        super().__init__(stored, task, tokenizer, context_length)
        self._sequences = task.sequences(stored.lengths(), context_length)
        self._lengths = self._sequences.lengths
        self._epoch: tuple[tuple[int, ...], NDArray[np.int64]] = ((), np.zeros((0, 0), np.int64))

    def __len__(self) -> int:
        return len(self._lengths)

    def batch(self, step: int, batch_size: int, seed: int) -> Batch:
        size = min(batch_size, len(self))
        epoch, place = divmod(step, len(self) // size)
        if self._epoch[0] != (seed, epoch, size):
            self._epoch = (seed, epoch, size), self._order(size, np.random.default_rng((seed, epoch)))[0]
        batch = self._examples(self._epoch[1][place], seed, step, 1)
        return packed(batch, self.context_length, self.tokenizer.pad_id) if self.task.data.packing else batch

    def once(self, batch_size: int) -> Iterator[Batch]:
        order, rest = self._order(min(batch_size, len(self)), np.random.default_rng(VALIDATION_SEED))
        for place, numbers in enumerate([*order, *([rest] if len(rest) else [])]):
            yield self._examples(numbers, VALIDATION_SEED, place)

    def steps_per_epoch(self, batch_size: int) -> float:
        return len(self) / min(batch_size, len(self))

    def lengths(self) -> NDArray[np.int64]:
        return self._lengths

    @property
    def num_examples(self) -> int:
        return len(self) - int(np.count_nonzero(self.continued))

    @property
    def continued(self) -> NDArray[np.bool_]:
        return self._sequences.starts > 0

    @property
    def num_split(self) -> int:
        return len(np.unique(self._sequences.examples[self.continued]))

    def first(self, number: int) -> Self:
        part, whole = copy(self), self._sequences
        kept = whole.examples < number
        part._sequences = Sequences(whole.examples[kept], whole.starts[kept], whole.lengths[kept])
        part._lengths = part._sequences.lengths
        return part

    def examples(self, limit: int) -> list[Example]:
        return self.stored.examples()[: min(limit, self.num_examples)]

    def _order(self, size: int, random: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The batches of an epoch (number, size), and the examples that are left over.

        Examples are shuffled, sorted by length within pools of some batches, and each pool's batches shuffled; those
        that are packed are only shuffled.
        """
        pool_size = size if self.task.data.packing else POOL * size
        shuffled = random.permutation(len(self))
        whole = len(self) // size * size
        pools = []
        for start in range(0, whole, pool_size):
            pool = shuffled[start : min(start + pool_size, whole)]
            pool = pool[np.argsort(self._lengths[pool], kind="stable")].reshape(-1, size)
            pools.append(random.permutation(pool))
        return np.concatenate(pools), shuffled[whole:]

    def _examples(self, numbers: NDArray[np.int64], *seed: int) -> Batch:
        places = zip(self._sequences.examples[numbers].tolist(), self._sequences.starts[numbers].tolist(), strict=True)
        return self._collated([self.stored.item(number, start) for number, start in places], numbers, *seed)
