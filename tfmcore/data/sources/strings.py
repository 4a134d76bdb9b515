"""Ground-truth tasks on random strings: the right answer is known, so what a head does can be judged."""

from collections.abc import Callable, Iterator
from random import Random
from string import ascii_lowercase

from tfmcore.config.data import DataConfig
from tfmcore.data.sources.source import Example, distinct, num_examples

PAIRS = {"(": ")", "[": "]"}


def transformed(name: str, change: Callable[[str], str]) -> Callable[[DataConfig], Iterator[Example]]:
    """Examples of translating a random string of letters into `change` of it."""

    def examples(data: DataConfig) -> Iterator[Example]:
        return distinct(
            (Example(source=text, target=change(text)) for text in _strings(name, data)), num_examples(data)
        )

    return examples


copy = transformed("copy", lambda text: text)
reverse = transformed("reverse", lambda text: text[::-1])
sort = transformed("sort", lambda text: "".join(sorted(text)))


def _strings(name: str, data: DataConfig) -> Iterator[str]:
    random = Random(f"{name} {data.seed}")
    while True:
        yield "".join(random.choices(ascii_lowercase, k=random.randint(data.min_length, data.max_length)))


def brackets(data: DataConfig) -> Iterator[Example]:
    """Balanced strings, and as many that one changed bracket has put off balance; their lengths are even."""
    return distinct(_brackets(Random(f"brackets {data.seed}"), data), num_examples(data))


def _brackets(random: Random, data: DataConfig) -> Iterator[Example]:
    shortest, longest = (data.min_length + 1) // 2, max(1, data.max_length // 2)
    while True:
        text = _balanced(random, random.randint(min(shortest, longest), longest))
        yield Example(text=text, label="balanced")
        changed = list(_balanced(random, len(text) // 2))
        while is_balanced("".join(changed)):
            changed[random.randrange(len(changed))] = random.choice("()[]")
        yield Example(text="".join(changed), label="not balanced")


def _balanced(random: Random, num_pairs: int) -> str:
    text, closing = "", list[str]()
    for left in range(2 * num_pairs, 0, -1):
        if closing and (len(closing) == left or random.random() < 0.5):
            text += closing.pop()
        else:
            text += (bracket := random.choice("(["))
            closing.append(PAIRS[bracket])
    return text


def is_balanced(text: str) -> bool:
    """Whether every bracket is closed by its own kind, in order."""
    closing = list[str]()
    for bracket in text:
        if bracket in PAIRS:
            closing.append(PAIRS[bracket])
        elif not closing or closing.pop() != bracket:
            return False
    return not closing
