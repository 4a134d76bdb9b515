"""What the words of a text are: names, dates, places, or whatever a tagger has learned."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch

from tfmcore.data.tasks.token_tagging import TokenTagging
from tfmcore.inference.decoding import check_number, finish
from tfmcore.inference.opened import OpenedModel, windows_notice

PREFIXES = frozenset("BIESLU")
"""What may stand before the name in the label of a word: it begins, is inside, ends or is all of what is named."""
NOTHING = "O"


@dataclass(frozen=True)
class Span:
    """Characters from `start` to before `end` of the text; `probability` is that of its least certain word."""

    start: int
    end: int
    label: str
    probability: float


@dataclass(frozen=True)
class Tagging:
    """`spans` are in the order of the text, `tokens` the text as the model read it."""

    spans: list[Span]
    tokens: list[str]
    notice: str = ""


def tag(opened: OpenedModel, text: str) -> Tagging:
    """Raises UserError for a model that does not tag."""
    return finish(tagging(opened, text))


@torch.inference_mode()
def tagging(opened: OpenedModel, text: str) -> Generator[None, None, Tagging]:
    """The same; yields after each window that is read, so that it can be given up."""
    opened.need("tag")
    task = opened.task
    assert isinstance(task, TokenTagging)
    words, labels, shares = list[tuple[int, int]](), list[str](), list[float]()
    windows = task.windows(text, opened.tokenizer, opened.context)
    for window in windows:
        logits = opened.model(**opened.tensors(window.inputs)).logits[0, window.places]
        best = logits.float().softmax(-1).max(-1)
        words += window.words
        labels += [opened.saved.labels[number] for number in best.indices.tolist()]
        shares += best.values.tolist()
        yield
    for share in shares:
        check_number(share)
    spans = [
        Span(words[first][0], words[last][1], label, min(shares[first : last + 1]))
        for first, last, label in entities(labels)
    ]
    tokens = opened.tokenizer.tokens(opened.tokenizer.encode(text, special=False))
    return Tagging(spans, tokens, windows_notice("text", len(windows), opened.context))


def entities(labels: Sequence[str]) -> list[tuple[int, int, str]]:
    """The words that belong together: the first, the last and the name of what they are, from labels such as B-place,
    I-place and O, as the CoNLL evaluation reads them (E-, S-, L- and U- too). Labels without such prefixes, like parts
    of speech, stand for one word each."""
    found: list[tuple[int, int, str]] = []
    going_on = ""
    for place, label in enumerate(labels):
        prefix, dash, name = label.partition("-")
        if not dash or prefix not in PREFIXES:
            prefix, name = "S", label
        if prefix in "IEL" and name == going_on:
            found[-1] = (found[-1][0], place, name)
        elif label != NOTHING:
            found.append((place, place, name))
        going_on = name if prefix in "BI" else ""
    return found
