"""What stands around the texts that a model reads: the special tokens before, between and after them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import tokenizers
from numpy.typing import NDArray
from tokenizers import models, processors

Frames = tuple[str, str]
"""What stands around one text, $A, and around two: special tokens by their roles, each with its token type unless 0."""
BERT: Frames = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
ROBERTA: Frames = ("[CLS] $A [SEP]", "[CLS] $A [SEP] [SEP] $B [SEP]")
T5: Frames = ("$A [EOS]", "$A [EOS] $B [EOS]")
LLAMA: Frames = ("[BOS] $A", "[BOS] $A [BOS]:1 $B:1")
NOTHING: Frames = ("$A", "$A $B:1")

Row = Sequence[int] | NDArray[Any]
"""The ids of a text."""


@dataclass(frozen=True)
class Frame:
    """The special tokens around one text or two: `ids` before the first, between them and after the last, `types` the
    token type of each, and `text_types` those of the texts."""

    ids: tuple[tuple[int, ...], ...]
    types: tuple[tuple[int, ...], ...]
    text_types: tuple[int, ...]

    def __len__(self) -> int:
        return sum(map(len, self.ids))

    @property
    def before(self) -> tuple[int, ...]:
        return self.ids[0]

    @property
    def after(self) -> tuple[int, ...]:
        return self.ids[-1]

    def around(self, texts: Sequence[Row]) -> list[int]:
        """The ids of the texts within the frame."""
        row = list(self.before)
        for text, special in zip(texts, self.ids[1:], strict=True):
            row += [*map(int, text), *special]
        return row

    def types_around(self, texts: Sequence[Row]) -> list[int]:
        """The token type of each of them."""
        row = list(self.types[0])
        for text, kind, special in zip(texts, self.text_types, self.types[1:], strict=True):
            row += [*[kind] * len(text), *special]
        return row

    def start(self, texts: Sequence[Row]) -> int:
        """Where the last of the texts begins."""
        return len(self) - len(self.after) + sum(map(len, texts[:-1]))


@dataclass(frozen=True)
class Framing:
    """How a tokenizer frames a text and a pair of texts for an encoder, the `source` and the target of an
    encoder-decoder, and what begins the `prompt` of a decoder."""

    single: Frame
    pair: Frame
    source: Frame
    prompt: tuple[int, ...] = ()

    @classmethod
    def ours(cls, cls_id: int = 0, sep_id: int = 0, eos_id: int = 0) -> Self:
        """[CLS] text [SEP], [CLS] text [SEP] text [SEP] with the types 0 and 1, source [EOS], and prompts as they are;
        without the ids it still says how many special tokens there are."""
        begin, end = (cls_id,), (sep_id,)
        return cls(
            single=Frame((begin, end), ((0,), (0,)), (0,)),
            pair=Frame((begin, end, end), ((0,), (0,), (1,)), (0, 1)),
            source=Frame(((), (eos_id,)), ((), (0,)), (0,)),
        )

    @classmethod
    def of(cls, library: tokenizers.Tokenizer, cls_id: int, sep_id: int, eos_id: int) -> Self:
        """What the post-processor of a tokenizer adds; ours where it has none. A source or target that does not end
        with [EOS] would never end: there ours stands too."""
        ours = cls.ours(cls_id, sep_id, eos_id)
        if library.post_processor is None:
            return ours
        single, pair = (_frame(library, count) for count in (1, 2))
        source = single if single.after[-1:] == (eos_id,) else ours.source
        return cls(single, pair, source, single.before)

    def texts(self, count: int) -> Frame:
        return self.single if count == 1 else self.pair


def _frame(library: tokenizers.Tokenizer, count: int) -> Frame:
    """What a post-processor does, whatever it is, to texts of one token."""
    first, second = (_one_token().encode("x") for _ in range(2))
    found = library.post_process(first, second if count == 2 else None)
    places = [place for place, special in enumerate(found.special_tokens_mask) if not special]
    if [found.sequence_ids[place] for place in places] != [*range(count)]:
        raise ValueError("its post-processor leaves texts out or swaps them")
    borders = list(zip([0, *(place + 1 for place in places)], [*places, len(found.ids)], strict=True))
    ids, types = (tuple(tuple(row[a:b]) for a, b in borders) for row in (found.ids, found.type_ids))
    return Frame(ids, types, tuple(found.type_ids[place] for place in places))


@cache
def _one_token() -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer(models.WordLevel({"x": 0}, unk_token="x"))


def template(library: tokenizers.Tokenizer, names: Mapping[str, str], frames: Frames) -> processors.TemplateProcessing:
    """The post-processor that puts `frames` around texts, by the names that a tokenizer has for special tokens."""
    used = dict.fromkeys(name for role, name in names.items() if role in "".join(frames))

    def pieces(frame: str) -> list[str]:
        parted = (piece.partition(":") for piece in frame.split())
        return [f"{names.get(role, role)}:{kind or 0}" for role, _, kind in parted]

    single, pair = map(pieces, frames)
    return processors.TemplateProcessing(single, pair, [(name, library.token_to_id(name)) for name in used])
