"""What one does with a trained model: describe it, let it write on, classify, translate and fill."""

import time
from collections.abc import Generator, Iterator
from typing import TypeVar

from tfmcore.data.progress import Progress
from tfmcore.data.tokenizers import Tokenizer
from tfmcore.engine.desk import Desk
from tfmcore.engine.handlers import Answer
from tfmcore.inference import classify as classification
from tfmcore.inference import fill as filling
from tfmcore.inference.decoding import Sampling, Step
from tfmcore.inference.generate import Written, write
from tfmcore.inference.pieces import candidates
from tfmcore.inference.translate import translating
from tfmcore.messages import (
    Classified,
    Classify,
    Describe,
    Described,
    Fill,
    Filled,
    Generate,
    Generated,
    Hypothesis,
    Mask,
    Token,
    Translate,
    Translated,
)

T = TypeVar("T")


def describe(request: Describe, desk: Desk, report: Progress) -> Iterator[Answer]:
    start = time.monotonic()
    opened = desk.model(request.model)
    yield Described(
        id=request.id,
        folder=str(opened.folder),
        saved=opened.saved.model_dump(mode="json"),
        parameters=opened.model.num_parameters(),
        device=str(opened.device),
        seconds=time.monotonic() - start,
    )


def generate(request: Generate, desk: Desk, report: Progress) -> Iterator[Answer]:
    start = time.monotonic()
    opened = desk.model(request.model)
    opened.need("language_modeling")
    steps = write(
        opened.model,
        opened.tokenizer,
        request.prompt,
        continuation=request.continuation,
        max_new_tokens=request.max_new_tokens,
        sampling=Sampling(request.temperature, request.top_k, request.top_p, request.seed),
        beams=request.beams,
        stop=request.stop,
        num_alternatives=request.alternatives,
    )
    written = yield from _streamed(request.id, steps, opened.tokenizer, report)
    yield Generated(
        id=request.id,
        text=written.text,
        prompt_tokens=opened.tokenizer.tokens(written.prompt_ids),
        num_tokens=len(written.ids),
        seconds=time.monotonic() - start,
        reason=written.reason,
        notice=written.notice,
    )


def classify(request: Classify, desk: Desk, report: Progress) -> Iterator[Answer]:
    found = classification.classify(desk.model(request.model), request.text, request.pair)
    yield Classified(
        id=request.id,
        labels=found.labels,
        probabilities=found.probabilities,
        tokens=found.encoded.tokens,
        notice=found.encoded.notice,
    )


def translate(request: Translate, desk: Desk, report: Progress) -> Iterator[Answer]:
    start = time.monotonic()
    opened = desk.model(request.model)
    work = translating(opened, request.text, request.beams, request.length_penalty, request.max_new_tokens)
    found = _reported(work, report, "Translating")
    hypotheses = [
        Hypothesis(text=best.text, score=best.score, tokens=best.tokens, probabilities=best.probabilities)
        for best in found.hypotheses
    ]
    yield (
        Translated(
            id=request.id,
            hypotheses=hypotheses,
            source_tokens=found.source.tokens,
            seconds=time.monotonic() - start,
            notice=found.source.notice,
        ),
        {"alignment": found.alignment},
    )


def fill(request: Fill, desk: Desk, report: Progress) -> Iterator[Answer]:
    found = filling.fill(desk.model(request.model), request.text, request.candidates)
    masks = [Mask(position=gap.position, candidates=gap.candidates) for gap in found.gaps]
    tokens, notice = found.encoded.tokens, found.encoded.notice
    yield Filled(id=request.id, text=found.text, tokens=tokens, masks=masks, notice=notice)


def _streamed(
    request_id: int, steps: Generator[Step | None, None, Written], tokenizer: Tokenizer, report: Progress
) -> Generator[Token, None, Written]:
    """A reply for each token, as soon as it is written."""
    index = searched = 0
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            written: Written = end.value
            return written
        if step is None:
            report("Searching", searched := searched + 1, 0)
            continue
        [token] = candidates(tokenizer, [(step.id, step.probability)])
        yield Token(id=request_id, index=index, token=token, alternatives=candidates(tokenizer, step.alternatives))
        index += 1


def _reported(work: Generator[None, None, T], report: Progress, phase: str) -> T:
    """What `work` returns; each of its steps is reported, and so can be its last."""
    done = 0
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        report(phase, done := done + 1, 0)
