"""A config that begins from a trained model: what that model decides, what stays free, and what cannot be."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tfmcore.config.config import apply_overrides
from tfmcore.config.data import DataConfig
from tfmcore.config.model import ModelConfig
from tfmcore.config.problems import ConfigError, Problem, UserError
from tfmcore.config.saved import SavedModel
from tfmcore.config.tasks import TASKS
from tfmcore.config.training import TrainingConfig

OF_TRAINING = {"preset", "initialization"}
"""Beside everything that is called dropout, fields that say nothing of what a trained model computes."""
OF_HEADS = {"pooling", "pooler", "head_activation", "head_bias", "classifier_bias"}
"""Fields of a head, which are free where the task needs another head."""
LEAST_VOCABULARY = 16


def with_base(raw: dict[str, Any], find_base: Callable[[str], Path], overrides: Iterable[str] = ()) -> dict[str, Any]:
    """`raw` with the shape and tokenizer of the model that `training.finetune_from` names; `raw` itself where it names
    none. What a file or preset says of them gives way; an override that says otherwise is an error that names it.

    `find_base` gives the folder of a model. Raises UserError where there is none, and for a task that it cannot learn.
    """
    name = _table(raw, "training").get("finetune_from")
    if not isinstance(name, str) or not name:
        return raw
    try:
        folder = find_base(name).absolute()
        saved = SavedModel.read(folder)
    except UserError as error:
        raise UserError(f"training.finetune_from: {error}", error.details) from None
    task = _table(raw, "data").get("task", DataConfig().task)
    if isinstance(task, str) and task in TASKS and (problem := unlearnable(task, saved, name)):
        raise ConfigError([problem])
    kept = {field: value for field, value in _table(raw, "model").items() if field in free_fields(saved, task)}
    vocabulary = max(saved.vocab_size, LEAST_VOCABULARY)
    tokenizer = {"kind": "file", "path": str(folder / "tokenizer.json"), "vocab_size": vocabulary}
    filled = raw | {"model": saved.model.model_dump(exclude_none=True) | kept, "tokenizer": dict(tokenizer)}
    apply_overrides(filled, overrides)
    filled["training"]["finetune_from"] = str(folder)
    problems = [
        Problem(f"tokenizer.{field}", f"a fine-tuned model keeps its tokenizer, and {name} has its own", value)
        for field, value in tokenizer.items()
        if filled["tokenizer"].get(field) != value
    ]
    problems += differences(filled["model"], saved, task)
    if problems:
        raise ConfigError(problems)
    return filled


def unlearnable(task: str, saved: SavedModel, name: str) -> Problem | None:
    """What is wrong with `task` for a model of that kind, if anything."""
    kind = saved.model.architecture
    if kind in TASKS[task].architectures:
        return None
    can = [other for other, facts in TASKS.items() if kind in facts.architectures]
    article = "a" if kind == "decoder" else "an"
    return Problem("data.task", f"{name} is {article} {kind}, which can learn {', '.join(can)}, not {task}", can[0])


def free_fields(saved: SavedModel, task: str) -> set[str]:
    """The fields of [model] that may differ from those of the model that training begins from."""
    free = OF_TRAINING | {field for field in ModelConfig.model_fields if "dropout" in field}
    if saved.model.position != "learned" and not getattr(saved.model, "learned_positions_beside", False):
        free |= {"context_length"}
    return free if task == saved.task else free | OF_HEADS


def has_new_head(training: TrainingConfig, task: str) -> bool:
    """Whether `task` needs another head than the model has that training begins from. Labels, which the data tell, are
    taken to be the same."""
    try:
        return bool(training.finetune_from) and TASKS[SavedModel.read(Path(training.finetune_from)).task].verb != (
            TASKS[task].verb
        )
    except UserError:  # for the run to say
        return False


def differences(model: dict[str, Any], saved: SavedModel, task: str) -> Iterator[Problem]:
    """The fields of [model], given as a table, that say otherwise than the model that training begins from."""
    base, free = saved.model.model_dump(), free_fields(saved, task)
    for field, value in {**dict.fromkeys(base), **model}.items():
        if field in base and field not in free and value != base[field]:
            reason = f"the model to fine-tune has {_shown(base[field])}, not {_shown(value)}"
            yield Problem(f"model.{field}", reason, base[field])


def _table(raw: dict[str, Any], section: str) -> dict[str, Any]:
    table = raw.get(section)
    return table if isinstance(table, dict) else {}


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
