"""Beam search: the best of many texts that are written side by side."""

import math
from collections.abc import Generator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tfmcore.inference.decoding import Ends, check_number, never
from tfmcore.inference.reading import Reader, Source, Writer
from tfmcore.inference.sampling import penalize
from tfmcore.nn.cache import Cache


class Beam(NamedTuple):
    """A hypothesis: its tokens, the probability of each, and the sum of their logarithms (after penalties)."""

    ids: list[int]
    probabilities: list[float]
    total: float

    def score(self, length_penalty: float) -> float:
        return self.total / math.pow(len(self.ids), length_penalty)


@torch.inference_mode()
def search_beams(
    model: Writer,
    prompt: Sequence[int],
    *,
    num_beams: int,
    max_new_tokens: int,
    ends: Ends = never,
    length_penalty: float = 1.0,
    repetition_penalty: float = 1.0,
    source: Source | None = None,
) -> Generator[None, None, list[Beam]]:
    """Yields after each token, so that it can be given up; returns the best hypotheses, best first, with end tokens.

    Prompt and all new tokens but the last must fit the context. A hypothesis counts as ended where it is one of the
    `num_beams` best at its last token. Stops when no hypothesis under way scores better, at its present length, than
    the worst of `num_beams` that have ended: the rules of transformers' `generate` with `early_stopping=False`.
    """
    cache = model.new_cache(1, len(prompt) + max_new_tokens - 1)
    reader = Reader(model, cache, source)
    logits = reader.read(torch.tensor([prompt]))
    _widen(cache, num_beams)
    alive, ended = [Beam([], [], 0.0)], list[Beam]()
    for length in range(1, max_new_tokens + 1):
        logs = logits[: len(alive)].log_softmax(-1)
        grown = _grow(
            alive, logs, penalize(logs, [[*prompt, *beam.ids] for beam in alive], repetition_penalty), num_beams
        )
        over = [length == max_new_tokens or ends(beam.ids) for beam, _ in grown]
        ended += [beam for (beam, _), done in zip(grown[:num_beams], over, strict=False) if done]
        ended = sorted(ended, key=lambda beam: -beam.score(length_penalty))[:num_beams]
        going = [pair for pair, done in zip(grown, over, strict=True) if not done][:num_beams]
        yield
        if not going or (len(ended) == num_beams and _settled(ended[-1], going[0][0], length_penalty)):
            break
        _follow(cache, len(prompt), alive, [parent for _, parent in going])
        alive = [beam for beam, _ in going]
        newest = [beam.ids[-1:] for beam in alive] + [[0]] * (num_beams - len(alive))
        logits = reader.read(torch.tensor(newest))
    return ended


def _grow(alive: Sequence[Beam], logs: Tensor, penalized: Tensor, num_beams: int) -> list[tuple[Beam, int]]:
    """The best with one more token, by log-probabilities (beams, V), each with its parent's place: twice as many as
    there are beams, so that enough go on where many end."""
    totals = penalized + torch.tensor([[beam.total] for beam in alive])
    best = totals.flatten().topk(min(2 * num_beams, totals.numel()))
    grown = []
    for total, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        check_number(total)
        parent, id = divmod(place, totals.shape[1])
        ids, probabilities, _ = alive[parent]
        grown.append((Beam([*ids, id], [*probabilities, logs[parent, id].exp().item()], total), parent))
    return grown


def _settled(worst: Beam, best: Beam, length_penalty: float) -> bool:
    return worst.score(length_penalty) >= best.score(length_penalty)


def _widen(cache: Cache, num_beams: int) -> None:
    """A cache of one text becomes that of `num_beams` equal ones; what an encoder read stays there once."""
    memories, cache.memories = cache.memories, []
    cache.reorder(torch.zeros(num_beams, dtype=torch.long, device=cache.real.device))
    cache.memories = [(k.expand(num_beams, -1, -1, -1), v.expand(num_beams, -1, -1, -1)) for k, v in memories]


def _follow(cache: Cache, prompt_length: int, beams: Sequence[Beam], parents: Sequence[int]) -> None:
    """Let row i of the cache go on from the beam `parents[i]`: only from where the two differ is anything copied."""
    moves = [(row, parent) for row, parent in enumerate(parents) if row != parent]
    if not moves:
        return
    rows, sources = map(list, zip(*moves, strict=True))
    empty = Beam([], [], 0.0)
    start = prompt_length + min(
        _common(beams[row] if row < len(beams) else empty, beams[parent]) for row, parent in moves
    )
    for layer in cache.layers:
        for kept in (layer.keys, layer.values):
            kept[rows, :, start : cache.length] = kept[sources, :, start : cache.length]


def _common(first: Beam, second: Beam) -> int:
    """How many tokens two hypotheses have in common at their beginning."""
    return next((n for n, (a, b) in enumerate(zip(first.ids, second.ids, strict=False)) if a != b), len(first.ids))
