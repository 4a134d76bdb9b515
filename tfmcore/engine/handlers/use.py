"""What one does with a trained model: describe it, let it write on, classify, translate, fill, tag and answer."""

import time
from collections.abc import Generator, Iterator
from typing import TypeVar

from tfmcore import messages
from tfmcore.data.progress import Progress
from tfmcore.data.tokenizers import Tokenizer
from tfmcore.engine.desk import Desk
from tfmcore.engine.handlers import Answer
from tfmcore.inference import classify as classification
from tfmcore.inference import fill as filling
from tfmcore.inference import writing
from tfmcore.inference.answer import answering
from tfmcore.inference.decoding import Step
from tfmcore.inference.generate import Written, write
from tfmcore.inference.opened import OpenedModel
from tfmcore.inference.pieces import candidates
from tfmcore.inference.sampling import Sampling
from tfmcore.inference.tag import tagging
from tfmcore.inference.translate import translating
from tfmcore.inference.writing import Manner
from tfmcore.messages import (
    Answered,
    Classified,
    Classify,
    Describe,
    Described,
    Fill,
    Filled,
    FoundAnswer,
    Generate,
    Generated,
    Hypothesis,
    Mask,
    Tag,
    Tagged,
    TaggedSpan,
    Token,
    Translate,
    Translated,
    WritingRequest,
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
    opened = desk.model(request.model, request.precision)
    opened.need("generate")
    steps = write(
        opened.model,
        opened.tokenizer,
        request.prompt + (opened.separator if request.separator is None else request.separator),
        manner(request),
        continuation=request.continuation,
        num_alternatives=request.alternatives,
    )
    written = yield from _streamed(request.id, steps, opened.tokenizer, report)
    yield generated(request.id, written, opened, time.monotonic() - start)


def generated(request_id: int, written: Written, opened: OpenedModel, seconds: float) -> Generated:
    """The final reply for what was written on after a prompt."""
    several = written.hypotheses if len(written.hypotheses) > 1 else []
    return Generated(
        id=request_id,
        text=written.text,
        prompt_tokens=opened.tokenizer.tokens(written.prompt_ids),
        num_tokens=len(written.ids),
        seconds=seconds,
        reason=written.reason,
        hypotheses=[_hypothesis(text, each, opened.tokenizer) for text, each in several],
        notice=sentences(written.notice, opened.notice),
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
    opened = desk.model(request.model, request.precision)
    work = translating(opened, request.text, manner(request), request.prefix)
    found = _reported(work, report, "Translating")
    hypotheses = [_hypothesis(text, each, opened.tokenizer) for text, each in found.hypotheses]
    yield (
        Translated(
            id=request.id,
            hypotheses=hypotheses,
            source_tokens=found.source.tokens,
            seconds=time.monotonic() - start,
            notice=sentences(found.source.notice, opened.notice),
        ),
        {"alignment": found.alignment},
    )


def fill(request: Fill, desk: Desk, report: Progress) -> Iterator[Answer]:
    found = filling.fill(desk.model(request.model), request.text, request.candidates)
    masks = [Mask(position=gap.position, candidates=gap.candidates) for gap in found.gaps]
    tokens, notice = found.encoded.tokens, found.encoded.notice
    yield Filled(id=request.id, text=found.text, tokens=tokens, masks=masks, notice=notice)


def tag(request: Tag, desk: Desk, report: Progress) -> Iterator[Answer]:
    found = _reported(tagging(desk.model(request.model), request.text), report, "Tagging")
    spans = [TaggedSpan(**vars(span)) for span in found.spans]
    yield Tagged(id=request.id, text=request.text, tokens=found.tokens, spans=spans, notice=found.notice)


def answer(request: messages.Answer, desk: Desk, report: Progress) -> Iterator[Answer]:
    opened = desk.model(request.model)
    work = answering(opened, request.question, request.context, request.num_answers)
    found = _reported(work, report, "Answering")
    answers = [FoundAnswer(**vars(each)) for each in found.answers]
    yield Answered(
        id=request.id,
        answers=answers,
        no_answer=found.no_answer,
        num_windows=found.num_windows,
        notice=found.notice,
    )


def manner(request: WritingRequest) -> Manner:
    """How the request wants it written."""
    sampling = Sampling(
        request.temperature,
        request.top_k,
        request.top_p,
        request.min_p,
        request.repetition_penalty,
        request.seed,
    )
    return Manner(request.max_new_tokens, sampling, request.beams, request.length_penalty, tuple(request.stop))


def sentences(*notices: str) -> str:
    """Those that say something, one after the other."""
    return " ".join(filter(None, notices))


def _hypothesis(text: str, found: writing.Hypothesis, tokenizer: Tokenizer) -> Hypothesis:
    tokens = tokenizer.tokens(found.ids)
    return Hypothesis(text=text, score=found.score, tokens=tokens, probabilities=found.probabilities)


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


def _reported(work: Generator[object, None, T], report: Progress, phase: str) -> T:
    """What `work` returns; each of its steps is reported, and so can be its last."""
    done = 0
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        report(phase, done := done + 1, 0)
