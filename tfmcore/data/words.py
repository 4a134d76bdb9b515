"""Words and sentences among tokens, and tokens among characters: told by what each token of a vocabulary looks like."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.tokenizers import Ids, Tokenizer, faults_explained

WORDS = re.compile(r"\w+(?:[.,:/'\u2019\-]\w+)*|[^\w\s]")
"""Words of a written text: 1,234.50 and well-known are one, a bracket or a full stop is one of its own."""
SENTENCE_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f][\"'\u201d\u2019)\]]*$")
IDEOGRAPHS = "\u3040\u9fff"
"""Kana and Chinese characters are words of their own, as in BERT."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Edges:
    """Of every token (V,): whether it begins or ends with a letter or digit of a word, begins with a space, or ends a
    sentence."""

    begins_in_word: Mask
    ends_in_word: Mask
    begins_with_space: Mask
    ends_sentence: Mask


@lru_cache(maxsize=4)
def edges(tokenizer: Tokenizer) -> Edges:
    """The edges of a tokenizer's tokens; special tokens are no words."""
    shown = tokenizer.tokens(range(tokenizer.vocab_size))
    ordinary = [id not in tokenizer.special_ids and bool(text) for id, text in enumerate(shown)]

    def table(holds: Sequence[bool]) -> Mask:
        allowed: Mask = np.array(holds, bool) & np.array(ordinary)
        return allowed

    return Edges(
        begins_in_word=table([_in_word(text[:1]) for text in shown]),
        ends_in_word=table([_in_word(text[-1:]) for text in shown]),
        begins_with_space=table([text[:1].isspace() for text in shown]),
        ends_sentence=table([bool(SENTENCE_END.search(text)) or text.endswith("\n\n") for text in shown]),
    )


def _in_word(letter: str) -> bool:
    return (letter.isalnum() or letter == "_") and not IDEOGRAPHS[0] <= letter <= IDEOGRAPHS[1]


def words_of(ids: NDArray[np.int64], tokenizer: Tokenizer) -> NDArray[np.int64]:
    """The number of the word that each token (…, T) belongs to, counted from 0 in each row."""
    known = edges(tokenizer)
    begins = np.ones(ids.shape, bool)
    begins[..., 1:] = ~(known.begins_in_word[ids[..., 1:]] & known.ends_in_word[ids[..., :-1]])
    return begins.cumsum(-1) - 1


def sentence_starts(ids: NDArray[np.integer], tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Where sentences begin in a row of ids (T,), the first token left out."""
    known = edges(tokenizer)
    after = known.begins_with_space[ids[1:]] | known.ends_sentence[ids[:-1]] & ~known.begins_in_word[ids[1:]]
    return 1 + np.flatnonzero(known.ends_sentence[ids[:-1]] & after)


@dataclass(frozen=True)
class Aligned:
    """The ids of a text and where each begins and ends in it, in characters, the space before a word left out."""

    ids: Ids
    offsets: list[tuple[int, int]]

    def first_tokens(self, starts: Sequence[int]) -> list[int]:
        """The first token of each word, by the character that the word starts at; −1 for a word without one."""
        tokens = dict[int, int]()
        for token, (start, end) in enumerate(self.offsets):
            if start < end:
                tokens.setdefault(start, token)
        return [tokens.get(start, -1) for start in starts]

    def covering(self, start: int, end: int) -> tuple[int, int]:
        """The first and the last token of the characters from `start` to `end`; −1 and −1 where there are none."""
        inside = [token for token, (left, right) in enumerate(self.offsets) if left < end and right > start]
        return (inside[0], inside[-1]) if inside else (-1, -1)


def aligned(texts: Sequence[str], tokenizer: Tokenizer) -> list[Aligned]:
    """The texts as data: special tokens written in them are plain text."""
    with faults_explained("the tokenizer cannot read these texts"):
        tokenizer.library.encode_special_tokens = True
        found = tokenizer.library.encode_batch(list(texts), add_special_tokens=False)
    return [
        Aligned(np.array(encoding.ids, np.uint32), [_trimmed(text, *offsets) for offsets in encoding.offsets])
        for text, encoding in zip(texts, found, strict=True)
    ]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    token = text[start:end]
    return start + len(token) - len(token.lstrip()), end
