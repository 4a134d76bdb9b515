"""Making a dataset: read the data, train the tokenizer, store the tokens; all as streams, and all or nothing."""

import hashlib
import json
import os
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from tfmcore.config.columns import PLUS
from tfmcore.config.data import DataConfig
from tfmcore.config.problems import UserError
from tfmcore.config.sources import SOURCES as SOURCE_FACTS
from tfmcore.config.tasks import TASKS as TASK_FACTS
from tfmcore.config.tasks import TEXT_TASKS
from tfmcore.config.tokenizer import TokenizerConfig
from tfmcore.data.arrays import SplitWriter
from tfmcore.data.holding_out import Hashes
from tfmcore.data.progress import Progress
from tfmcore.data.sources import SOURCES, Example, Layout, file
from tfmcore.data.sources.opening import sha256_of
from tfmcore.data.tasks import TASKS
from tfmcore.data.tokenizer_training import train_tokenizer
from tfmcore.data.tokenizers import ROLES, Tokenizer, read_roles
from tfmcore.patience import patiently

VERSION = 6
"""Goes into every fingerprint: another one makes all datasets anew."""
TRAIN, VALIDATION = "training", "validation"
TOKENIZER_CHARACTERS = 32_000_000
"""Pieces of words are learned from so much text, taken evenly from all of it."""
BATCH_CHARACTERS = 2**20
PROGRESS_CHARACTERS = 2**18
MANY_LABELS = 1000
SEPARATOR = "say which column has them (data.columns), or empty data.separator"
DAY = 86_400


