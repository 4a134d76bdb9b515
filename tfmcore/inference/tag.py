"""What the words of a text are: names, dates, places, or whatever a tagger has learned."""

from collections.abc import Generator
from dataclasses import dataclass

import torch

from tfmcore.data.entities import entities
from tfmcore.data.tasks.token_tagging import TokenTagging
from tfmcore.inference.decoding import check_number, finish
from tfmcore.inference.opened import OpenedModel, windows_notice


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
        Span(words[first][0], words[end - 1][1], name, min(shares[first:end])) for first, end, name in entities(labels)
    ]
    tokens = opened.tokenizer.tokens(opened.tokenizer.encode(text, special=False))
    return Tagging(spans, tokens, windows_notice("text", len(windows), opened.context))
