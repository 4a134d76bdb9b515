"""A model folder opened for use: the model, its tokenizer, and what its config.json says."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from tfmcore.config import TASKS as FACTS
from tfmcore.config import SavedModel, UserError
from tfmcore.data.tasks import TASKS, Inputs, Task
from tfmcore.data.tokenizers import Tokenizer
from tfmcore.inference.pieces import check_ids
from tfmcore.inference.quantization import effect, prepared, writes
from tfmcore.messages import WritingPrecision
from tfmcore.models import Model, load_model
from tfmcore.runs import find_model
from tfmcore.workspace import find_workspace

UNLIMITED = 2**31


@dataclass(frozen=True)
class Encoded:
    """A text as the model reads it: each of the model's `arguments` with its row, and the places of special tokens.
    `notice` says what was cut off, if anything."""

    arguments: dict[str, list[int]]
    tokens: list[str]
    special: list[int]
    notice: str = ""

    @property
    def ids(self) -> list[int]:
        return self.arguments["input_ids"]

    def inputs(self, device: torch.device) -> dict[str, Tensor]:
        """A batch of one."""
        return {name: torch.tensor([row], device=device) for name, row in self.arguments.items()}


@dataclass(frozen=True)
class OpenedModel:
    """`folder` is the model folder itself, a checkpoint where a run was opened. `notice` says what became of the logits
    in another precision than fp32."""

    model: Model
    tokenizer: Tokenizer
    saved: SavedModel
    folder: Path
    notice: str = ""

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def context(self) -> int:
        return self.saved.model.context_length

    @cached_property
    def task(self) -> Task:
        """What it learned to do, as it was set then."""
        return TASKS[self.saved.task](self.saved.data, self.tokenizer.framing)

    @property
    def separator(self) -> str:
        """What it learned to read between a prompt and what it is to write."""
        return self.saved.data.separator

    def encode(self, text: str, pair: str = "", prefix: str | None = None) -> Encoded:
        """A text, or a pair, as this model's task reads it, cut to the context, and after `prefix` in place of the one
        that it learned with; raises UserError for a text that it cannot read."""
        task = self.task
        if prefix is not None:
            without = self.saved.data.model_copy(update={"prefix": ""})
            task, text = TASKS[self.saved.task](without, self.tokenizer.framing), prefix + text
        first, second = (*task.roles, "pair")[:2]
        texts = {first: text} | ({second: pair} if pair else {})
        read = whole = task.inputs(texts, self.tokenizer, UNLIMITED)
        if (length := whole["input_ids"].shape[1]) > self.context:
            read = task.inputs(texts, self.tokenizer, self.context)
        encoded = self._encoded({name: rows[0].tolist() for name, rows in read.items()})
        part = "last" if task.keeps_end else "first"
        return replace(encoded, notice=cut_notice("text", length, len(encoded.ids), part))

    def encode_target(self, text: str) -> Encoded:
        """What a translator's decoder reads when `text` is what it writes."""
        return self.as_target(self.tokenizer.encode(text))

    def as_target(self, ids: Sequence[int]) -> Encoded:
        """The same of a target that is encoded: the start token, then the tokens."""
        row = [*self.tokenizer.start_ids, *ids]
        encoded = self._encoded({"input_ids": row[: self.context]})
        return replace(encoded, notice=cut_notice("target", len(row), len(encoded.ids)))

    def written(self, ids: Sequence[int]) -> str:
        """The text of what its decoder wrote."""
        return self.task.written(ids, self.tokenizer)

    def tensors(self, inputs: Inputs) -> dict[str, Tensor]:
        """The model's arguments; raises UserError for tokens that it does not know."""
        check_ids(inputs["input_ids"].ravel().tolist(), self.tokenizer, self.saved.vocab_size)
        return {name: torch.from_numpy(rows).to(self.device) for name, rows in inputs.items()}

    def _encoded(self, inputs: dict[str, list[int]]) -> Encoded:
        ids = inputs["input_ids"]
        check_ids(ids, self.tokenizer, self.saved.vocab_size)
        special = [place for place, id in enumerate(ids) if id in self.tokenizer.special_ids]
        return Encoded(inputs, self.tokenizer.tokens(ids), special)

    def need(self, verb: str) -> None:
        """Raise UserError, saying what this model can do, unless that is what it learned."""
        if (learned := FACTS[self.saved.task].verb) != verb:
            raise UserError(f"this model cannot {verb}: it learned to {learned}")


def open_model(name: str | Path, precision: WritingPrecision = "fp32") -> OpenedModel:
    """The model of a model folder or a run, on the GPU where there is one; the matrices of one that writes are in that
    precision. Raises UserError, in one sentence."""
    folder = find_model(str(name), find_workspace() / "runs")
    model, saved = load_model(folder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    opened = OpenedModel(model.to(device), Tokenizer.load(folder / "tokenizer.json"), saved, folder)
    if not writes(model):
        return opened
    ready = prepared(model, precision)
    notice = "" if precision == "fp32" else effect(model, ready).sentence(precision)
    return replace(opened, model=ready, notice=notice)


def load(name: str | Path) -> tuple[Model, Tokenizer]:
    """Model and tokenizer of a model folder or a run; raises UserError."""
    opened = open_model(name)
    return opened.model, opened.tokenizer


def cut_notice(what: str, length: int, read: int, part: str = "first") -> str:
    """Says which part the model read, if not all of it."""
    return "" if read == length else f"The {what} has {length} tokens: the model read the {part} {read}."


def windows_notice(what: str, num_windows: int, context: int) -> str:
    """Says so where a text was read in parts."""
    return f"The {what} was read in {num_windows} windows of {context} tokens." if num_windows > 1 else ""
