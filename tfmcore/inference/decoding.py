"""Writing token by token with a cache: greedy, sampling (https://arxiv.org/abs/1904.09751) and beam search."""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from tfmcore.config import UserError
from tfmcore.models import DecoderOnlyTransformer, EncoderDecoderTransformer
from tfmcore.nn.cache import Cache

Writer = DecoderOnlyTransformer | EncoderDecoderTransformer
"""A model that writes from left to right."""
T = TypeVar("T")


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn: temperature 0 takes the likeliest; top_k 0 and top_p 1 keep all; seed None: any."""

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None


GREEDY = Sampling(temperature=0.0)


class Source(NamedTuple):
    """What an encoder read: memory (B, S, D), and mask (B, S) with 1 for real tokens where there is padding."""

    memory: Tensor
    mask: Tensor | None = None


class Step(NamedTuple):
    """A token, its probability by the model itself (before temperature and cuts), and the likeliest tokens."""

    id: int
    probability: float
    alternatives: list[tuple[int, float]]


class Beam(NamedTuple):
    """A hypothesis: its tokens, the probability of each, and the sum of their logarithms."""

    ids: list[int]
    probabilities: list[float]
    total: float

    def score(self, length_penalty: float) -> float:
        return self.total / math.pow(len(self.ids), length_penalty)


class Window:
    """The newest tokens of one text, as many as the context holds, and the cache of what the model made of them.

    When the context is full the oldest quarter is forgotten and the rest read again, so that what the model computes
    is always what it would compute of the window alone.
    """

    def __init__(self, model: Writer, max_length: int, source: Source | None = None) -> None:
        self.model, self.source = model, source
        self.size = min(max_length, model.config.context_length)
        self.cache = model.new_cache(1, self.size)
        self.ids: list[int] = []

    def read(self, ids: Sequence[int]) -> Tensor:
        """Read on; the result are the logits (V,) of the token after that, as float32 on the CPU."""
        self.ids = [*self.ids, *ids]
        if self.cache.length + len(ids) > self.size:
            kept = self.size if not self.cache.length else max(1, self.size * 3 // 4)
            ids = self.ids = self.ids[-kept:]
            self.cache = self.model.new_cache(1, self.size)
        new = torch.tensor([ids], device=self.model.device)
        return next_logits(self.model, new, self.cache, self.source)[0].float().cpu()


def read_source(model: EncoderDecoderTransformer, input_ids: Tensor, attention_mask: Tensor | None = None) -> Source:
    """Let the encoder read ids (B, S)."""
    return Source(model.encode(input_ids, attention_mask)[0], attention_mask)


def next_logits(model: Writer, ids: Tensor, cache: Cache, source: Source | None = None) -> Tensor:
    """Read the new tokens (B, T) and say what may follow the last of them: (B, V)."""
    if isinstance(model, EncoderDecoderTransformer):
        memory, mask = source or (None, None)
        features = model.decode(ids, memory, mask, cache=cache)
    else:
        features = model.features(ids, cache=cache)
    logits: Tensor = model.head(features.hidden[:, -1])
    return logits


@torch.inference_mode()
def write_on(
    model: Writer,
    prompt: Sequence[int],
    *,
    max_new_tokens: int,
    sampling: Sampling = GREEDY,
    end_id: int | None = None,
    num_alternatives: int = 0,
    source: Source | None = None,
) -> Iterator[Step]:
    """One token after the other, up to and with `end_id`; raises UserError when the weights are damaged."""
    window = Window(model, len(prompt) + max_new_tokens, source)
    generator = torch.Generator()  # its own, so that samples drawn while training change nothing in it
    generator.seed() if sampling.seed is None else generator.manual_seed(sampling.seed)
    new = list(prompt)
    for _ in range(max_new_tokens):
        logits = window.read(new)
        probabilities = logits.softmax(-1)
        top = probabilities.topk(min(max(num_alternatives, 1), len(probabilities)))
        likeliest = list(zip(top.indices.tolist(), top.values.tolist(), strict=True))
        _check(likeliest[0][1])
        id = likeliest[0][0] if sampling.temperature == 0 else draw(logits, sampling, generator)
        yield Step(id, probabilities[id].item(), likeliest[:num_alternatives])
        if id == end_id:
            return
        new = [id]


def draw(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """A token from the softmax of logits (V,) ÷ temperature, cut to the top_k likeliest and to the fewest tokens whose
    probabilities sum to top_p."""
    logits = (logits - logits.max()) / max(sampling.temperature, 1e-6)
    if 0 < sampling.top_k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(sampling.top_k).values[-1], -torch.inf)
    probabilities = logits.softmax(-1)
    if sampling.top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        before = ordered.cumsum(-1) - ordered
        probabilities[order[before >= sampling.top_p]] = 0.0
    return int(torch.multinomial(probabilities, 1, generator=generator))


@torch.inference_mode()
def search_beams(
    model: Writer,
    prompt: Sequence[int],
    *,
    num_beams: int,
    max_new_tokens: int,
    end_id: int | None = None,
    length_penalty: float = 1.0,
    source: Source | None = None,
) -> Generator[None, None, list[Beam]]:
    """Yields after each token, so that it can be given up; returns the best hypotheses, best first, with end tokens.

    Prompt and new tokens must fit the context. Stops when no hypothesis under way scores better, at its present
    length, than the worst of `num_beams` that have ended.
    """
    cache = model.new_cache(1, len(prompt) + max_new_tokens)
    logits = next_logits(model, torch.tensor([prompt], device=model.device), cache, source)
    alive, ended = [Beam([], [], 0.0)], list[Beam]()
    for length in range(1, max_new_tokens + 1):
        alive, parents, finished = _grow(alive, logits.float().log_softmax(-1).cpu(), num_beams, end_id)
        ended = sorted(ended + finished, key=lambda beam: -beam.score(length_penalty))[:num_beams]
        yield
        if not alive or (len(ended) == num_beams and _settled(ended[-1], alive[0], length_penalty)):
            return ended
        if length < max_new_tokens:
            if parents != list(range(cache.real.shape[0])):
                cache.reorder(torch.tensor(parents, device=model.device))
            new = torch.tensor([[beam.ids[-1]] for beam in alive], device=model.device)
            logits = next_logits(model, new, cache)
    return sorted(ended + alive, key=lambda beam: -beam.score(length_penalty))[:num_beams]


def _grow(
    alive: list[Beam], log_probabilities: Tensor, num_beams: int, end_id: int | None
) -> tuple[list[Beam], list[int], list[Beam]]:
    """One more token, by log-probabilities (beams, V): the best that go on, their parents' places, and the ended."""
    totals = log_probabilities + torch.tensor([[beam.total] for beam in alive])
    best = totals.flatten().topk(min(2 * num_beams, totals.numel()))
    grown, parents, ended = list[Beam](), list[int](), list[Beam]()
    for total, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        _check(total)
        parent, id = divmod(place, totals.shape[1])
        ids, probabilities, before = alive[parent]
        beam = Beam([*ids, id], [*probabilities, math.exp(total - before)], total)
        if id == end_id:
            ended.append(beam)
            continue
        grown.append(beam)
        parents.append(parent)
        if len(grown) == num_beams:
            break
    return grown, parents, ended


