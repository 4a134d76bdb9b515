"""Lines of a text file, and what one may be at most."""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from tfmcore.config.problems import UserError

MAX_FIELD = 131_072
MAX_LINE = 8 * 2**20

Row = dict[str, str]
"""Column → field."""


def lines_of(path: Path, file: TextIO) -> Iterator[str]:
    """The lines without their ends, and without a byte order mark, which stands within a file where one was put behind
    another; raises UserError for one that is absurdly long."""
    return (line.removeprefix("\ufeff").rstrip("\r\n") for line in whole_lines(path, file))


def whole_lines(path: Path, file: TextIO) -> Iterator[str]:
    """The lines with their ends."""
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE:
            raise UserError(f"{path}, row {number}: longer than {MAX_LINE} characters")
        yield line
