"""Writing token by token: one text as long as one likes, or many side by side."""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from tfmcore.config import UserError
from tfmcore.inference.reading import Reader, Source, Writer
from tfmcore.inference.sampling import GREEDY, Sampling, choose

T = TypeVar("T")
Ends = Callable[[Sequence[int]], bool]
"""Whether a text is done, by the tokens written so far."""


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
        self.size = min(max_length, model.config.context_length)
        self.ids: list[int] = []
        self.reader = Reader(model, model.new_cache(1, self.size), source)

    def read(self, ids: Sequence[int]) -> Tensor:
        """Read on; the result are the logits (V,) of the token after that, as float32 on the CPU."""
        self.ids, length = [*self.ids, *ids], self.reader.cache.length
        if length + len(ids) > self.size:
            self.reader.cache.clear()
            ids = self.ids = self.ids[-(max(1, self.size * 3 // 4) if length else self.size) :]
        return self.reader.read(torch.tensor([ids]))[0]


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
    ends: Sequence[Ends] = (),
    source: Source | None = None,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """What is written after each of the prompts, with the tokens that end it by its own of `ends`, if there are such;
    `source` is a batch too. The longest prompt and all new tokens but the last must fit the context. Once half of the
    texts are done, they are left out. `generator` draws, where several batches are to differ."""
    new, real = pad_left(prompts, model.device)
    cache = model.new_cache(len(prompts), new.shape[1] + max_new_tokens - 1)
    generator = generator or sampling.generator()
    reader = Reader(model, cache, source)
    written: list[list[int]] = [[] for _ in prompts]
    rows = going = list(range(len(prompts)))  # which text each row of the cache is, and which are not done
    for _ in range(max_new_tokens):
        logits = reader.read(new, real)
        check_number(logits.amax().item())
        chosen = choose(logits, [[*prompts[row], *written[row]] for row in rows], sampling, generator)
        for row, id in zip(rows, chosen, strict=True):
            if row in going:
                written[row].append(id)
        going = [row for row in going if not (ends and ends[row](written[row]))]
        if not going:
            break
        if 2 * len(going) <= len(rows):
            kept = [place for place, row in enumerate(rows) if row in going]
            reader.keep(kept)
            rows, chosen = going, [chosen[place] for place in kept]
        new, real = torch.tensor(chosen)[:, None], None
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
        raise UserError("the model outputs NaN: its training diverged or its weights are damaged")
