"""How well an answer matches the accepted ones, as SQuAD's own evaluation counts it (https://arxiv.org/abs/1606.05250)."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from string import punctuation

ARTICLES = re.compile(r"\b(a|an|the)\b")
SIGNS = str.maketrans("", "", punctuation)


@dataclass(frozen=True, order=True)
class Match:
    """Whether an answer is the expected one, and the F1 of their words (0 to 1)."""

    f1: float
    exact: bool


def best_match(found: str, accepted: Sequence[str]) -> Match:
    """The best match of an answer ("" for none) with any of the accepted ones; none accepted: only "" is right."""
    return max((match(found, each) for each in accepted), default=match(found, ""))


def match(found: str, expected: str) -> Match:
    """Words in lower case, without punctuation and articles; where one has none, both must have none."""
    left, right = normalized(found).split(), normalized(expected).split()
    shared = sum((Counter(left) & Counter(right)).values())
    f1 = 2 * shared / (len(left) + len(right)) if left and right else float(left == right)
    return Match(f1, left == right)


def normalized(text: str) -> str:
    return " ".join(ARTICLES.sub(" ", text.lower().translate(SIGNS)).split())
