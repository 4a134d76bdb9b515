"""The whole config of a run: four sections, read from TOML, checked all at once."""

import difflib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, get_origin

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from tfmcore.config.data import DataConfig
from tfmcore.config.model import ModelConfig
from tfmcore.config.option import Section, choices_of, max_items
from tfmcore.config.parallel import parallel_problems
from tfmcore.config.parts import nearest_part, weights_of
from tfmcore.config.problems import ConfigError, Problem, UserError
from tfmcore.config.tasks import LABEL_TASKS, TASKS
from tfmcore.config.tokenizer import TokenizerConfig
from tfmcore.config.training import TrainingConfig

MAX_CONFIG_BYTES = 1_000_000
FORMAT = 1
MAX_ITEMS_READ = 64
"""Of a list of choices that is wrong, so many items are read to find what it should be."""

Raw = dict[str, dict[str, Any]]


class Config(BaseModel):
    """What a run is made from. `Config.parse` is the door: it raises ConfigError with every problem at once."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    data: DataConfig = Field(default_factory=DataConfig)
    tokenizer: TokenizerConfig = Field(default_factory=TokenizerConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str = "") -> Self:
        """The config that `raw` (section → name → value) says; raises ConfigError, each line beginning with `where`."""
        if problems := find_problems(raw):
            raise ConfigError(problems, where)
        return cls.model_validate(raw)

    def raw(self) -> Raw:
        """Section → name → value of every field that is not None."""
        return self.model_dump(exclude_none=True)

    def replaced(self, **fields: Any) -> "Config":
        """A copy with some fields changed, each named `section__name`; checked anew."""
        raw = self.raw()
        for key, value in fields.items():
            section, name = key.split("__", 1)
            raw[section].pop(name, None)
            if value is not None:
                raw[section][name] = value
        return Config.parse(raw)

    def checks(self) -> Iterator[Problem]:
        """Problems between fields, each section's own first; field names carry their section."""
        for name in Config.model_fields:
            section: Section = getattr(self, name)
            for problem in section.checks():
                yield Problem(f"{name}.{problem.field}", problem.reason, problem.nearest)
        can = TASKS[self.data.task].architectures
        if self.model.architecture not in can:
            reason = f"{self.data.task} needs {' or '.join(can)}, not {self.model.architecture}"
            yield Problem("model.architecture", reason, can[0])
        if wrong := [part for part in self.training.freeze if not weights_of(part, self.model)]:
            nearest = [nearest_part(part, self.model) if part in wrong else part for part in self.training.freeze]
            yield Problem("training.freeze", f"this {self.model.architecture} has no part {wrong[0]!r}", nearest)
        if self.training.class_weights != "none" and self.data.task not in LABEL_TASKS:
            reason = f"is for tasks that predict classes ({', '.join(LABEL_TASKS)}), not for {self.data.task}"
            yield Problem("training.class_weights", reason, "none")
        if self.data.predicts_next_sentence and not self.model.next_sentence_head:
            reason = "needs a model with a head for it (model.next_sentence_head)"
            yield Problem("data.next_sentence_prediction", reason, False)
        if self.data.packing and self.model.convolution:
            yield Problem("data.packing", "the model's convolution would let texts of one row see each other", False)
        yield from parallel_problems(self)


def find_problems(raw: Mapping[str, Any]) -> list[Problem]:
    """Every problem of a raw config. Checks between fields run too when single fields are wrong: the wrong ones are
    replaced by their nearest valid value first, and named once."""
    problems: list[Problem] = []
    mended: Raw = {name: dict(values) for name, values in raw.items() if isinstance(values, Mapping)}
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        for detail in error.errors():
            problem = _field_problem(raw, detail)
            if problem.field not in {known.field for known in problems}:
                problems.append(problem)
            section, *rest = (str(part) for part in detail["loc"])
            if not rest:
                mended.pop(section, None)
                continue
            mended[section].pop(rest[0], None)
            if problem.nearest is not None and detail["type"] != "extra_forbidden":
                mended[section][rest[0]] = problem.nearest
        try:
            config = Config.model_validate(mended)
        except ValidationError:
            return problems
    wrong = {problem.field for problem in problems}
    return problems + [problem for problem in config.checks() if problem.field not in wrong]


