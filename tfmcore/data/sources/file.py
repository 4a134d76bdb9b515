"""A user's own file: running text, a table, records, labelled words, questions, or two files whose lines are
translations of each other."""

from collections.abc import Callable, Iterator
from itertools import islice, zip_longest
from pathlib import Path
from typing import TextIO

from tfmcore.config.columns import columns_of
from tfmcore.config.data import DataConfig
from tfmcore.config.problems import UserError
from tfmcore.config.tasks import PAIR_TASKS, TASKS, TEXT_TASKS
from tfmcore.data.progress import Progress, silent
from tfmcore.data.sources import labelled_words, questions
from tfmcore.data.sources.lines import Row, lines_of
from tfmcore.data.sources.opening import open_text, sha256_of
from tfmcore.data.sources.roles import choose_columns, text_of
from tfmcore.data.sources.source import Example, Layout
from tfmcore.data.sources.tables import HEAD_ROWS, read_table

TABLES = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "squad",
    ".conll": "conll", ".bio": "conll", ".iob": "conll", ".iob2": "conll",
}  # fmt: skip
PLAIN = {"token_tagging": "conll"}
"""How a task reads a file whose ending says nothing."""
FINISH: dict[str, Callable[[Example], str]] = {
    "token_tagging": labelled_words.finish,
    "question_answering": questions.finish,
}
"""What completes an example of a task in place, and says what is wrong with it."""
CHUNK = 2**20


def examples(data: DataConfig) -> Iterator[Example]:
    """The examples of the file, in its order; a running text comes in parts of about a million characters, and of it
    no more than so many lines."""
    path = path_of(data.path)
    if kind := table_kind(path, data.task):
        found = _table(data, path, kind)
    elif data.task in TEXT_TASKS and not data.columns.get("prompt"):
        found = _text(path, data.encoding, data.max_examples)
    elif is_parallel(data):
        found = _parallel(path, path_of(data.target_path), data.encoding)
    else:
        needed = "a second file (data.target_path) or a table" if data.task in PAIR_TASKS else "a table"
        needed += " for its prompts" if data.columns.get("prompt") else ""
        endings = {"question_answering": "SQuAD's .json, .csv, .tsv or .jsonl"}.get(data.task, ".csv, .tsv or .jsonl")
        raise UserError(f"{path} is one running text, and {data.task} needs {needed} ({endings})")
    return islice(found, data.max_examples if kind else None)


def layout(data: DataConfig) -> Layout:
    """With prompts, each row of a table is an example; raises UserError."""
    if not table_kind(path_of(data.path), data.task):
        return "text"
    return "examples" if "prompt" in TASKS[data.task].optional_roles and "prompt" in file_roles(data) else "documents"


def size(data: DataConfig) -> int:
    """Bytes of the file; 0 for a .gz, which does not know what it holds."""
    path = path_of(data.path)
    return path.stat().st_size if path.suffix.lower() != ".gz" and path.is_file() else 0


def version(data: DataConfig, progress: Progress = silent) -> str:
    """What is in the files, wherever they are."""
    paths = (data.path, data.target_path if is_parallel(data) else "", data.validation_path)
    return " ".join(sha256_of(path_of(path), progress) for path in paths if path)


def validation(data: DataConfig) -> DataConfig:
    """The same, read from the validation file, whose columns have the same roles; raises UserError."""
    columns = dict.fromkeys(TASKS[data.task].optional_roles, "") | file_roles(data)
    return data.model_copy(
        update={"path": data.validation_path, "validation_path": "", "target_path": "", "columns": columns}
    )


def is_parallel(data: DataConfig) -> bool:
    """Whether line N of a second file translates line N of the first."""
    return data.task in PAIR_TASKS and bool(data.target_path) and not table_kind(path_of(data.path), data.task)


def path_of(path: str) -> Path:
    return Path(path).expanduser()


def table_kind(path: Path, task: str) -> str:
    """csv, tsv, jsonl, conll or squad; "" for a running text. A .gz is what stands before its last dot."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return TABLES.get("".join(suffixes[-1:]), PLAIN.get(task, ""))


def file_roles(data: DataConfig) -> dict[str, str]:
    """Role → column of a table, {} of a file that is none or has no rows; raises UserError."""
    path = path_of(data.path)
    kind = table_kind(path, data.task)
    rows = table(data, path, kind) if kind else iter(())
    head = [row for _, row in islice(rows, HEAD_ROWS)]
    return table_roles(data, head) if head else {}


def table(data: DataConfig, path: Path, kind: str) -> Iterator[tuple[int, Row]]:
    """The numbered rows of a table, read as `data` says."""
    wanted = {column for role, name in data.columns.items() for column in columns_of(role, name, ())}
    return read_table(path, kind, data.header, tuple(wanted - {""}), data.encoding)


def table_roles(data: DataConfig, head: list[Row]) -> dict[str, str]:
    """Role → column of a table, from its first rows; raises UserError."""
    names = dict.fromkeys(name for row in head for name in row)
    columns = {name: [row.get(name, "") for row in head] for name in names}
    return choose_columns(data.task, columns, data.columns, data.path)


def _table(data: DataConfig, path: Path, kind: str) -> Iterator[Example]:
    roles = file_roles(data)
    finish = FINISH.get(data.task)
    for number, row in table(data, path, kind):
        for role, name in roles.items():
            if not any(column in row for column in columns_of(role, name, row)):
                raise UserError(f"{path}, row {number}: the column {name!r} is missing")
        example = Example({role: text_of(role, name, row) for role, name in roles.items()})
        example.row = number
        if "prompt" in example and example["text"].strip():  # else it stays empty, and is left out
            example["text"] = example["prompt"] + data.separator + example["text"]
        if not example.get("label", "-").strip():
            raise UserError(f"{path}, row {number}: the label (column {roles['label']!r}) is empty")
        if finish and (problem := finish(example)):
            raise UserError(f"{path}, row {number}: {problem}")
        yield example


def _text(path: Path, encoding: str, most_lines: int | None) -> Iterator[Example]:
    with open_text(path, encoding) as file:
        while part := _part(file):
            if most_lines is not None:
                *lines, rest = part.split("\n", most_lines)
                part = "".join(f"{line}\n" for line in lines) + (rest if len(lines) < most_lines else "")
                most_lines -= len(lines)
            yield Example(text=part)
            if most_lines == 0:
                return


def _part(file: TextIO) -> str:
    """About a million characters, to the end of a line where lines are no longer than that; line ends are newlines."""
    part = file.read(CHUNK)
    part += file.readline(CHUNK) if part and not part.endswith("\n") else ""
    return part.replace("\r\n", "\n").replace("\r", "\n")


def _parallel(source: Path, target: Path, encoding: str) -> Iterator[Example]:
    with open_text(source, encoding) as source_file, open_text(target, encoding) as target_file:
        pairs = zip_longest(lines_of(source, source_file), lines_of(target, target_file))
        for number, (left, right) in enumerate(pairs, 1):
            if left is None or right is None:
                rest = number + sum(1 for _ in pairs)
                counts = (number - 1, rest) if left is None else (rest, number - 1)
                raise UserError(
                    f"{source} has {counts[0]} lines but {target} has {counts[1]}: line N of one must translate line N "
                    "of the other"
                )
            example = Example(source=left, target=right)
            example.row = number
            yield example
