"""Masked language modelling (BERT, https://arxiv.org/abs/1810.04805, §3.1): predict hidden tokens from both sides."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.tasks.task import IGNORED, Inputs, Item, Labels, Random, Task, model_inputs
from tfmcore.data.tokenizers import Tokenizer

CHOSEN = 0.15
MASKED, RANDOM = 0.8, 0.1
"""Of the chosen tokens; the rest stay as they are."""


class MaskedLanguageModeling(Task):
    """[CLS] text [SEP], 15 % of whose tokens are to be predicted, at least one in each sequence."""

    margin = 2

    def lengths(self, lengths: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        return lengths["text"] + 2

    def collate(
        self, items: Sequence[Item], tokenizer: Tokenizer, context_length: int, random: Random
    ) -> tuple[Inputs, Labels]:
        inputs = _framed([item.ids["text"].tolist() for item in items], tokenizer, context_length)
        ids = inputs["input_ids"]
        ordinary = ~np.isin(ids, list(tokenizer.special_ids))
        chance = np.where(ordinary, random.random(ids.shape), 1.0)
        chosen = (chance < CHOSEN) | (ordinary & (chance == chance.min(axis=1, keepdims=True)))
        labels = np.where(chosen, ids, IGNORED)
        how = random.random(ids.shape)
        vocabulary = np.setdiff1d(np.arange(tokenizer.vocab_size), list(tokenizer.special_ids))
        ids[chosen & (how < MASKED)] = tokenizer.mask_id
        replaced = chosen & (how >= MASKED) & (how < MASKED + RANDOM) & (len(vocabulary) > 0)
        ids[replaced] = random.choice(vocabulary, replaced.sum()) if replaced.any() else 0
        return inputs, labels

    def inputs(self, texts: Mapping[str, str], tokenizer: Tokenizer, context_length: int) -> Inputs:
        """[MASK] written in the text is a mask."""
        return _framed([tokenizer.encode(texts["text"])], tokenizer, context_length)


def _framed(texts: Sequence[list[int]], tokenizer: Tokenizer, context_length: int) -> Inputs:
    rows = [[tokenizer.cls_id, *text[: max(0, context_length - 2)], tokenizer.sep_id] for text in texts]
    return model_inputs(rows, tokenizer.pad_id)
