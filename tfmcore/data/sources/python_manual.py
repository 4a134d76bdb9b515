"""The Python language reference, which ships in every Python."""

import hashlib
from collections.abc import Iterator

from tfmcore.config.data import DataConfig
from tfmcore.data.sources.source import Example

SHORT = 60
"""Paragraphs below this many characters ("See also:") may come again; a longer one that did would leak what is held
out, for some topics contain others."""


def examples(data: DataConfig) -> Iterator[Example]:
    """A topic of the reference after the other, without paragraphs that stood in an earlier one."""
    from pydoc_data.topics import topics

    seen = set[str]()
    for topic in list(topics.values())[: data.max_examples]:
        paragraphs = list[str]()
        for paragraph in topic.strip().split("\n\n"):
            words = " ".join(paragraph.split())
            if len(words) < SHORT or words not in seen:
                paragraphs.append(paragraph)
            seen.add(words)
        if any(len(paragraph) >= SHORT for paragraph in paragraphs):
            yield Example(text="\n\n".join(paragraphs) + "\n")


def version(data: DataConfig) -> str:
    """Another Python may have another text."""
    digest = hashlib.sha256()
    for example in examples(data):
        digest.update(example["text"].encode())
    return digest.hexdigest()
