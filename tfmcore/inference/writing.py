"""How a model writes, whatever it writes: greedily, by drawing or by beams, up to an end token or a stop."""

import math
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tfmcore.data.tokenizers import Tokenizer
from tfmcore.inference.beams import Beam, search_beams
from tfmcore.inference.decoding import Step, write_on
from tfmcore.inference.pieces import BEFORE, continued
from tfmcore.inference.reading import Source, Writer
from tfmcore.inference.sampling import Sampling, within

Reason = Literal["length", "end", "stop"]
SMALLEST = 1e-300
"""In place of a probability that is too small for a number."""


@dataclass(frozen=True)
class Manner:
    """`beams` 2 and more search the best instead of drawing; scores are summed log-probabilities ÷
    length ** length_penalty; a text ends before any of the texts `stop`."""

    max_new_tokens: int = 200
    sampling: Sampling = field(default_factory=Sampling)
    beams: int = 1
    length_penalty: float = 1.0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises UserError for what nothing can be written by."""
        within("max_new_tokens", self.max_new_tokens, 1)
        within("beams", self.beams, 1)
        within("length_penalty", self.length_penalty, 0)


@dataclass(frozen=True)
class Hypothesis:
    """Tokens without the one that ends them, the probability of each, and why there are no more."""

    ids: list[int]
    probabilities: list[float]
    score: float
    reason: Reason


class Ending:
    """Whether a text is done, by its tokens so far: the last is one of `end_ids`, or one of `stop` stands near it. The
    tokens `before` it decide whether it begins with a space."""

    def __init__(
        self, tokenizer: Tokenizer, end_ids: Collection[int], stop: Sequence[str] = (), before: Sequence[int] = ()
    ) -> None:
        self.tokenizer, self.end_ids, self.stop = tokenizer, end_ids, [word for word in stop if word]
        self._before = before[-BEFORE:]
        self._reach = 4 * max(map(len, self.stop), default=0) + BEFORE  # a letter has at most four tokens

    def reason(self, ids: Sequence[int]) -> Reason | None:
        if ids[-1] in self.end_ids:
            return "end"
        if not self.stop:
            return None
        near = [*self._before, *ids[: -self._reach]]
        newest = continued(self.tokenizer, near, ids[-self._reach :])
        return "stop" if any(word in newest for word in self.stop) else None

    def __call__(self, ids: Sequence[int]) -> bool:
        return self.reason(ids) is not None

    def cut(self, text: str) -> str:
        """The text before the first stop in it."""
        return text[: min((at for word in self.stop if (at := text.find(word)) >= 0), default=len(text))]

    def hypothesis(self, beam: Beam, length_penalty: float) -> Hypothesis:
        reason = self.reason(beam.ids) or "length"
        length = len(beam.ids) - (reason == "end")
        return Hypothesis(beam.ids[:length], beam.probabilities[:length], beam.score(length_penalty), reason)


def write_ids(
    model: Writer,
    prompt: Sequence[int],
    manner: Manner,
    ending: Ending,
    source: Source | None = None,
    num_alternatives: int = 0,
) -> Generator[Step | None, None, list[Hypothesis]]:
    """Yields each token but one that ends the text (with several beams: None for each token searched); returns the
    hypotheses, best first: one, or as many as there are beams. Raises UserError for damaged weights."""
    sampling = manner.sampling
    if manner.beams > 1:
        beams = yield from search_beams(
            model,
            prompt,
            num_beams=manner.beams,
            max_new_tokens=manner.max_new_tokens,
            ends=ending,
            length_penalty=manner.length_penalty,
            repetition_penalty=sampling.repetition_penalty,
            source=source,
        )
        return [ending.hypothesis(beam, manner.length_penalty) for beam in beams]
    ids, probabilities = list[int](), list[float]()
    steps = write_on(
        model,
        prompt,
        max_new_tokens=manner.max_new_tokens,
        sampling=sampling,
        num_alternatives=num_alternatives,
        source=source,
    )
    for step in steps:
        ids.append(step.id)
        probabilities.append(step.probability)
        reason = ending.reason(ids)
        if reason != "end":
            yield step
        if reason:
            break
    total = sum(math.log(max(probability, SMALLEST)) for probability in probabilities)
    return [ending.hypothesis(Beam(ids, probabilities, total), manner.length_penalty)]
