"""What `config.json` of a model folder says: the model's shape, what it was trained for and how far it came."""

import json
import math
import os
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tfmcore.config.data import DataConfig, TaskName
from tfmcore.config.model import ModelConfig
from tfmcore.config.problems import UserError
from tfmcore.config.tasks import TASKS

MAX_BYTES = 1_000_000


class SavedModel(BaseModel):
    """A model folder's `config.json`; beside it lie `model.safetensors` and `tokenizer.json`. `family` is whose
    checkpoint it was imported from, if any."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    format: Literal["transformer-playground/1"] = "transformer-playground/1"
    task: TaskName
    vocab_size: int = Field(ge=1, le=4_000_000)
    model: ModelConfig
    labels: list[str] = Field(default_factory=list, max_length=100_000)
    data: DataConfig = Field(default_factory=DataConfig)
    step: int = Field(0, ge=0)
    run: str = ""
    family: str = Field("", max_length=100)
    metrics: dict[str, float] = Field(default_factory=dict)

    @property
    def second(self) -> str:
        """The role of the text that it reads, or writes, beside the first: "" where it learned from single texts. An
        imported encoder does not say what it learned from, and any with token types reads two."""
        role = TASKS[self.task].second
        return "" if role == "pair" and "pair" not in self.data.columns and not self.model.num_token_types else role

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The description in `folder`; raises UserError, in one sentence, for anything that is not one."""
        path = folder / "config.json"
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder")
        if not path.exists():
            raise UserError(f"{folder} contains no model: config.json is missing")
        raw = read_json(path)
        return cls.parse(raw, path)

    @classmethod
    def parse(cls, raw: Any, path: Path) -> Self:
        if not isinstance(raw, dict) or raw.get("format") != cls.model_fields["format"].default:
            raise UserError(f"{path} is not a model of Transformer Playground (no known `format`)")
        try:
            saved = cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise UserError(f"{path}: {field}: {first['msg']}", str(error)) from None
        if problem := next(saved.model.checks(), None):
            raise UserError(f"{path}: model.{problem}")
        return saved

    def write(self, folder: Path) -> None:
        """Write `config.json` into `folder`, which exists."""
        text = json.dumps(self.model_dump(), indent=2, ensure_ascii=False)
        with open(folder / "config.json", "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())


def read_json(path: Path, max_bytes: int = MAX_BYTES) -> Any:
    """What a JSON file says, of which nothing is trusted: raises UserError, in one sentence, for one that is larger
    than that, cut, nested too deeply, or has a number that is none (NaN, Infinity, 1e999, thousands of digits)."""
    try:
        if path.stat().st_size > max_bytes:
            raise UserError(f"{path} is too large (more than {max_bytes // 10**6} MB)")
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {str(error)[:200] or 'nested too deeply'}") from None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number[:40]} is not a number that can be used")
    return value
