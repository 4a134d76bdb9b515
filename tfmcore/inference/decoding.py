"""Writing token by token with a cache: one text as long as one likes, or many side by side."""

import contextlib
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from tfmcore.config import UserError
from tfmcore.inference.recorded import RecordedStep
from tfmcore.inference.sampling import GREEDY, Sampling, choose
from tfmcore.models import DecoderOnlyTransformer, EncoderDecoderTransformer, Model
from tfmcore.nn.cache import Cache
from tfmcore.nn.linear import FEW
from tfmcore.nn.probe import Hooks

Writer = DecoderOnlyTransformer | EncoderDecoderTransformer
"""A model that writes from left to right."""
T = TypeVar("T")
ALONE = 2**19
"""A product of a token and a matrix of d_model² weights is over, if they are fewer, before another thread has woken."""
ALONE_BEFORE = 8
"""To record a step takes as long as some steps do."""
Ends = Callable[[Sequence[int]], bool]
"""Whether a text is done, by the tokens written so far."""


class Source(NamedTuple):
    """What an encoder read: memory (B, S, D), and mask (B, S) with 1 for real tokens where there is padding."""

    memory: Tensor
    mask: Tensor | None = None


class Step(NamedTuple):
    """A token, its probability by the model itself (before temperature and cuts), and the likeliest tokens."""

    id: int
    probability: float
    alternatives: list[tuple[int, float]]


