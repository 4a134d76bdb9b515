"""What a source holds, at a glance: only its beginning is read, so a file of any size is shown at once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from tfmcore.config.data import DataConfig
from tfmcore.config.problems import UserError
from tfmcore.config.sources import SOURCES as SOURCE_FACTS
from tfmcore.config.tasks import TEXT_TASKS
from tfmcore.data.preparation import SEPARATOR
from tfmcore.data.sources import SOURCES, Example, file
from tfmcore.data.sources.lines import Row, lines_of
from tfmcore.data.sources.opening import open_text
from tfmcore.data.sources.roles import text_of
from tfmcore.data.sources.source import num_examples
from tfmcore.data.sources.tables import HEAD_ROWS
from tfmcore.data.tasks import TASKS
from tfmcore.data.tokenizers import Tokenizer

SHOWN_CHARACTERS = 500


@dataclass
class Preview:
    """`rows` are fields by `columns`; `roles` say which column is what; `num_examples` is None where counting would
    take long. `lengths` are those of the first examples, in characters, or in tokens where there is a tokenizer.
    `problems` are sentences for the user, `fix` the options that mend the first."""

    columns: list[str] = field(default_factory=list)
    roles: dict[str, str] = field(default_factory=dict)
    rows: list[list[str]] = field(default_factory=list)
    num_examples: int | None = None
    lengths: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    fix: dict[str, str] = field(default_factory=dict)


def preview(data: DataConfig, tokenizer: Tokenizer | None = None, rows: int = 50) -> Preview:
    """The first `rows` examples of a source, and what is known of all. Never raises UserError: see `problems`."""
    shown, head = Preview(), list[Row]()
    try:
        for row in islice(_head(data), HEAD_ROWS):
            head.append(row)
    except UserError as error:
        shown.problems.append(str(error))
        shown.fix = error.fix
    shown.columns = list(dict.fromkeys(name for row in head for name in row))
    shown.rows = [[row.get(name, "")[:SHOWN_CHARACTERS] for name in shown.columns] for row in head[:rows]]
    try:
        shown.roles = _roles(data, head)
    except UserError as error:
        shown.problems.append(str(error))
    read = [column for role, column in shown.roles.items() if role in TASKS[data.task].roles]
    given = shown.roles.get("prompt", "")
    if data.separator and not given and head:
        shown.problems.append(f"there are no prompts: {SEPARATOR}")
    before = [text_of("prompt", given, row) + data.separator if given else "" for row in head]
    texts = [[prompt + row.get(column, "") for column in read] for prompt, row in zip(before, head, strict=True)]
    shown.lengths = [max((_length(text, tokenizer) for text in group), default=0) for group in texts]
    if len(head) < HEAD_ROWS and not shown.problems:
        shown.num_examples = len(head)
        shown.problems += [] if head else ["there are no examples"]
    elif not shown.problems:
        shown.problems.append(_about(data, head))
    return shown


def _head(data: DataConfig) -> Iterator[Row]:
    """The rows as they stand in the file: all columns of a table, the lines of a text."""
    path = file.path_of(data.path)
    if data.source != "file":
        few = min(num_examples(data), 2 * HEAD_ROWS)
        yield from SOURCES[data.source].examples(data.model_copy(update={"max_examples": few}))
    elif file.is_parallel(data):
        yield from SOURCES["file"].examples(data)
    elif kind := file.table_kind(path, data.task):
        yield from (row for _, row in file.table(data, path, kind))
    else:
        with open_text(path, data.encoding) as text:
            yield from (Example(text=line) for line in lines_of(path, text))


def _roles(data: DataConfig, head: list[Row]) -> dict[str, str]:
    """Role → column; raises UserError where a role finds none."""
    if not head:
        return {}
    if data.source == "file" and file.table_kind(file.path_of(data.path), data.task):
        return file.table_roles(data, head)
    if data.source == "file" and not file.is_parallel(data) and data.task not in TEXT_TASKS:
        next(SOURCES["file"].examples(data))  # raises: a running text has no such roles
    return {role: role for role in head[0] if role != "prompt"}


def _length(text: str, tokenizer: Tokenizer | None) -> int:
    return len(tokenizer.encode_arrays([text])[0]) if tokenizer else len(text)


def _about(data: DataConfig, head: list[Row]) -> str:
    """Says that only the beginning was read, and how much there may be in all."""
    if data.source != "file":
        return f"{SOURCE_FACTS[data.source].title}: up to {num_examples(data):,} examples are generated, these first"
    size = SOURCES["file"].size(data)
    read = sum(len(text.encode()) + 1 for row in head for text in row.values())
    whole = f", of about {len(head) * size // read:,}" if size else ""
    return f"only the first {len(head):,} rows were read{whole}"
