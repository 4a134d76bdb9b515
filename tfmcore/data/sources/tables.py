"""Rows of a .csv, .tsv, .jsonl, .conll or SQuAD file, each with its number; a row's fault is said with it."""

import csv
import json
import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from tfmcore.config.problems import UserError
from tfmcore.data.sources import labelled_words, questions
from tfmcore.data.sources.lines import MAX_FIELD, Row, lines_of, whole_lines
from tfmcore.data.sources.opening import UTF_8, open_text
from tfmcore.data.sources.roles import is_header

HEAD_ROWS = 1000
"""Rows that are looked at to find out what the columns are."""
WHITE = re.compile(r"\s")


def read_table(
    path: Path, kind: str, header: str, wanted: tuple[str, ...] = (), encoding: str = UTF_8
) -> Iterator[tuple[int, Row]]:
    """Row number (the first line that is not empty is row 1) and its fields by column name.

    `kind` is csv, tsv, jsonl, conll or squad; `header` auto, yes or no: without one the columns are called "1", "2", …;
    `wanted` columns, where given, must be in a header that is found. Raises UserError.
    """
    with open_text(path, encoding) as file:
        if kind in READERS:
            yield from READERS[kind](path, file)
            return
        rows = _fields(path, file, kind)
        head = list(islice(rows, HEAD_ROWS))
        if not head:
            return
        named = header == "yes" or (header == "auto" and is_header([fields for _, fields in head], wanted))
        names = head[0][1] if named else [str(n + 1) for n in range(len(head[0][1]))]
        if len(set(names)) < len(names):
            raise UserError(f"{path}, row 1: two columns have the same name; rename one, or set data.header to no")
        for number, fields in chain(head[named:], rows):
            if len(fields) != len(names):
                advice = "; is a quotation mark left open above it?" if kind == "csv" else ""
                raise UserError(f"{path}, row {number}: {len(fields)} columns, but row 1 has {len(names)}{advice}")
            yield number, dict(zip(names, fields, strict=True))


def _fields(path: Path, file: TextIO, kind: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not empty, with its number."""
    if kind == "csv":
        rows: Iterator[list[str]] = csv.reader(whole_lines(path, file))
    else:
        rows = (line.split("\t") if line else [] for line in lines_of(path, file))
    number = 0
    while True:
        try:
            fields = next(rows, None)
        except csv.Error as error:
            raise UserError(f"{path}, row {number + 1}: {error}; is a quotation mark left open?") from None
        if fields is None:
            return
        if not fields:
            continue
        number += 1
        if max(map(len, fields)) > MAX_FIELD:
            raise UserError(f"{path}, row {number}: a field is longer than {MAX_FIELD} characters")
        yield number, fields


def _records(path: Path, file: TextIO) -> Iterator[tuple[int, Row]]:
    number = 0
    for line in lines_of(path, file):
        if not line.strip():
            continue
        number += 1
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}, row {number}: not JSON: {str(error)[:100] or 'nested too deeply'}") from None
        if not isinstance(record, dict):
            raise UserError(f'{path}, row {number}: a JSON object is needed, such as {{"text": "…"}}')
        row = {str(name): _as_text(value) for name, value in record.items()}
        if max(map(len, row.values()), default=0) > MAX_FIELD:
            raise UserError(f"{path}, row {number}: a field is longer than {MAX_FIELD} characters")
        yield number, row


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(word, str) and word and not WHITE.search(word) for word in value):
        return " ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


READERS = {"jsonl": _records, "conll": labelled_words.read, "squad": questions.read}
