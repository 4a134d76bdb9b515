"""What a source of data is: a stream of examples, made from the `[data]` section alone."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from tfmcore.config.data import DataConfig

Layout = Literal["text", "documents", "examples"]
"""How texts become sequences in language modelling. text: one running text, of which examples are consecutive parts;
documents: texts of any length, joined by an end token; examples: each is a short sequence of its own."""

NUM_EXAMPLES = 20_000
MOST_EXAMPLES = 1_000_000
REPEATS = 2000


class Example(dict[str, str]):
    """Role → text, and the row of the file it stood in (0: none). In language modelling the role `prompt` is the
    beginning of `text` that is given, not predicted (of an empty one, nothing is), with the separator of `[data]`; a
    text that does not `end` could go on."""

    row: int = 0
    ends: bool = True


@dataclass(frozen=True)
class Source:
    """`examples` are the same, in the same order, whenever `data` and `version` are: what else decides them.

    `size` is roughly how many characters there are, 0 where unknown. All raise UserError.
    """

    examples: Callable[[DataConfig], Iterator[Example]]
    version: Callable[[DataConfig], str] = lambda data: "1"
    layout: Callable[[DataConfig], Layout] = lambda data: "examples"
    size: Callable[[DataConfig], int] = lambda data: 0


def num_examples(data: DataConfig) -> int:
    """How many examples a generated source makes: 20,000 unless the config says otherwise, 1,000,000 at most."""
    return min(data.max_examples or NUM_EXAMPLES, MOST_EXAMPLES)


def distinct(examples: Iterable[Example], count: int) -> Iterator[Example]:
    """The first `count` different ones; fewer where nothing new has come 2,000 times in a row."""
    seen, repeats = set[tuple[str, ...]](), 0
    for example in examples:
        if (key := tuple(example.values())) not in seen:
            seen.add(key)
            repeats = 0
            yield example
            if len(seen) == count:
                return
        elif (repeats := repeats + 1) == REPEATS:
            return
