"""Token tagging: a label for each word, which the first token of the word carries (BERT, §5.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.sources import Example
from tfmcore.data.tasks.task import IGNORED, Batch, Inputs, Item, Labels, Random, Sequences, Task, framed, padded
from tfmcore.data.tasks.windows import in_windows, shared
from tfmcore.data.tokenizers import Tokenizer
from tfmcore.data.words import WORDS, aligned


@dataclass(frozen=True)
class TagWindow:
    """A part of a text: the model's `inputs` (1, T), the `places` of the tokens that carry a label, and where the
    `words` of these labels begin and end in the whole text, in characters."""

    inputs: Inputs
    places: list[int]
    words: list[tuple[int, int]]


class TokenTagging(Task):
    """[CLS] text [SEP], where the words of a text are separated by one space; a long text is read in windows, and a
    word is labelled in one of them only: that which has more of what stands before it."""

    def labels_of(self, example: Example) -> Sequence[str]:
        return example["labels"].split(" ")

    def items(self, examples: Sequence[Example], tokenizer: Tokenizer, labels: Mapping[str, int]) -> list[Item]:
        items = []
        for text, example in zip(aligned([e["text"] for e in examples], tokenizer), examples, strict=True):
            firsts = text.first_tokens(_starts(example["text"].split(" ")))
            marks = np.full(len(text.ids), IGNORED, np.int64)
            for first, label in zip(firsts, self.labels_of(example), strict=True):
                if first >= 0:
                    marks[first] = labels[label]
            items.append(Item({"text": text.ids}, marks={"labels": marks}))
        return items

    def classes(self, numbers: NDArray[np.int64], marks: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        return marks["labels"]

    def lengths(self, lengths: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        return lengths["text"] + len(self.framing.single)

    def sequences(self, lengths: Mapping[str, NDArray[np.int64]], context_length: int) -> Sequences:
        whole = lengths["text"]
        frame = np.full_like(whole, len(self.framing.single))
        return in_windows(whole, np.maximum(1, context_length - frame), self.data.stride, frame)

    def collate(self, items: Sequence[Item], tokenizer: Tokenizer, context_length: int, random: Random) -> Batch:
        room, frame = self._room(context_length), tokenizer.framing.single
        parts = [slice(item.start, item.start + room) for item in items]
        inputs = framed([[item.ids["text"][part]] for item, part in zip(items, parts, strict=True)], tokenizer)
        rows = [item.marks["labels"][part].copy() for item, part in zip(items, parts, strict=True)]
        for row, item in zip(rows, items, strict=True):
            row[: self._known(item.start, room)] = IGNORED
        before, after = ([IGNORED] * len(special) for special in frame.ids)
        return Batch(inputs, padded([[*before, *row.tolist(), *after] for row in rows], IGNORED)[0])

    def inputs(self, texts: Mapping[str, str], tokenizer: Tokenizer, context_length: int) -> Inputs:
        """The first window of the text."""
        return self.windows(texts["text"], tokenizer, context_length)[0].inputs

    def windows(self, text: str, tokenizer: Tokenizer, context_length: int) -> list[TagWindow]:
        """What a tagger reads of a text as it is written, every word labelled once."""
        spans = [match.span() for match in WORDS.finditer(text)]
        words = [text[start:end] for start, end in spans]
        (read,) = aligned([" ".join(words)], tokenizer)
        span_of = dict(zip(read.first_tokens(_starts(words)), spans, strict=True))
        starts = self.sequences({"text": np.array([len(read.ids)])}, context_length).starts.tolist()
        room, begin, made = self._room(context_length), len(tokenizer.framing.single.before), []
        for start in starts:
            fresh = range(start + self._known(start, room), min(start + room, len(read.ids)))
            firsts = [token for token in fresh if token in span_of]
            inputs = framed([[read.ids[start : start + room]]], tokenizer)
            made.append(TagWindow(inputs, [begin + first - start for first in firsts], [span_of[f] for f in firsts]))
        return made

    def targets(self, labels: Labels, width: int, tokenizer: Tokenizer, names: Sequence[str]) -> list[str]:
        return ["" if label == IGNORED else names[label] for label in labels.tolist()]

    def _room(self, context_length: int) -> int:
        return max(1, context_length - len(self.framing.single))

    def _known(self, start: int, room: int) -> int:
        """How many tokens of a window were labelled in the one before."""
        return int(shared(np.array(room), self.data.stride)) if start else 0


def _starts(words: Sequence[str]) -> list[int]:
    """Where words begin that are joined by one space."""
    lengths = [1 + len(word) for word in words]
    return (np.cumsum(lengths) - lengths).tolist() if lengths else []
