"""Where in a text the answer to a question stands, if it is there."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tfmcore.data.tasks.question_answering import AnswerWindow, QuestionAnswering
from tfmcore.inference.decoding import check_number, finish
from tfmcore.inference.opened import OpenedModel, windows_notice

MOST_TOKENS = 30
"""The longest answer, as in BERT's evaluation on SQuAD."""

Spans = np.ndarray[Any, np.dtype[np.float64]]
"""Rows (start, end, score), in characters of the context."""


@dataclass(frozen=True)
class Answer:
    """Characters from `start` to before `end` of the context; `score` is the sum of the logits of its first and its
    last token, `probability` its share among all answers that are possible, none included."""

    text: str
    start: int
    end: int
    score: float
    probability: float


@dataclass(frozen=True)
class Answers:
    """The best answers, best first, and how probable it is that there is none."""

    answers: list[Answer]
    no_answer: float
    num_windows: int
    notice: str = ""


def answer(opened: OpenedModel, question: str, context: str, num_answers: int = 5) -> Answers:
    """Raises UserError for a model that does not answer."""
    return finish(answering(opened, question, context, num_answers))


@torch.inference_mode()
def answering(opened: OpenedModel, question: str, context: str, num_answers: int = 5) -> Generator[None, None, Answers]:
    """The same; yields after each window that is read, so that it can be given up.

    That there is no answer has the score of the window that is least sure of it (BERT, section 4.3).
    """
    opened.need("answer")
    task = opened.task
    assert isinstance(task, QuestionAnswering)
    windows = task.windows(question, context, opened.tokenizer, opened.context)
    nothing, parts = np.inf, list[Spans]()
    for window in windows:
        logits = opened.model(**opened.tensors(window.inputs)).logits[0].cpu().double().numpy()  # (T, 2)
        check_number(float(logits.sum()))
        nothing = min(nothing, float(logits[0].sum()))
        parts.append(_spans(logits, window))
        yield
    spans = _best_first(np.concatenate(parts))
    scores = np.append(spans[:, 2], nothing)
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    found = [
        Answer(context[int(start) : int(end)], int(start), int(end), score, share)
        for (start, end, score), share in zip(spans[:num_answers].tolist(), shares.tolist(), strict=False)
    ]
    return Answers(found, float(shares[-1]), len(windows), windows_notice("text", len(windows), opened.context))


def best_answer(opened: OpenedModel, question: str, context: str) -> str:
    """The likeliest answer; "" where it is likelier that there is none."""
    found = answer(opened, question, context, num_answers=1)
    best = found.answers[0] if found.answers else None
    return best.text if best and best.probability >= found.no_answer else ""


def _spans(logits: np.ndarray[Any, Any], window: AnswerWindow) -> Spans:
    """Every answer of up to MOST_TOKENS tokens that neither begins nor ends with a blank one, from logits (T, 2) of
    being the first and the last token."""
    count = len(window.offsets)
    starts, ends = np.array(window.offsets, np.float64).reshape(-1, 2).T
    logits = logits[window.first : window.first + count] + np.where(starts < ends, 0.0, -np.inf)[:, None]
    rows = [
        np.stack([starts[: count - more], ends[more:], logits[: count - more, 0] + logits[more:, 1]], -1)
        for more in range(min(MOST_TOKENS, count))
    ]
    spans: Spans = np.concatenate([np.zeros((0, 3)), *rows])
    return spans[np.isfinite(spans[:, 2])]


def _best_first(spans: Spans) -> Spans:
    """Each once, with its best score, though several windows hold it."""
    spans = spans[np.argsort(-spans[:, 2], kind="stable")]
    return spans[np.sort(np.unique(spans[:, :2], axis=0, return_index=True)[1])]
