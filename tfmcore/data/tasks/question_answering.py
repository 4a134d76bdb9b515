"""Extractive question answering: where in a text an answer starts and ends (SQuAD, https://arxiv.org/abs/1606.05250)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.sources import Example
from tfmcore.data.tasks.task import Batch, Inputs, Item, Labels, Random, Sequences, Task, framed
from tfmcore.data.tasks.windows import in_windows
from tfmcore.data.tokenizers import Ids, Tokenizer
from tfmcore.data.words import aligned


@dataclass(frozen=True)
class AnswerWindow:
    """A part of a context after the question: the model's `inputs` (1, T), the place of the `first` token of the
    context, and the `offsets` of each of its tokens, in characters of the whole context."""

    inputs: Inputs
    first: int
    offsets: list[tuple[int, int]]


class QuestionAnswering(Task):
    """[CLS] question [SEP] context [SEP] with token types 0 and 1; a long context is read in overlapping windows. The
    labels are the places of the answer's first and last token; both are 0, that of [CLS], where the window does not
    hold it (BERT, §4.3). The question may take half of the room."""

    roles = ("question", "context")
    apart = ("context",)

    def items(self, examples: Sequence[Example], tokenizer: Tokenizer, labels: Mapping[str, int]) -> list[Item]:
        questions = aligned([example["question"] for example in examples], tokenizer)
        contexts = aligned([example["context"] for example in examples], tokenizer)
        items = []
        for question, context, example in zip(questions, contexts, examples, strict=True):
            place = (-1, -1)
            if answer := accepted(example)[:1]:
                start = int(example["answer_start"])
                place = context.covering(start, start + len(answer[0]))
            marks = {"answer": np.array(place, np.int64)}
            items.append(Item({"question": question.ids, "context": context.ids}, marks=marks))
        return items

    def lengths(self, lengths: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        return lengths["question"] + lengths["context"] + len(self.framing.pair)

    def sequences(self, lengths: Mapping[str, NDArray[np.int64]], context_length: int) -> Sequences:
        frame = len(self.framing.pair) + np.minimum(lengths["question"], self._most_asked(context_length))
        return in_windows(lengths["context"], np.maximum(1, context_length - frame), self.data.stride, frame)

    def collate(self, items: Sequence[Item], tokenizer: Tokenizer, context_length: int, random: Random) -> Batch:
        parts = [self._parts(item.ids["question"], item.ids["context"], item.start, context_length) for item in items]
        labels = np.zeros((len(items), 2), np.int64)
        for row, item, both in zip(labels, items, parts, strict=True):
            first, last = (item.marks["answer"] - item.start).tolist()
            if first >= 0 and last < len(both[1]) and item.marks["answer"][0] >= 0:
                start = tokenizer.framing.pair.start(both)
                row[:] = start + first, start + last
        return Batch(framed(parts, tokenizer), labels)

    def inputs(self, texts: Mapping[str, str], tokenizer: Tokenizer, context_length: int) -> Inputs:
        """The first window of the context."""
        return self.windows(texts["question"], texts.get("context", ""), tokenizer, context_length)[0].inputs

    def windows(self, question: str, context: str, tokenizer: Tokenizer, context_length: int) -> list[AnswerWindow]:
        """What a model reads to answer a question about a context, a window after the other."""
        asked, read = aligned([question, context], tokenizer)
        lengths = {"question": np.array([len(asked.ids)]), "context": np.array([len(read.ids)])}
        made = []
        for start in self.sequences(lengths, context_length).starts.tolist():
            parts = self._parts(asked.ids, read.ids, start, context_length)
            offsets = read.offsets[start : start + len(parts[1])]
            made.append(AnswerWindow(framed([parts], tokenizer), tokenizer.framing.pair.start(parts), offsets))
        return made

    def targets(self, labels: Labels, width: int, tokenizer: Tokenizer, names: Sequence[str]) -> list[str]:
        start, end = labels.tolist()
        told = [""] * width
        told[start] = "start"
        told[end] = "start, end" if end == start else "end"
        return told

    def _parts(self, question: Ids, context: Ids, start: int, context_length: int) -> list[Ids]:
        """What of the question and of the context, from the token `start` on, fits."""
        asked = question[: self._most_asked(context_length)]
        room = max(1, context_length - len(self.framing.pair) - len(asked))
        return [asked, context[start : start + room]]

    def _most_asked(self, context_length: int) -> int:
        return max(0, (context_length - len(self.framing.pair)) // 2)


def accepted(example: Mapping[str, str]) -> list[str]:
    """The accepted answers of an example, the one that is learned first; none where the context holds none."""
    return [answer for answer in example.get("answer", "").split("\n") if answer]
