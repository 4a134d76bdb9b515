"""An engine without a process: it answers by the messages of the real one, a token at a time, and can be killed."""

import re
from collections.abc import Iterator
from functools import singledispatchmethod
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from app.engine_client import OnReply
from app.session import Session
from tfmcore.config import SOURCES, TASKS, Config, ModelConfig, SavedModel, find_preset
from tfmcore.messages import (
    Answer,
    Answered,
    Arrays,
    AttentionFacts,
    AttentionViewed,
    Cancelled,
    Candidate,
    Classified,
    Classify,
    ExportAttention,
    Exported,
    ExportModel,
    Fill,
    Filled,
    FoundAnswer,
    Generate,
    Generated,
    Hypothesis,
    Imported,
    ImportModel,
    Inspect,
    Inspected,
    Mask,
    ModelExported,
    PreviewData,
    Progress,
    Refused,
    Reply,
    Request,
    Tag,
    Tagged,
    TaggedSpan,
    Thumbnails,
    ThumbnailsDrawn,
    Token,
    Translate,
    Translated,
    ViewAttention,
)

Replies = Iterator[tuple[Reply, Arrays]]
WORDS = ["The", " value", " of", " the", " expression", " is", " evaluated", " first", ",", " then", " its", " class"]
TAGS = ["O", "B-date", "I-date", "B-place", "I-place", "B-price", "I-price"]
KINDS = {"encoder": ("text", "text"), "decoder": ("target", "target"), "cross": ("target", "text")}


