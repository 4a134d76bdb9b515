"""Classification: the label of a text, or of a pair of texts."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.tasks.task import Inputs, Item, Labels, Random, Task, model_inputs, padded
from tfmcore.data.tokenizers import Tokenizer


class Classification(Task):
    """[CLS] text [SEP], or [CLS] text [SEP] pair [SEP] with token types 0 and 1; a label is its place in the list."""

    roles = ("text", "pair")

    def lengths(self, lengths: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        return 2 + lengths["text"] + (1 + lengths["pair"] if "pair" in lengths else 0)

    def collate(
        self, items: Sequence[Item], tokenizer: Tokenizer, context_length: int, random: Random
    ) -> tuple[Inputs, Labels]:
        inputs = _framed([[ids.tolist() for ids in item.ids.values()] for item in items], tokenizer, context_length)
        return inputs, np.array([item.number for item in items], np.int64)

    def inputs(self, texts: Mapping[str, str], tokenizer: Tokenizer, context_length: int) -> Inputs:
        """The roles are text and, for a pair, pair."""
        return _framed(
            [tokenizer.encode_many([texts[role] for role in self.roles if role in texts])], tokenizer, context_length
        )


def _framed(examples: Sequence[Sequence[Sequence[int]]], tokenizer: Tokenizer, context_length: int) -> Inputs:
    rows, types = [], []
    for parts in examples:
        ids, kinds = [tokenizer.cls_id], [0]
        for kind, part in enumerate(_cut(parts, context_length - 1 - len(parts))):
            ids += [*part, tokenizer.sep_id]
            kinds += [kind] * (len(part) + 1)
        rows.append(ids)
        types.append(kinds)
    inputs = model_inputs(rows, tokenizer.pad_id)
    if len(examples[0]) > 1:
        inputs["token_type_ids"] = padded(types, 0)[0]
    return inputs


def _cut(parts: Sequence[Sequence[int]], room: int) -> list[Sequence[int]]:
    """The beginnings of the parts that fit into `room` tokens together; the longer one gives way first."""
    kept = [len(part) for part in parts]
    while sum(kept) > max(0, room):
        longest = max(range(len(kept)), key=kept.__getitem__)
        others = max((length for n, length in enumerate(kept) if n != longest), default=0)
        kept[longest] -= max(1, min(kept[longest] - others, sum(kept) - max(0, room)))
    return [part[:length] for part, length in zip(parts, kept, strict=True)]
