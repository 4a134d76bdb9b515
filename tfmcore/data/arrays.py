"""Token ids on disk: written once as a stream, then mapped into memory, so that their number costs none."""

import json
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.sources import Example
from tfmcore.data.tasks import Item
from tfmcore.data.tokenizers import Ids, Tokenizer

MARK_TYPE = np.int32
KEPT_EXAMPLES = 2000
"""Texts of so many examples are kept beside their ids, for samples and exact comparisons."""


def id_type(vocab_size: int) -> type[np.uint16] | type[np.uint32]:
    """The smallest type that holds every id."""
    return np.uint16 if vocab_size <= 2**16 else np.uint32


class SplitWriter:
    """Appends running text or items to the files of one split, inside its context. `used` says which ids came."""

    def __init__(self, folder: Path, name: str, tokenizer: Tokenizer) -> None:
        self.folder, self.name, self.tokenizer = folder, name, tokenizer
        self.type = id_type(tokenizer.vocab_size)
        self.files: dict[str, IO[bytes]] = {}
        self.ends: dict[str, array[int]] = {}
        self.numbers = array("q")
        self.num_tokens = self.num_unknown = self.num_kept = 0
        self.used = np.zeros(tokenizer.vocab_size, bool)
        self.kept = self._file("jsonl")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self.files.values():
            file.close()
        if kind is None:
            for name, ends in self.ends.items():
                np.array(ends[1:], np.int64).tofile(self.folder / f"{self.name}.{name}.ends")
            np.array(self.numbers, np.int64).tofile(self.folder / f"{self.name}.numbers")

    def append_text(self, ids: Ids) -> None:
        """More of a running text."""
        self._write("text", ids)

    def append_items(self, items: Sequence[Item]) -> None:
        """Items that all have the same roles."""
        self.numbers.extend(item.number for item in items)
        for role in items[0].ids:
            self._write(role, self._joined(role, [item.ids[role] for item in items]))
        for mark in items[0].marks:
            joined = self._joined(mark, [item.marks[mark] for item in items])
            self._file(f"{mark}.marks").write(joined.astype(MARK_TYPE).tobytes())

    def keep(self, examples: Sequence[Example]) -> None:
        """The texts of the first examples, as they were."""
        for example in examples[: KEPT_EXAMPLES - self.num_kept]:
            raw = example if example.ends else {**example, "ends": False}
            self.kept.write(json.dumps(raw).encode() + b"\n")
            self.num_kept += 1

    def _joined(self, name: str, rows: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """The rows after one another; where each ends is noted."""
        ends = self.ends.setdefault(name, array("q", [0]))
        ends.extend((ends[-1] + np.cumsum([len(row) for row in rows])).tolist())
        return np.concatenate(rows)

    def _file(self, ending: str) -> IO[bytes]:
        if ending not in self.files:
            self.files[ending] = (self.folder / f"{self.name}.{ending}").open("wb")
        return self.files[ending]

    def _write(self, role: str, ids: Ids) -> None:
        self.used[ids] = True
        self.num_tokens += len(ids)
        self.num_unknown += int(np.count_nonzero(ids == self.tokenizer.unk_id))
        self._file(f"{role}.ids").write(ids.astype(self.type).tobytes())


class Stored:
    """The files of one split, mapped: `ids` of each role and `marks` of each name (all examples after one another),
    where each example `ends` in them (nothing, where it is a running text), and the items' `numbers`."""

    def __init__(self, folder: Path, name: str, vocab_size: int) -> None:
        self.folder, self.name = folder, name
        kind = id_type(vocab_size)
        self.ids: Mapping[str, NDArray[Any]] = {
            path.name.split(".")[1]: _mapped(path, kind) for path in sorted(folder.glob(f"{name}.*.ids"))
        }
        self.marks: Mapping[str, NDArray[Any]] = {
            path.name.split(".")[1]: _mapped(path, MARK_TYPE) for path in sorted(folder.glob(f"{name}.*.marks"))
        }
        self.ends = {path.name.split(".")[1]: _mapped(path, np.int64) for path in folder.glob(f"{name}.*.ends")}
        self.numbers = _mapped(folder / f"{name}.numbers", np.int64)

    def item(self, number: int, start: int = 0) -> Item:
        ids = {role: rows[self._place(role, number)] for role, rows in self.ids.items()}
        marks = {mark: rows[self._place(mark, number)] for mark, rows in self.marks.items()}
        return Item(ids, int(self.numbers[number]), marks, start)

    def lengths(self) -> dict[str, NDArray[np.int64]]:
        """Tokens of every example, by role."""
        return {role: np.diff(self.ends[role], prepend=0) for role in self.ids}

    def _place(self, name: str, number: int) -> slice:
        ends = self.ends[name]
        return slice(int(ends[number - 1]) if number else 0, int(ends[number]))

    def examples(self) -> list[Example]:
        """The texts that were kept."""
        with open(self.folder / f"{self.name}.jsonl", encoding="utf-8") as file:
            return [_example(json.loads(line)) for line in file]


def _example(raw: dict[str, Any]) -> Example:
    ends, example = raw.pop("ends", True), Example(raw)
    example.ends = ends
    return example


def _mapped(path: Path, kind: Any) -> NDArray[Any]:
    if path.stat().st_size == 0:
        return np.zeros(0, kind)
    return np.memmap(path, kind, mode="r").view(np.ndarray)  # whose slices cost less