def never(ids: Sequence[int]) -> bool:
    """The end of a text that goes on as long as it may."""
    return False


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
        self.recorded: RecordedStep | None = None
        self._hooks, self._can_record, self._num_alone = Hooks(model.modules()), True, 0

    def read(self, ids: Sequence[int]) -> Tensor:
        """Read on; the result are the logits (V,) of the token after that, as float32 on the CPU."""
        self.ids = [*self.ids, *ids]
        if self.cache.length + len(ids) > self.size:
            ids = self._begin_anew(self.size if not self.cache.length else max(1, self.size * 3 // 4))
        self._num_alone = self._num_alone + 1 if len(ids) == 1 else 0
        looked_into = bool(self._hooks)
        if self.recorded and (looked_into or len(ids) > 1):
            ids = self._begin_anew(self.cache.length + len(ids))
        if self._can_record and self._num_alone > ALONE_BEFORE and not looked_into:
            try:
                return self._take(ids[0])
            except RuntimeError:  # there is a kernel that cannot be recorded
                self._can_record, ids = False, self._begin_anew(self.cache.length + 1)
        return self._next(torch.tensor([ids], device=self.model.device))[0].cpu()

    def _next(self, ids: Tensor) -> Tensor:
        return next_logits(self.model, ids, self.cache, self.source).float()

    def _begin_anew(self, kept: int) -> list[int]:
        """Forget all but the last tokens, which are to be read again."""
        self.ids, self.cache = self.ids[-kept:], self.model.new_cache(1, self.size)
        self.recorded, self._num_alone = None, 0
        return self.ids

    def _take(self, id: int) -> Tensor:
        """Read a token by a recorded step."""
        with _quickly(self.model, self.cache.positions[:, :1]):
            if self.recorded is None or self.cache.length >= self.cache.room:
                self.recorded = RecordedStep(self.cache, self._next)
            return self.recorded.take(id)[0].to("cpu", copy=True)


def read_source(model: EncoderDecoderTransformer, input_ids: Tensor, attention_mask: Tensor | None = None) -> Source:
    """Let the encoder read ids (B, S)."""
    return Source(model.encode(input_ids, attention_mask)[0], attention_mask)


def next_logits(
    model: Writer, ids: Tensor, cache: Cache, source: Source | None = None, attention_mask: Tensor | None = None
) -> Tensor:
    """Read the new tokens (B, T), of which those with 0 in `attention_mask` are padding on the left, and say what may
    follow the last of them: (B, V)."""
    with _quickly(model, ids):
        if isinstance(model, EncoderDecoderTransformer):
            memory, mask = source or (None, None)
            features = model.decode(ids, memory, mask, attention_mask, cache=cache)
        else:
            features = model.features(ids, attention_mask, cache=cache)
        logits: Tensor = model.head(features.hidden[:, -1])
    return logits


def reads_alone(model: Model, num_tokens: int = 1) -> bool:
    """Whether one thread of a processor reads so many tokens faster than several."""
    return num_tokens * model.config.d_model**2 < ALONE


@contextlib.contextmanager
def _quickly(model: Model, tokens: Tensor) -> Iterator[None]:
    """On a processor few tokens are read with one thread where others would come too late, and without oneDNN where it
    is not called by name: it looks for its kernel longer than a gelu of a few numbers takes."""
    if not tokens.is_cpu or tokens.numel() > FEW:
        yield
        return
    threads, onednn = torch.get_num_threads(), torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    if alone := threads > 1 and reads_alone(model, tokens.numel()):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = onednn
        if alone:
            torch.set_num_threads(threads)


@torch.inference_mode()
def write_on(
    model: Writer,
    prompt: Sequence[int],
    *,
    max_new_tokens: int,
    sampling: Sampling = GREEDY,
    num_alternatives: int = 0,
    source: Source | None = None,
) -> Iterator[Step]:
    """One token after the other; who reads them says when it is enough. Raises UserError for damaged weights."""
    window = Window(model, len(prompt) + max_new_tokens, source)
    generator = sampling.generator()
    seen, new = list(prompt), list(prompt)
    for _ in range(max_new_tokens):
        logits = window.read(new)
        probabilities = logits.softmax(-1)
        check_number(probabilities[0].item())  # if one logit is none, no probability is a number
        top = probabilities.topk(min(num_alternatives, len(probabilities)))
        new = choose(logits[None], [seen], sampling, generator)
        likeliest = list(zip(top.indices.tolist(), top.values.tolist(), strict=True))
        yield Step(new[0], probabilities[new[0]].item(), likeliest)
        seen += new


@torch.inference_mode()
def write_batch(
    model: Writer,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    sampling: Sampling = GREEDY,
    ends: Ends = never,
    source: Source | None = None,
) -> list[list[int]]:
    """What is written after each of the prompts, with the tokens that end it; `source` is a batch too. The longest
    prompt and all new tokens but the last must fit the context. Once half of the texts are done, they are left out."""
    new, real = pad_left(prompts, model.device)
    cache, generator = model.new_cache(len(prompts), new.shape[1] + max_new_tokens - 1), sampling.generator()
    written: list[list[int]] = [[] for _ in prompts]
    rows = going = list(range(len(prompts)))  # which text each row of the cache is, and which are not done
    for _ in range(max_new_tokens):
        logits = next_logits(model, new, cache, source, real).float().cpu()
        check_number(logits.amax().item())
        chosen = choose(logits, [[*prompts[row], *written[row]] for row in rows], sampling, generator)
        for row, id in zip(rows, chosen, strict=True):
            if row in going:
                written[row].append(id)
        going = [row for row in going if not ends(written[row])]
        if not going:
            break
        if 2 * len(going) <= len(rows):
            kept = [place for place, row in enumerate(rows) if row in going]
            cache.reorder(torch.tensor(kept, device=model.device))
            rows, chosen = going, [chosen[place] for place in kept]
        new, real, source = torch.tensor(chosen, device=model.device)[:, None], None, None
    return written


def pad_left(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor | None]:
    """Ids (B, T), padded on the left, and their mask with 1 for real tokens, if anything is padded."""
    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows], device=device)
    starts = torch.tensor([[width - len(row)] for row in rows], device=device)
    return ids, torch.arange(width, device=device) >= starts if starts.any() else None


def finish(work: Generator[object, None, T]) -> T:
    """Run a generator to its end, for what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result


def check_number(number: float) -> None:
    """Raise UserError where a model answers with “not a number”."""
    if math.isnan(number):
        raise UserError("the model answers with “not a number”: its training diverged or its weights are damaged")
