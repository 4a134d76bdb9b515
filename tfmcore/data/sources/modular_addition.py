"""a + b modulo 97, the task in which grokking was first seen (https://arxiv.org/abs/2201.02177)."""

from collections.abc import Iterator
from random import Random

from tfmcore.config.data import DataConfig
from tfmcore.data.sources.source import Example

MODULUS = 97


def examples(data: DataConfig) -> Iterator[Example]:
    """Every sum once, in an order of the seed: "12+85=0", where only what follows "=" is to be predicted."""
    sums = [(a, b) for a in range(MODULUS) for b in range(MODULUS)]
    Random(f"modular_addition {data.seed}").shuffle(sums)
    for a, b in sums[: data.max_examples]:
        answer = (a + b) % MODULUS
        if data.task == "translation":
            yield Example(source=f"{a}+{b}", target=f"{answer}")
        else:
            yield Example(text=f"{a}+{b}={answer}", prompt=f"{a}+{b}=")
