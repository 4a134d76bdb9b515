"""Replies to those who use a model: what it writes, chooses, fills in, tags and finds."""

from typing import Literal

from pydantic import Field

from tfmcore.messages.message import Message, Reply


class Candidate(Message):
    """A token that could stand here; `text` as it is written (a space stays a space)."""

    id: int
    text: str
    probability: float
    special: bool = False


class Token(Reply):
    """One generated token with the likeliest alternatives (itself among them where it is one of the likeliest)."""

    kind: Literal["token"] = "token"
    index: int
    token: Candidate
    alternatives: list[Candidate] = Field(default_factory=list)
    final: bool = False


class Hypothesis(Message):
    text: str
    score: float
    tokens: list[str]
    probabilities: list[float]


class Generated(Reply):
    """`prompt_tokens` are the prompt's; `hypotheses`, best first, are those of a beam search; `notice` says what was
    cut, if anything."""

    kind: Literal["generated"] = "generated"
    text: str
    prompt_tokens: list[str]
    num_tokens: int
    seconds: float
    reason: Literal["length", "end", "stop"]
    hypotheses: list[Hypothesis] = Field(default_factory=list)
    notice: str = ""


class Classified(Reply):
    kind: Literal["classified"] = "classified"
    labels: list[str]
    probabilities: list[float]
    tokens: list[str]
    notice: str = ""


class Translated(Reply):
    """Best hypothesis first; the array `alignment` (T, S) is the best one's mean cross-attention by layer-mean."""

    kind: Literal["translated"] = "translated"
    hypotheses: list[Hypothesis]
    source_tokens: list[str]
    seconds: float
    notice: str = ""


class Mask(Message):
    position: int
    candidates: list[Candidate]


class Filled(Reply):
    """`text` has the likeliest candidates put in; `masks` are in the order of the text."""

    kind: Literal["filled"] = "filled"
    text: str
    tokens: list[str]
    masks: list[Mask]
    notice: str = ""


class TaggedSpan(Message):
    """Characters from `start` to before `end` of the text; `probability` is its least certain word's."""

    start: int
    end: int
    label: str
    probability: float


class Tagged(Reply):
    """`spans` are in the order of the text; `tokens` the whole text's."""

    kind: Literal["tagged"] = "tagged"
    text: str
    tokens: list[str]
    spans: list[TaggedSpan]
    notice: str = ""


class FoundAnswer(Message):
    """Characters from `start` to before `end` of the context; `score` is its start's and end's logit together,
    `probability` its share among all spans and no answer."""

    text: str
    start: int
    end: int
    score: float
    probability: float


class Answered(Reply):
    """Best answer first; `no_answer` is the probability that the context holds none; a long context was read in
    `num_windows` overlapping windows."""

    kind: Literal["answered"] = "answered"
    answers: list[FoundAnswer]
    no_answer: float
    num_windows: int = 1
    notice: str = ""