def _field_problem(raw: Mapping[str, Any], detail: ErrorDetails) -> Problem:
    """One of pydantic's errors as a field, a reason and the nearest valid value."""
    path = [str(part) for part in detail["loc"]]
    field, kind, context = ".".join(path[:2]), detail["type"], detail.get("ctx", {})
    section = Config.model_fields.get(path[0])
    if kind == "extra_forbidden":
        known = Config.model_fields if len(path) == 1 else section.annotation.model_fields  # type: ignore[union-attr]
        near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
        return Problem(field, "is not an option", near[0] if near else None)
    if section is None or len(path) < 2:
        return Problem(field, "is a section, not a value")
    info = section.annotation.model_fields[path[1]]  # type: ignore[union-attr]
    given, default, shown = detail["input"], info.get_default(call_default_factory=True), _shown(detail["input"])
    if get_origin(info.annotation) is list and choices_of(info.annotation):
        default = _nearest_items(raw[path[0]][path[1]], info) or default
    match kind:
        case "greater_than_equal" | "less_than_equal":
            bound = context["ge"] if kind == "greater_than_equal" else context["le"]
            word = "at least" if kind == "greater_than_equal" else "at most"
            return Problem(field, f"{shown} is out of range, must be {word} {bound}", bound)
        case "greater_than" | "less_than":
            word = "above" if kind == "greater_than" else "below"
            return Problem(field, f"{shown} is out of range, must be {word} {context.popitem()[1]}", default)
        case "literal_error":
            choices = [choice.strip("'") for choice in context["expected"].replace(" or ", ", ").split(", ")]
            near = _near(given, choices) if len(path) == 2 else []  # else the value is a list, and this an item
            return Problem(field, f"{shown} is not one of {', '.join(choices)}", near[0] if near else default)
        case "repeated":
            return Problem(field, detail["msg"], default)
        case "too_short" | "too_long":
            word, bound = ("least", context["min_length"]) if kind == "too_short" else ("most", context["max_length"])
            return Problem(field, f"must have at {word} {bound} item{'s' * (bound > 1)}", default)
        case "finite_number":
            return Problem(field, "must be a finite number", default)
        case "int_type" if isinstance(given, float) and abs(given) < 1e18:
            least, most = (next(getattr(m, b) for m in info.metadata if hasattr(m, b)) for b in ("ge", "le"))
            return Problem(field, f"{shown} is not a whole number", min(max(round(given), least), most))
        case _:
            return Problem(field, f"{shown}: {detail['msg'][0].lower()}{detail['msg'][1:]}", default)


def _near(value: Any, choices: Iterable[str]) -> list[str]:
    """The choice that `value` is a slip of, if any."""
    return difflib.get_close_matches(_shown(value).strip('"'), choices, n=1, cutoff=0.3)


def _nearest_items(given: Any, info: Any) -> list[str]:
    """What a list of choices has of `given`, slips put right, each once and no more than it can have."""
    items = given[:MAX_ITEMS_READ] if isinstance(given, list) else [given]
    known = dict.fromkeys(near for item in items for near in _near(item, choices_of(info.annotation)))
    return list(known)[: max_items(info)]


def _shown(value: Any) -> str:
    """A value as it was written, or the beginning of it."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # thousands of digits, thousands of brackets
        return "the value"
    return text if len(text) <= 60 else text[:57] + "…"


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; raises UserError with the place for anything that is not one."""
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise UserError(f"{path} is larger than a config can be (1 MB)")
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid TOML: {error or 'nested too deeply'}") from None


def load_config(path: Path, overrides: Iterable[str] = ()) -> Config:
    """The config of a TOML file, with `a.b=value` overrides; a `model.preset` is filled in unless the file is whole."""
    return Config.parse(load_raw(path, overrides), where=f"{path}: ")


def load_raw(path: Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The same before it is checked."""
    from tfmcore.config.presets import find_preset

    raw, overrides = read_toml(path), list(overrides)
    written = raw.pop("format", None)
    if written not in (None, FORMAT):
        raise UserError(f"{path} is of format {_shown(written)}; this version reads format {FORMAT}")
    apply_overrides(raw, overrides)
    model = raw.get("model")
    if written is None and isinstance(model, dict) and isinstance(name := model.get("preset"), str) and name:
        raw["model"] = {**find_preset(name).sections.get("model", {}), **model}
        apply_overrides(raw, overrides)  # `none` empties what the preset gave, too
    return raw


def apply_overrides(raw: dict[str, Any], overrides: Iterable[str]) -> None:
    """Set `section.name=value` in place; the value is TOML, or a plain string; `none` empties an optional field."""
    for override in overrides:
        key, separator, text = override.partition("=")
        parts = key.strip().split(".")
        if not separator or len(parts) < 2 or not all(parts):
            raise UserError(f"--set {override}: write section.name=value, such as model.d_model=256")
        *tables, name = parts
        table = raw
        for part in tables:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise UserError(f"--set {override}: {part} is a value, not a section")
        if text.strip().lower() == "none":
            table.pop(name, None)
        else:
            table[name] = _value_of(text.strip(), tables, name)


def _value_of(text: str, tables: list[str], name: str) -> Any:
    """`text` read as TOML, or as it stands: where it is none, and where the option is a text."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
    section = Config.model_fields.get(tables[0])
    info = section and section.annotation.model_fields.get(name)  # type: ignore[union-attr]
    return text if info and info.annotation is str and not isinstance(value, str) else value


def to_toml(config: Config, comments: bool = False) -> str:
    """The whole config as TOML; `comments` puts each option's help and unit above it."""
    lines = [f"format = {FORMAT}  # every option is written out, so a preset adds nothing"]
    for name, values in config.raw().items():
        lines.append(f"\n[{name}]")
        fields = getattr(config, name).__class__.model_fields
        for key, value in values.items():
            if comments:
                unit = fields[key].json_schema_extra["unit"]
                lines.append(f"# {fields[key].description}" + (f" [{unit}]" if unit else ""))
            lines.append(tomli_w.dumps({key: value}).strip() if not isinstance(value, dict) else _inline(key, value))
    return "\n".join(lines) + "\n"


def _inline(key: str, table: dict[str, str]) -> str:
    """A table on one line: `columns = {text = "sentence"}`."""
    pairs = (tomli_w.dumps({name: value}).strip() for name, value in table.items())
    return f"{key} = {{{', '.join(pairs)}}}"
