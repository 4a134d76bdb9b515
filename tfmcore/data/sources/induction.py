"""Random symbols that come again and again: whoever finds where A stood before knows what follows it now.

The repeated random sequences of "In-context Learning and Induction Heads", https://arxiv.org/abs/2209.11895.
"""

from collections.abc import Iterator
from itertools import cycle, islice
from random import Random
from string import ascii_lowercase

from tfmcore.config.data import DataConfig
from tfmcore.data.sources.source import Example, distinct, num_examples

TIMES = 4
"""The longest patterns come so many times, shorter ones more often: every text has the same length."""


def examples(data: DataConfig) -> Iterator[Example]:
    """ "k d x k d x k d …": letters that differ (while the alphabet suffices), again and again. The first time, and
    the letter after it, are given, for nobody could know them; the text could go on, so no end is predicted."""
    return distinct(_repeated(Random(f"induction {data.seed}"), data), num_examples(data))


def _repeated(random: Random, data: DataConfig) -> Iterator[Example]:
    shortest = max(2, data.min_length)
    longest = max(shortest, data.max_length)
    while True:
        length = random.randint(shortest, longest)
        enough = length <= len(ascii_lowercase)
        symbols = random.sample(ascii_lowercase, length) if enough else random.choices(ascii_lowercase, k=length)
        text = islice(cycle(symbols), TIMES * longest)
        example = Example(text=" ".join(text), prompt=" ".join([*symbols, symbols[0]]))
        example.ends = False
        yield example
