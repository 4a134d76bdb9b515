"""What a run made of its prompts: by prompt, oldest first, with what is right of it."""

from collections import Counter
from collections.abc import Iterable

from tfmcore.messages import Sampled

RIGHT, WRONG = "✓", "✗"

Prompt = tuple[str, str, int]
"""Its text, what is expected, and which of those that have the same of both."""


def mark_of(sample: Sampled) -> str:
    """Whether the model wrote what is expected; empty where nothing is."""
    if not sample.expected:
        return ""
    return RIGHT if sample.expected.strip() == sample.text.strip() else WRONG


def sample_words(sample: Sampled) -> str:
    """A sample as a block of text: step, prompt, what the model wrote and, where it is another, the right answer."""
    mark = mark_of(sample)
    lines = [
        f"── step {sample.step:,} ──",
        f"▸ {sample.prompt}" if sample.prompt else "",
        f"{mark} {sample.text}".rstrip() if mark else sample.text,
        f"expected: {sample.expected}" if mark == WRONG else "",
    ]
    return "\n".join(line for line in lines if line)


class SamplesByPrompt:
    """`answers` are those to each prompt, oldest first; the prompts in the order in which they first came."""

    def __init__(self) -> None:
        self.answers: dict[Prompt, list[Sampled]] = {}
        self._step = -1
        self._alike = Counter[tuple[str, str]]()

    def add(self, samples: Iterable[Sampled]) -> None:
        for sample in samples:
            if sample.step != self._step:
                self._step = sample.step
                self._alike.clear()
            same = sample.prompt, sample.expected
            self.answers.setdefault((*same, self._alike[same]), []).append(sample)
            self._alike[same] += 1
