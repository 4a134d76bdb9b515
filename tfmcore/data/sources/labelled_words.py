"""Labelled words: CoNLL files (a word a line, its label last, a blank line between sentences), all schemes as BIO."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from tfmcore.config.problems import UserError
from tfmcore.data.entities import entities
from tfmcore.data.sources.lines import MAX_FIELD, Row, lines_of
from tfmcore.data.sources.source import Example

COMMENT = re.compile(r"#\s?\w+\s?=")


def read(path: Path, file: TextIO) -> Iterator[tuple[int, Row]]:
    """Each sentence as `text` and `labels`, both separated by one space, with the line it begins at."""
    words, labels, first, width = list[str](), list[str](), 0, 0
    for number, line in enumerate(lines_of(path, file), 1):
        if not line.strip() or line.startswith("-DOCSTART-"):
            if words:
                yield first, _sentence(path, first, words, labels)
                words, labels = [], []
            continue
        if not words and COMMENT.match(line):
            continue
        cells = line.split("\t") if "\t" in line else line.split()
        width = width or len(cells)
        if len(cells) < 2 or len(cells) != width:
            needed = f"a word and its label, {max(2, width)} columns in all, are needed"
            raise UserError(f"{path}, line {number}: {needed}, not {len(cells)}")
        if not (word := "\u00a0".join(cells[0].split())) or not (label := cells[-1].strip()) or " " in label:
            raise UserError(f"{path}, line {number}: the word or its label is empty")
        first = first if words else number
        words.append(word)
        labels.append(label)
    if words:
        yield first, _sentence(path, first, words, labels)


def _sentence(path: Path, number: int, words: list[str], labels: list[str]) -> Row:
    row = {"text": " ".join(words), "labels": " ".join(labels)}
    if max(map(len, row.values())) > MAX_FIELD:
        raise UserError(f"{path}, line {number}: a sentence is longer than {MAX_FIELD} characters")
    return row


def finish(example: Example) -> str:
    """Bring the labels to BIO and the spaces to one each; says what is wrong if words and labels do not match."""
    words, labels = example["text"].split(), example["labels"].split()
    if len(words) != len(labels):
        return f"{len(words)} words, but {len(labels)} labels"
    example["text"], example["labels"] = " ".join(words), " ".join(in_bio(labels))
    return ""


def in_bio(labels: list[str]) -> list[str]:
    """Labels in BIO, whatever scheme they were in (BIO, IOB, IOBES, BILOU); labels of no scheme stay as they are."""
    made = list(labels)
    for start, end, name in entities(labels):
        if labels[start] != name:
            made[start:end] = [f"B-{name}", *[f"I-{name}"] * (end - start - 1)]
    return made
