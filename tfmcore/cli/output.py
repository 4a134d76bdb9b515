"""What verbs print: JSON for machines, tables and plain words for people."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table


def print_json(value: Any) -> None:
    """One line of JSON on stdout; NaN and infinity become null."""
    plain = value.model_dump() if isinstance(value, BaseModel) else value  # messages keep NaN, which JSON lacks
    sys.stdout.write(to_json(plain, inf_nan_mode="null").decode() + "\n")
    sys.stdout.flush()


def print_line(line: str = "") -> None:
    """One line on stdout, now."""
    print(line, flush=True)


def note(line: str) -> None:
    """One line on stderr: news for a person, not a result."""
    print(line, file=sys.stderr, flush=True)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> None:
    """A table on stdout, as wide as the terminal, or 200 columns; the columns `right` hold numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, heading in enumerate(headings):
        number = index in set(right)
        table.add_column(heading, justify="right" if number else "left", no_wrap=number or index == 0)
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False, markup=False, emoji=False).print(table)
