"""Which token comes next: the likeliest one, or one drawn from the likely ones (https://arxiv.org/abs/1904.09751)."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tfmcore.config import UserError


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen: temperature 0 takes the likeliest; top_k 0, top_p 1, min_p 0 and
    repetition_penalty 1 change nothing; seed None: any."""

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        """Raises UserError for what no token can be chosen by."""
        within("temperature", self.temperature, 0)
        within("top_k", self.top_k, 0)
        within("top_p", self.top_p, 0, 1, open_below=True)
        within("min_p", self.min_p, 0, 1)
        within("repetition_penalty", self.repetition_penalty, 0, open_below=True)

    def generator(self) -> torch.Generator:
        """A state of its own, so that samples drawn while training change nothing in it."""
        generator = torch.Generator()
        generator.seed() if self.seed is None else generator.manual_seed(self.seed)
        return generator


def within(name: str, value: float, least: float, most: float = math.inf, *, open_below: bool = False) -> None:
    """Raise UserError where a value is less than `least` (or `open_below`: that itself), more than `most`, or NaN."""
    if not least <= value <= most or (open_below and value == least):
        above, below = "more than" if open_below else "at least", f" and at most {most}" if most < math.inf else ""
        raise UserError(f"{name} must be {above} {least}{below}, not {value}")


GREEDY = Sampling(temperature=0.0)


def choose(logits: Tensor, seen: Sequence[Iterable[int]], sampling: Sampling, generator: torch.Generator) -> list[int]:
    """The next token of each text, from logits (B, V) on the CPU and the tokens that each text has so far."""
    logits = penalize(logits, seen, sampling.repetition_penalty)
    chosen = logits.argmax(-1) if sampling.temperature == 0 else draw(logits, sampling, generator)
    ids: list[int] = chosen.tolist()
    return ids


def penalize(scores: Tensor, seen: Sequence[Iterable[int]], penalty: float) -> Tensor:
    """Scores (B, V) in which those of the tokens seen are divided by `penalty` where they are positive, multiplied by
    it where they are negative (https://arxiv.org/abs/1909.05858, section 4.1)."""
    if penalty == 1:
        return scores
    scores = scores.clone()
    for row, ids in zip(scores, seen, strict=True):
        places = torch.tensor(sorted(set(ids)), dtype=torch.long)
        row[places] = torch.where(row[places] < 0, row[places] * penalty, row[places] / penalty)
    return scores


def draw(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """A token (B,) from each softmax of logits (B, V) ÷ temperature, cut to the top_k likeliest, then to the fewest
    tokens whose probabilities sum to top_p, then to those with min_p of the likeliest one's probability."""
    logits = (logits - logits.amax(-1, keepdim=True)) / max(sampling.temperature, 1e-6)
    if 0 < sampling.top_k < logits.shape[-1]:
        logits = logits.masked_fill(logits < logits.topk(sampling.top_k).values[:, -1:], -torch.inf)
    probabilities = logits.softmax(-1)
    if sampling.top_p < 1:
        ordered, order = probabilities.sort(-1, descending=True)
        beyond = ordered.cumsum(-1) - ordered >= sampling.top_p
        probabilities = torch.zeros_like(ordered).scatter(-1, order, ordered.masked_fill(beyond, 0.0))
    if sampling.min_p > 0:
        unlikely = probabilities < sampling.min_p * probabilities.amax(-1, keepdim=True)
        probabilities = probabilities.masked_fill(unlikely, 0.0)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]
