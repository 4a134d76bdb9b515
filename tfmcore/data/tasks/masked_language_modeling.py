"""Masked language modelling (BERT, https://arxiv.org/abs/1810.04805, §3.1): predict hidden tokens from both sides."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.framing import Frame
from tfmcore.data.tasks.classification import fitted
from tfmcore.data.tasks.task import IGNORED, Batch, Inputs, Item, Labels, Random, Task, framed
from tfmcore.data.tokenizers import Ids, Tokenizer
from tfmcore.data.words import sentence_starts, words_of

CHOSEN = 0.15
MASKED, RANDOM = 0.8, 0.1
"""Of the chosen tokens; the rest stay as they are."""
FOLLOWS, RANDOM_PAIR = 0, 1
NEXT = "next_sentence_logits"


class MaskedLanguageModeling(Task):
    """[CLS] text [SEP], 15 % of whose tokens (or words) are to be predicted, at least one in each sequence. With
    next-sentence prediction the text is cut in two at a sentence: [CLS] first [SEP] second [SEP], and in half of the
    sequences the second is that of another place in the data."""

    hides = True

    @property
    def draws_others(self) -> bool:
        return self.data.next_sentence_prediction

    def window(self, context_length: int) -> int:
        return context_length - len(self._frame)

    def lengths(self, lengths: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        return lengths["text"] + len(self._frame)

    @property
    def _frame(self) -> Frame:
        return self.framing.texts(1 + self.data.next_sentence_prediction)

    def collate(self, items: Sequence[Item], tokenizer: Tokenizer, context_length: int, random: Random) -> Batch:
        texts = [item.ids["text"] for item in items]
        if not self.data.next_sentence_prediction:
            inputs = framed([fitted([text.tolist()], tokenizer, context_length) for text in texts], tokenizer)
            return Batch(inputs, self._hide(inputs["input_ids"], tokenizer, random))
        pairs = [_halves(text, tokenizer, random) for text in texts]
        follows = np.full(len(items), FOLLOWS, np.int64)
        for row, item in enumerate(items):
            if item.other is not None and random.random() < 0.5:
                pairs[row] = pairs[row][0], _halves(item.other, tokenizer, random)[1]
                follows[row] = RANDOM_PAIR
        halves = [fitted([half.tolist() for half in pair], tokenizer, context_length) for pair in pairs]
        inputs = framed(halves, tokenizer)
        labels = self._hide(inputs["input_ids"], tokenizer, random)
        return Batch(inputs, labels, further={NEXT: follows})

    def inputs(self, texts: Mapping[str, str], tokenizer: Tokenizer, context_length: int) -> Inputs:
        """[MASK] written in the text is a mask; the role `pair` is a second text."""
        parts = [tokenizer.encode(texts[role]) for role in ("text", "pair") if role in texts]
        return framed([fitted(parts, tokenizer, context_length)], tokenizer)

    def label(self, batch: Batch, row: int, names: Sequence[str]) -> str:
        if NEXT not in batch.further:
            return ""
        return "follows" if batch.further[NEXT][row] == FOLLOWS else "does not follow"

    def _hide(self, ids: NDArray[np.int64], tokenizer: Tokenizer, random: Random) -> Labels:
        """Hide tokens of `ids` (B, T) in place; returns what stood there, IGNORED elsewhere."""
        ordinary = ~np.isin(ids, list(tokenizer.special_ids))
        draws = random.random(ids.shape)
        if self.data.whole_word_masking:
            draws = np.take_along_axis(draws, words_of(ids, tokenizer), axis=1)
        chance = np.where(ordinary, draws, 1.0)
        chosen = (chance < CHOSEN) | (ordinary & (chance == chance.min(axis=1, keepdims=True)))
        labels = np.where(chosen, ids, IGNORED)
        how = random.random(ids.shape)
        vocabulary = np.setdiff1d(np.arange(tokenizer.vocab_size), list(tokenizer.special_ids))
        ids[chosen & (how < MASKED)] = tokenizer.mask_id
        replaced = chosen & (how >= MASKED) & (how < MASKED + RANDOM) & (len(vocabulary) > 0)
        ids[replaced] = random.choice(vocabulary, replaced.sum()) if replaced.any() else 0
        return labels


def _halves(text: Ids, tokenizer: Tokenizer, random: Random) -> tuple[Ids, Ids]:
    """A text cut in two where a sentence begins in its middle half, or anywhere there."""
    least, most = len(text) // 4, max(len(text) // 4 + 1, 3 * len(text) // 4)
    starts = sentence_starts(text, tokenizer)
    starts = starts[(least <= starts) & (starts <= most)]
    cut = int(random.choice(starts)) if len(starts) else int(random.integers(least, most + 1))
    return text[:cut], text[cut:]
