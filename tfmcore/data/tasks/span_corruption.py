"""Span corruption, the pretraining of T5 (https://arxiv.org/abs/1910.10683, §3.1.4): write what was taken out."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfmcore.config.problems import UserError
from tfmcore.data.tasks.task import Batch, Item, Random
from tfmcore.data.tasks.translation import Rewriting, rewriting
from tfmcore.data.tokenizers import Ids, Tokenizer

SENTINEL = "<extra_id_{}>"
"""What T5's tokenizers call the token that stands for the n-th span."""


class SpanCorruption(Rewriting):
    """The encoder reads the text with a sentinel in place of each span, the decoder writes each sentinel and its span:
    "Thank you <extra_id_0> me" → "<extra_id_0> for inviting". As in T5's own code no sentinel closes the target: the
    last thing is always a span, and the end token follows."""

    def window(self, context_length: int) -> int:
        """The longest text whose corrupted form and target, each with its end token, fit into the context, as
        `random_spans_helper` of T5's code has it."""
        length = max(2, context_length - 1)
        while self._fits(length + 1, context_length):
            length += 1
        while length > 2 and not self._fits(length, context_length):
            length -= 1
        return length

    def extra_tokens(self, context_length: int) -> tuple[str, ...]:
        return tuple(map(SENTINEL.format, range(self._noise(self.window(context_length))[1])))

    def lengths(self, lengths: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        noise, spans = np.array([self._noise(int(length)) for length in lengths["text"]]).T
        found: NDArray[np.int64] = len(self.framing.source) + np.maximum(lengths["text"] - noise, noise) + spans
        return found

    def collate(self, items: Sequence[Item], tokenizer: Tokenizer, context_length: int, random: Random) -> Batch:
        texts = [item.ids["text"][: self.window(context_length)] for item in items]
        pairs = [self._corrupted(text, sentinels(tokenizer), random) for text in texts]
        return rewriting([pair[0] for pair in pairs], [pair[1] for pair in pairs], tokenizer, context_length)

    def written(self, ids: Sequence[int], tokenizer: Tokenizer) -> str:
        """With the sentinels, without other special tokens."""
        kept = set(sentinels(tokenizer))
        return tokenizer.decode([id for id in ids if id in kept or id not in tokenizer.special_ids], skip_special=False)

    def _corrupted(self, text: Ids, marks: Sequence[int], random: Random) -> tuple[list[int], list[int]]:
        taken = noise_mask(len(text), *self._noise(len(text)), random)
        borders = np.flatnonzero(np.diff(taken, prepend=False, append=False)).reshape(-1, 2).tolist()
        if len(borders) > len(marks):
            raise UserError(
                f"the tokenizer has {len(marks)} sentinels (<extra_id_0> …), but {len(borders)} spans are removed from "
                "a text: lower data.noise_density or model.context_length"
            )
        source, target, end = list[int](), list[int](), 0
        for mark, (start, stop) in zip(marks, borders, strict=False):
            source += [*text[end:start].tolist(), mark]
            target += [mark, *text[start:stop].tolist()]
            end = stop
        return source + text[end:].tolist(), target

    def _noise(self, length: int) -> tuple[int, int]:
        """How many tokens of a text are taken out, in how many spans."""
        noise = min(max(round(length * self.data.noise_density), 1), max(1, length - 1))
        spans = max(round(noise / self.data.mean_span_length), 1)
        return noise, min(spans, max(1, length - noise))

    def _fits(self, length: int, context_length: int) -> bool:
        noise, spans = self._noise(length)
        return max(length - noise, noise) + spans + len(self.framing.source) <= context_length


def noise_mask(length: int, noise: int, spans: int, random: Random) -> NDArray[np.bool_]:
    """Which of `length` tokens are taken out: `random_spans_noise_mask` of T5's code. Kept and taken tokens are each
    divided at random into `spans` parts, which alternate; the first part is kept."""
    if length < 2:
        return np.ones(length, bool)
    kept, taken = _segments(length - noise, spans, random), _segments(noise, spans, random)
    return np.repeat(np.arange(2 * spans) % 2 == 1, np.stack([kept, taken], axis=1).ravel())


def _segments(count: int, parts: int, random: Random) -> NDArray[np.int64]:
    """`count` items divided into `parts` (none is empty), every way as likely as any other."""
    cuts = 1 + np.sort(random.permutation(count - 1)[: parts - 1])
    return np.diff(np.concatenate([[0], cuts, [count]]))


def sentinels(tokenizer: Tokenizer) -> list[int]:
    """The ids of a tokenizer's sentinels, in their order."""
    found = list[int]()
    while (id := tokenizer.library.token_to_id(SENTINEL.format(len(found)))) is not None:
        found.append(id)
    return found