def fingerprint(data: DataConfig, tokenizer: TokenizerConfig, progress: Progress, *more: str) -> str:
    """Equal for equal data and tokenizer, wherever the files lie; raises UserError for files that cannot be read."""
    places = {"path", "target_path", "validation_path"}
    fields = {"source", "task", "validation_fraction", "seed", *SOURCE_FACTS[data.source].options} - places
    fields |= set(TASKS[data.task].stored)
    facts: dict[str, Any] = {name: getattr(data, name) for name in sorted(fields)}
    facts |= {f"{name} learned": True for name in TASKS[data.task].stored if facts[name]}  # as tokenizers learn from it
    if data.source == "file":
        facts["kinds"] = [file.table_kind(file.path_of(path), data.task) for path in (data.path, data.validation_path)]
        facts["version"] = file.version(data, progress)
        if file.layout(data) == "examples":  # running text before prompts were told by the columns' names
            facts["layout"] = "examples"
            prompt = file.file_roles(data)["prompt"]
            if data.separator or PLUS in prompt:
                facts["prompts"] = [prompt, data.separator]
    else:
        facts["version"] = SOURCES[data.source].version(data)
    facts["tokenizer"] = tokenizer.model_dump(exclude={"path"})
    if tokenizer.kind == "file":
        path = file.path_of(tokenizer.path)
        facts["tokenizer_file"] = sha256_of(path, progress)
        if roles := read_roles(path.with_name(ROLES)):
            facts["special_tokens"] = roles
    text = json.dumps([VERSION, facts, more], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def is_whole(folder: Path) -> bool:
    """Whether a dataset lies there, every file of its full size."""
    try:
        sizes = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["sizes"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError):
        return False


class Preparation:
    """Reads the data two or three times: to know it, to train the tokenizer (which has the `extra` special tokens too),
    to store its tokens.

    With a `tokenizer` (and its `labels`) given, nothing is trained and all of the data is for validation.
    """

    def __init__(
        self,
        data: DataConfig,
        config: TokenizerConfig,
        progress: Progress,
        tokenizer: Tokenizer | None = None,
        labels: Sequence[str] = (),
        extra: Sequence[str] = (),
    ) -> None:
        self.data, self.config, self.progress, self.tokenizer = data, config, progress, tokenizer
        self.labels = {label: number for number, label in enumerate(labels)}
        self.source, self.task, self.extra = SOURCES[data.source], TASKS[data.task](data), extra
        self.layout: Layout = self.source.layout(data) if data.task in TEXT_TASKS else "examples"
        self.hashes = Hashes(data.seed, self.task.apart)
        self.held_out: Collection[int] = ()
        self.num_characters = self.num_empty = self.cut = 0
        self._made: list[Example] | None = None

    def write(self, folder: Path) -> None:
        """Make the dataset beside `folder` and move it there; raises UserError, and what `progress` raises."""
        staging = folder.parent / f".{folder.name[:16]}-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            staging.mkdir(parents=True)
            _sweep(folder.parent)
            self._fill(staging)
            if folder.exists() and not is_whole(folder):
                shutil.rmtree(folder)
            try:
                patiently(lambda: staging.rename(folder))
            except OSError:
                if not is_whole(folder):  # else somebody else has made the same one meanwhile
                    raise
        except OSError as error:
            raise UserError(f"the dataset cannot be stored in {folder.parent}: {error.strerror or error}") from None
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _fill(self, folder: Path) -> None:
        self._read()
        tokenizer = self.tokenizer or train_tokenizer(self.config, self._training_texts(), self.extra)
        tokenizer.save(folder / "tokenizer.json")
        with ExitStack() as stack:
            names = (VALIDATION,) if self.tokenizer else (TRAIN, VALIDATION)
            writers = {name: SplitWriter(folder, name, tokenizer) for name in names}
            for writer in writers.values():
                stack.enter_context(writer)
            self._tokenise(writers, tokenizer)
        for name, writer in writers.items():
            if not writer.num_tokens:
                raise UserError(f"no examples of {self._name} are left for {name}: more data is needed")
        facts = {
            "labels": list(self.labels),
            "warnings": list(self._warnings(writers.values())),
            "sizes": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
        }
        (folder / "dataset.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")

    def _read(self) -> None:
        """The first pass: how much there is, which labels, and what to hold out."""
        labels = Counter[str]()
        if self.data.source != "file":
            self._made = list(self._told(self.source.examples(self.data), "reading", 0))
        for example in self._told(self._examples(), "reading", self.source.size(self.data)):
            size = _size(example)
            self.num_characters += size
            labels.update(self.task.labels_of(example))
            if self.layout != "text" and not self._all_held_out:
                self.hashes.add(example, size if self.layout == "documents" else 1)
        if not self.num_characters:
            raise UserError(f"{self._name} contains no examples")
        if self.data.separator and self.layout != "examples" and not self._all_held_out:
            raise UserError(f"{self._name} has no prompts: {SEPARATOR}")
        if labels and not self.labels:
            self.labels = self._checked(labels)
        self._hold_out()

    def _checked(self, labels: Counter[str]) -> dict[str, int]:
        if len(labels) < 2:
            raise UserError(f"{self._name} has only one label, {next(iter(labels))!r}: there is nothing to tell apart")
        if len(labels) > MANY_LABELS:
            raise UserError(f"{self._name} has {len(labels)} labels, more than {MANY_LABELS}: is it the right column?")
        return {label: number for number, label in enumerate(sorted(labels))}

    def _hold_out(self) -> None:
        if self._all_held_out:
            self.cut = 0
        elif self.data.validation_path:
            self.cut = self.num_characters
        elif self.layout == "text":
            self.cut = self.num_characters - round(self.num_characters * self.data.validation_fraction)
        else:
            self.held_out = self.hashes.held_out(self.data.validation_fraction)

    def _training_texts(self) -> Iterator[str]:
        """What a tokenizer learns from: all of the training part for characters, an even share of it for pieces."""
        if self.config.kind in ("byte", "file"):
            return
        step = 1 if self.config.kind == "char" else -(-self.num_characters // TOKENIZER_CHARACTERS)
        for number, (part, example) in enumerate(self._assigned("training the tokenizer")):
            if part == TRAIN and number % step == 0:
                read = self.task.as_read(example)
                yield from (read[role] for role in self.task.roles if role in read)
        self.progress("training the tokenizer", self.num_characters, self.num_characters)

    def _tokenise(self, writers: Mapping[str, SplitWriter], tokenizer: Tokenizer) -> None:
        waiting: dict[str, list[Example]] = {name: [] for name in writers}
        sizes = Counter[str]()
        for part, example in self._assigned("tokenising"):
            waiting[part].append(example)
            sizes[part] += _size(example)
            if sizes[part] >= BATCH_CHARACTERS:
                self._store(waiting[part], writers[part], tokenizer)
                waiting[part], sizes[part] = [], 0
        for part, examples in waiting.items():
            self._store(examples, writers[part], tokenizer)

    def _store(self, examples: list[Example], writer: SplitWriter, tokenizer: Tokenizer) -> None:
        if not examples:
            return
        if self.layout == "examples":
            self._check_labels(examples)
            writer.append_items(self.task.items(examples, tokenizer, self.labels))
            writer.keep(examples)
        for example in examples if self.layout != "examples" else ():
            writer.append_text(tokenizer.encode_stream(example["text"]))
            if self.layout == "documents":
                writer.append_text(np.array([tokenizer.eos_id], np.uint32))

    def _check_labels(self, examples: list[Example]) -> None:
        for example in examples if self.labels else ():
            if unknown := next((label for label in self.task.labels_of(example) if label not in self.labels), None):
                where = f"{self.data.validation_path or self._name}, row {example.row}"
                raise UserError(f"{where}: the label {unknown!r} is none of {', '.join(self.labels)[:200]}")

    def _assigned(self, phase: str) -> Iterator[tuple[str, Example]]:
        """Every example with the part it belongs to; the piece of running text that spans both parts comes in two."""
        position = 0
        for example in self._told(self._examples(), phase, self.num_characters):
            if self.layout != "text":
                held_out = self._all_held_out or self.hashes.of(example) in self.held_out
                yield VALIDATION if held_out else TRAIN, example
                continue
            left = max(0, self.cut - position)
            position += len(example["text"])
            for part, text in ((TRAIN, example["text"][:left]), (VALIDATION, example["text"][left:])):
                if text:
                    yield part, Example(text=text)
        if self.data.validation_path and not self._all_held_out:
            yield from ((VALIDATION, example) for example in self._whole(file.validation(self.data)))

    def _examples(self) -> Iterator[Example]:
        return iter(self._made) if self._made is not None else self._whole(self.data)

    def _whole(self, data: DataConfig) -> Iterator[Example]:
        """The examples of a file without those that lack a text, which are counted."""
        self.num_empty = 0
        for example in self.source.examples(data):
            if self.layout == "text" or all(example[role].strip() for role in TASK_FACTS[data.task].roles):
                yield example
            else:
                self.num_empty += 1

    def _told(self, examples: Iterable[Example], phase: str, total: int) -> Iterator[Example]:
        """The same examples, with progress in characters now and then."""
        done, told = 0, 0
        self.progress(phase, 0, total)
        for example in examples:
            yield example
            done += _size(example)
            if done - told >= PROGRESS_CHARACTERS:
                self.progress(phase, told := done, max(done, total) if total else 0)

    def _warnings(self, writers: Collection[SplitWriter]) -> Iterator[str]:
        if self.num_empty:
            yield f"examples skipped because one of their texts is empty: {self.num_empty}"
        if unknown := sum(writer.num_unknown for writer in writers):
            share = unknown / sum(writer.num_tokens for writer in writers)
            if share > 0.001:
                remedy = "" if self._all_held_out else ": increase tokenizer.vocab_size"
                yield f"{share:.1%} of the tokens are unknown to the tokenizer{remedy}"
        if np.count_nonzero(np.any([writer.used for writer in writers], axis=0)) <= 1:
            yield "the data has only one token: there is nothing to predict, and the loss will always be 0"

    @property
    def _all_held_out(self) -> bool:
        return self.tokenizer is not None

    @property
    def _name(self) -> str:
        return self.data.path if self.data.source == "file" else f"the source {self.data.source}"


def _size(example: Example) -> int:
    return sum(map(len, example.values()))


def _sweep(folder: Path) -> None:
    """Remove what preparations that were killed have left."""
    for path in folder.glob(".*-*-*"):
        with suppress(FileNotFoundError):  # one that lives has just moved it to its place
            if path.stat().st_mtime < time.time() - DAY:
                shutil.rmtree(path, ignore_errors=True)