class FakeEngine(QObject):
    """`kinds` are the kinds of attention that its model has; `asked` are all requests so far, `faults` the sentences
    with which the next ones of a kind are refused."""

    busy_changed = Signal(bool)
    died = Signal(str)

    def __init__(self, kinds: tuple[str, ...] = ("decoder",), layers: int = 3, heads: int = 4) -> None:
        super().__init__()
        self.kinds, self.layers, self.heads = kinds, layers, heads
        self.asked: list[Request] = []
        self.cancelled: list[int] = []
        self.faults: dict[str, str] = {}
        self.tensors = 3
        self._running: dict[int, tuple[Replies, OnReply]] = {}
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._go_on)

    @property
    def busy(self) -> bool:
        return bool(self._running)

    def ask(self, request: type[Request], on_reply: OnReply, *, panel: str = "", **fields: object) -> int:
        message = request(id=len(self.asked) + 1, panel=panel, **fields)
        for old in [old for old in self.asked if old.id in self._running]:
            if type(old) is type(message) and old.panel == panel:
                self.cancel(old.id)
        self.asked.append(message)
        fault = self.faults.get(message.kind)  # type: ignore[attr-defined]
        refusal: Replies = iter([(Refused(id=message.id, sentence=fault or ""), {})])
        self._running[message.id] = (refusal if fault else self.answer(message), on_reply)
        self._timer.start()
        return message.id

    def cancel(self, request_id: int) -> None:
        if request_id in self._running:
            self.cancelled.append(request_id)
            self._running[request_id] = (iter([(Cancelled(id=request_id), {})]), self._running[request_id][1])

    def kill(self) -> None:
        """Die in mid-answer: whoever waits is told."""
        waiting, self._running = self._running, {}
        for number, (_, on_reply) in waiting.items():
            on_reply(Refused(id=number, sentence="The engine was killed; the next request starts a new one."), {})
        if not waiting:
            self.died.emit("The engine was killed; the next request starts a new one.")

    def close(self) -> None:
        self._timer.stop()
        self._running = {}

    def last(self, kind: type[Request]) -> Request:
        """The newest request of a kind."""
        return next(request for request in reversed(self.asked) if isinstance(request, kind))

    def _go_on(self) -> None:
        """One reply of the oldest request."""
        if not self._running:
            self._timer.stop()
            return
        number, (answers, on_reply) = next(iter(self._running.items()))
        reply, arrays = next(answers)
        if reply.final:
            del self._running[number]
        on_reply(reply, arrays)

    # ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @singledispatchmethod
    def answer(self, request: Request) -> Replies:
        raise AssertionError(f"unexpected request {request}")

    @answer.register
    def _(self, request: PreviewData) -> Replies:
        yield Refused(id=request.id, sentence="Nothing is prepared here."), {}

    @answer.register
    def _(self, request: Generate) -> Replies:
        start, written = len(request.continuation), []
        for index in range(request.max_new_tokens):
            place = start + index
            chances = np.sort(np.random.default_rng(place).dirichlet(np.full(len(WORDS), 0.4)))[::-1]
            ids = [(place + i) % len(WORDS) for i in range(5)]
            options = [
                Candidate(id=id, text=WORDS[id], probability=float(share))
                for id, share in zip(ids, chances[:5], strict=True)
            ]
            chosen = options[0] if place % 4 else options[1]
            written.append(chosen.text)
            yield Token(id=request.id, index=index, token=chosen, alternatives=options), {}
        hypotheses = [
            Hypothesis(
                text="".join(written) + "!" * n,
                score=-0.2 - n,
                tokens=[*written, *"!" * n],
                probabilities=[0.5] * (len(written) + n),
            )
            for n in range(request.beams if request.beams > 1 else 0)
        ]
        notice = "The prompt has 900 tokens: the model read the last 96 of them." if len(request.prompt) > 500 else ""
        tokens = request.prompt.split()
        yield (
            Generated(
                id=request.id, text="".join(written), prompt_tokens=tokens, num_tokens=len(written), seconds=0.5,
                reason="length", hypotheses=hypotheses, notice=notice,
            ),
            {},
        )  # fmt: skip

    @answer.register
    def _(self, request: Classify) -> Replies:
        labels = ["en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "pl", "cs", "hu", "fi", "tr", "ro", "id"]
        shares = np.sort(np.random.default_rng(len(request.text)).dirichlet(np.full(len(labels), 0.3)))[::-1]
        tokens = ["[CLS]", *request.text, "[SEP]", *request.pair]
        yield Classified(id=request.id, labels=labels, probabilities=shares.tolist(), tokens=tokens), {}

    @answer.register
    def _(self, request: Translate) -> Replies:
        words = request.text.split()
        beams = [
            Hypothesis(
                text=" ".join(reversed(words)) + "!" * number,
                score=-0.1 - number,
                tokens=[f" {word}" for word in reversed(words)] + ["!"] * number,
                probabilities=np.linspace(0.9, 0.4, len(words) + number).tolist(),
            )
            for number in range(request.beams)
        ]
        alignment = np.eye(len(words), dtype=np.float32)[::-1] * 0.8 + 0.1 / len(words)
        yield (
            Translated(id=request.id, hypotheses=beams, source_tokens=[f" {word}" for word in words], seconds=0.02),
            {"alignment": alignment},
        )

    @answer.register
    def _(self, request: Fill) -> Replies:
        words = request.text.replace("[MASK]", " [MASK] ").split()
        masks = [
            Mask(
                position=place,
                candidates=[
                    Candidate(id=i, text=text, probability=0.6 / (i + 1))
                    for i, text in enumerate([" value", " type", " name", " object", " result"])
                ],
            )
            for place, word in enumerate(words)
            if word == "[MASK]"
        ]
        text = request.text.replace("[MASK]", "value")
        yield Filled(id=request.id, text=text, tokens=["[CLS]", *words, "[SEP]"], masks=masks), {}

    @answer.register
    def _(self, request: Tag) -> Replies:
        patterns = {"place": r"\b(?!The)[A-Z]\w+", "price": r"[$€]\d[\d.,]*\d", "date": r"\b(?:19|20)\d\d\b"}
        spans = [
            TaggedSpan(
                start=found.start(), end=found.end(), label=label, probability=0.5 + 0.45 / (1 + found.start() % 3)
            )
            for label, pattern in patterns.items()
            for found in re.finditer(pattern, request.text)
        ]
        spans.sort(key=lambda span: span.start)
        tokens = ["[CLS]", *request.text.split(), "[SEP]"]
        yield Tagged(id=request.id, text=request.text, tokens=tokens, spans=spans), {}

    @answer.register
    def _(self, request: Answer) -> Replies:
        places = [found.span() for found in re.finditer(r"\w+(?: \w+)?", request.context)][::-1]
        answers = [
            FoundAnswer(text=request.context[a:b], start=a, end=b, score=9.0 - 2 * n, probability=0.6 / 3**n)
            for n, (a, b) in enumerate(places[: request.num_answers])
        ]
        yield Answered(id=request.id, answers=answers, no_answer=0.1, num_windows=1 + len(request.context) // 400), {}

    @answer.register
    def _(self, request: Inspect) -> Replies:
        yield Progress(id=request.id, phase="Reading layer by layer", done=1, total=self.layers), {}
        facts = {}
        for kind in self.kinds:
            rows, columns = (self._tokens(request, kind, side) for side in (0, 1))
            facts[kind] = AttentionFacts(layers=self.layers, heads=self.heads, rows=rows, columns=columns)
        yield Inspected(id=request.id, attentions=facts, bytes=1, seconds=0.1, notice=self.faults.get("notice", "")), {}

    @answer.register
    def _(self, request: Thumbnails) -> Replies:
        rows, columns = (edges((0, self._length(request, side)), 32)[:-1] for side in (0, 1))
        maps = np.stack([self._weights(request, layer, rows)[:, :, columns] for layer in range(self.layers)])
        largest = maps.max(axis=(2, 3), keepdims=True)
        levels = (maps / largest * 255).round().astype(np.uint8)
        yield ThumbnailsDrawn(id=request.id), {"thumbnails": levels, "largest": largest[:, :, 0, 0]}

    @answer.register
    def _(self, request: ViewAttention) -> Replies:
        lengths = (self._length(request, 0), self._length(request, 1))
        spans = [span or (0, n) for span, n in zip((request.rows, request.columns), lengths, strict=True)]
        rows, columns = (edges(span, request.size) for span in spans)
        weights = self._weights(request, request.layer, rows[:-1])[:, :, columns[:-1]]
        shown = weights[request.heads] if request.heads else weights.mean(axis=0, keepdims=True)
        pooled = shown.shape[1:] != tuple(b - a for a, b in spans)
        arrays: Arrays = {"weights": shown.astype(np.float32)}
        if pooled:
            arrays |= {"row_edges": rows, "column_edges": columns}
        yield AttentionViewed(id=request.id, pooled=pooled), arrays

    @answer.register
    def _(self, request: ExportAttention) -> Replies:
        np.savez(request.path, decoder=np.zeros((self.layers, self.heads, 2, 2)))
        yield Exported(id=request.id, path=request.path), {}

    @answer.register
    def _(self, request: ImportModel) -> Replies:
        for done in range(self.tensors):
            yield Progress(id=request.id, phase="Reading tensors", done=done, total=self.tensors), {}
        source = Path(request.path)
        folder = source.parent / f"{source.name} imported"
        folder.mkdir()
        SavedModel(task="classification", vocab_size=512, model=ModelConfig(architecture="encoder")).write(folder)
        yield (
            Imported(
                id=request.id,
                folder=str(folder),
                family="BERT",
                parameters=109_482_240,
                read=[f"bert.encoder.tensor_{number}" for number in range(197)],
                ignored=[f"cls.predictions.tensor_{number}" for number in range(12)],
                added=["head.classifier.weight"],
                notes=["Its head for classification begins with random weights."],
            ),
            {},
        )

    @answer.register
    def _(self, request: ExportModel) -> Replies:
        yield Progress(id=request.id, phase="Writing tensors", done=0, total=0), {}
        files = ["config.json", "model.safetensors", "tokenizer.json"]
        yield ModelExported(id=request.id, folder=request.path, files=files), {}

    def _tokens(self, request: Inspect | Thumbnails | ViewAttention, kind: str, side: int) -> list[str]:
        text = request.text if KINDS[kind][side] == "text" or "cross" not in self.kinds else request.second or "own own"
        words = text.split()
        return ["[CLS]", *(f" {word}" for word in words)]

    def _weights(self, request: Thumbnails | ViewAttention, layer: int, rows: np.ndarray) -> np.ndarray:
        """(H, rows, S): each head looks a fixed number of tokens back, more or less sharply."""
        at, to = rows[:, None], np.arange(self._length(request, 1))[None]
        scores = np.stack([-np.abs(at - head - to) / (1 + layer) for head in range(self.heads)]).astype(np.float32)
        if request.attention == "decoder":
            scores = np.where(to <= at, scores, -np.inf)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        found: np.ndarray = weights / weights.sum(axis=-1, keepdims=True)
        return found

    def _length(self, request: Thumbnails | ViewAttention, side: int) -> int:
        return len(self._tokens(request, request.attention, side))


def edges(span: tuple[int, int], size: int) -> np.ndarray:
    """Where at most `size` cells of a span begin and end."""
    return np.linspace(*span, min(span[1] - span[0], size) + 1).round().astype(np.int64)


def connect(session: Session, engine: FakeEngine) -> FakeEngine:
    """Put it in the place of the session's engine process."""
    session.engine.close()
    session.engine = engine  # type: ignore[assignment]
    return engine


def open_preset(session: Session, name: str) -> SavedModel:
    """As if a model trained by this preset had been opened."""
    return open_trained(session, find_preset(name).config(), name)


def open_task(session: Session, task: str) -> SavedModel:
    """As if a model had been opened that learned `task` on the first source that serves it."""
    source = next(name for name, facts in SOURCES.items() if task in facts.tasks)
    model = {"architecture": TASKS[task].architectures[0]}
    return open_trained(session, Config.parse({"data": {"source": source, "task": task}, "model": model}), task)


def open_trained(session: Session, config: Config, name: str) -> SavedModel:
    """As if a model had been opened that was trained by `config`."""
    labels = {"classification": config.data.languages, "token_tagging": TAGS}.get(config.data.task, [])
    saved = SavedModel(
        task=config.data.task, vocab_size=512, model=config.model, labels=labels, data=config.data, step=1500
    )
    folder = session.workspace / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    saved.write(folder)
    session.model_path, session.model_name, session.model = str(folder), folder.name, saved
    session.model_changed.emit()
    return saved
