"""Classification: the label of a text, or of a pair of texts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.sources import Example
from tfmcore.data.tasks.task import Batch, Inputs, Item, Labels, Random, Task, framed
from tfmcore.data.tokenizers import Tokenizer


class Classification(Task):
    """[CLS] text [SEP], or [CLS] text [SEP] pair [SEP] with token types 0 and 1; a label is its place in the list."""

    roles = apart = ("text", "pair")

    def labels_of(self, example: Example) -> Sequence[str]:
        return (example["label"],)

    def items(self, examples: Sequence[Example], tokenizer: Tokenizer, labels: Mapping[str, int]) -> list[Item]:
        items = super().items(examples, tokenizer, labels)
        return [replace(item, number=labels[e["label"]]) for item, e in zip(items, examples, strict=True)]

    def classes(self, numbers: NDArray[np.int64], marks: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        return numbers

    def lengths(self, lengths: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        return lengths["text"] + lengths.get("pair", 0) + len(self.framing.texts(len(lengths)))

    def collate(self, items: Sequence[Item], tokenizer: Tokenizer, context_length: int, random: Random) -> Batch:
        examples = [fitted([ids.tolist() for ids in item.ids.values()], tokenizer, context_length) for item in items]
        return Batch(framed(examples, tokenizer), np.array([item.number for item in items], np.int64))

    def inputs(self, texts: Mapping[str, str], tokenizer: Tokenizer, context_length: int) -> Inputs:
        """The roles are text and, for a pair, pair."""
        parts = tokenizer.encode_many([texts[role] for role in self.roles if role in texts])
        return framed([fitted(parts, tokenizer, context_length)], tokenizer)

    def targets(self, labels: Labels, width: int, tokenizer: Tokenizer, names: Sequence[str]) -> list[str]:
        return [""] * width

    def label(self, batch: Batch, row: int, names: Sequence[str]) -> str:
        return names[int(batch.labels[row])]


def fitted(parts: Sequence[Sequence[int]], tokenizer: Tokenizer, context_length: int) -> list[Sequence[int]]:
    """The beginnings of the parts that fit into the context within the tokenizer's frame; the longer one gives way
    first."""
    room = max(0, context_length - len(tokenizer.framing.texts(len(parts))))
    kept = [len(part) for part in parts]
    while sum(kept) > room:
        longest = max(range(len(kept)), key=kept.__getitem__)
        others = max((length for n, length in enumerate(kept) if n != longest), default=0)
        kept[longest] -= max(1, min(kept[longest] - others, sum(kept) - room))
    return [part[:length] for part, length in zip(parts, kept, strict=True)]