def _settled(worst: Beam, best: Beam, length_penalty: float) -> bool:
    return worst.score(length_penalty) >= best.score(length_penalty)


@torch.inference_mode()
def write_batch(
    model: EncoderDecoderTransformer,
    input_ids: Tensor,
    attention_mask: Tensor,
    *,
    start_id: int,
    end_id: int,
    max_new_tokens: int,
) -> list[list[int]]:
    """The greedy answer to each text (B, S) of a batch, without start and end token."""
    source = read_source(model, input_ids, attention_mask)
    cache = model.new_cache(len(input_ids), max_new_tokens)
    new = torch.full_like(input_ids[:, :1], start_id)
    written, ended = list[Tensor](), torch.zeros_like(new, dtype=torch.bool)
    while len(written) < max_new_tokens and not ended.all():
        new = next_logits(model, new, cache, source).argmax(-1, keepdim=True)
        written.append(new)
        ended |= new == end_id
    rows = torch.cat(written, 1).tolist()
    return [row[: row.index(end_id)] if end_id in row else row for row in rows]


def finish(work: Generator[object, None, T]) -> T:
    """Run a generator to its end, for what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result


def _check(number: float) -> None:
    if math.isnan(number):
        raise UserError("the model answers with “not a number”: its training diverged or its weights are damaged")
