"""Denoising, the pretraining of BART (https://arxiv.org/abs/1910.13461, §2.2): write the text as it was."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.tasks.task import Batch, Item, Random
from tfmcore.data.tasks.translation import Rewriting, rewriting
from tfmcore.data.tokenizers import Ids, Tokenizer
from tfmcore.data.words import sentence_starts


class Denoising(Rewriting):
    """The encoder reads the text with its sentences shuffled and spans hidden, each behind a single [MASK]; the decoder
    writes all of the text."""

    def window(self, context_length: int) -> int:
        return context_length - len(self.framing.source)

    def lengths(self, lengths: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        return lengths["text"] + len(self.framing.source)

    def collate(self, items: Sequence[Item], tokenizer: Tokenizer, context_length: int, random: Random) -> Batch:
        texts = [item.ids["text"][: max(1, self.window(context_length))] for item in items]
        sources = [self._noised(text, tokenizer, random) for text in texts]
        return rewriting(sources, [text.tolist() for text in texts], tokenizer, context_length)

    def _noised(self, text: Ids, tokenizer: Tokenizer, random: Random) -> list[int]:
        if self.data.permute_sentences:
            sentences = np.split(text, sentence_starts(text, tokenizer))
            text = np.concatenate([sentences[n] for n in random.permutation(len(sentences))])
        return infilled(text, tokenizer.mask_id, self.data.infilling_rate, self.data.infilling_length, random)


def infilled(text: Ids, mask_id: int, rate: float, mean_length: float, random: Random) -> list[int]:
    """The text with about `rate` of its tokens hidden: spans of Poisson(`mean_length`) tokens, each behind one mask.
    A span of none is a mask where nothing was; two masks never stand side by side."""
    if not (hidden := round(rate * len(text))):
        return list(text.tolist())
    drawn = random.poisson(mean_length, len(text) - hidden + 1)  # as many as there are places for masks
    ends = np.minimum(drawn.cumsum(), hidden)
    lengths = np.diff(ends[: np.searchsorted(ends, hidden) + 1], prepend=0).tolist()
    kept = len(text) - sum(lengths)
    gaps = np.sort(random.permutation(kept + 1)[: len(lengths)]).tolist()  # before which of the kept tokens
    made, at, passed = list[int](), 0, 0
    for gap, length in zip(gaps, lengths, strict=True):
        made += [*text[at : at + gap - passed].tolist(), mask_id]
        at, passed = at + gap - passed + length, gap
    return made + list(text[at:].tolist())
