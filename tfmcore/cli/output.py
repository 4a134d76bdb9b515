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


def count(number: float) -> str:
    """842 · 12.3 k · 1.2 M · 3.4 G."""
    return _scaled(number, 1000, ("", " k", " M", " G", " T"))


def size(num_bytes: float) -> str:
    """512 B · 12.3 MiB · 1.2 GiB."""
    return _scaled(num_bytes, 1024, (" B", " KiB", " MiB", " GiB", " TiB"))


def duration(seconds: float) -> str:
    """35 ms · 4.2 s · 3 min 20 s · 2 h 5 min."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _scaled(number: float, base: int, units: tuple[str, ...]) -> str:
    """The number in the first unit in which it has at most three digits before the point."""
    power = 0
    while number >= 999.5 and power < len(units) - 1:
        number, power = number / base, power + 1
    return f"{number:.{0 if power == 0 or number >= 99.95 else 1}f}{units[power]}"
