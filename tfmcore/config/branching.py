"""A run that goes on from a checkpoint of another run with a changed config: its parent, and what cannot change."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tfmcore.config.config import Config, Raw, load_config
from tfmcore.config.finetuning import differences
from tfmcore.config.problems import ConfigError, Problem, UserError
from tfmcore.config.saved import SavedModel
from tfmcore.config.training import TrainingConfig

STEP = re.compile(r"step-(\d{1,12})")
KEPT = ("lora_rank", "lora_alpha", "lora_targets")
"""Fields of [training] that say which weights there are, and how much they count; with LoRA so does `freeze`."""


class Parent(NamedTuple):
    """The run, by its id, and the step at which another one began to go its own way."""

    run: str
    step: int


def parent_of(training: TrainingConfig) -> Parent | None:
    """Whose checkpoint a run goes on from, if any; its folder tells."""
    folder = Path(training.branch_from)
    found = STEP.fullmatch(folder.name)
    return Parent(folder.parent.parent.name, int(found[1])) if found else None


class Beginning(NamedTuple):
    """What a checkpoint decides of the run that goes on from it: its model, and the config that it was trained with."""

    saved: SavedModel
    config: Config
    step: int

    @classmethod
    def read(cls, checkpoint: Path) -> "Beginning":
        """What lies in the folder of a checkpoint and in that of its run; raises UserError where it is none."""
        if not STEP.fullmatch(checkpoint.name) or not (checkpoint / "manifest.json").is_file():
            raise UserError(f"training.branch_from: {checkpoint} is not a checkpoint of a run (or no longer exists)")
        saved = SavedModel.read(checkpoint)
        return cls(saved, load_config(checkpoint.parent.parent / "run.toml"), saved.step)

    def problems(self, raw: Raw) -> Iterator[Problem]:
        """Where a config says otherwise than can be of a run that goes on from here."""
        data, training = raw.get("data", {}), raw.get("training", {})
        if data.get("task", self.saved.task) != self.saved.task:
            yield Problem("data.task", "the run that this one branches from learns another task", self.saved.task)
        yield from differences(raw.get("model", {}), self.saved, self.saved.task)
        for name, its in self.config.tokenizer:
            if raw.get("tokenizer", {}).get(name, its) != its:
                yield Problem(f"tokenizer.{name}", "the run that this one goes on from has its own tokenizer", its)
        for name in (*KEPT, "freeze") if self.config.training.lora_rank else KEPT:
            value: Any = getattr(self.config.training, name)
            if training.get(name, value) != value:
                yield Problem(f"training.{name}", "the run that this one branches from has other weights", value)
        steps = training.get("steps", TrainingConfig().steps)
        if isinstance(steps, int) and steps <= self.step:
            reason = f"the run that this one branches from has done {self.step} steps: set more than that"
            yield Problem("training.steps", reason, self.step + max(1, self.config.training.steps))

    def is_measured_as(self, config: Config) -> bool:
        """Whether what was found of it can be compared with what a run of `config` will find."""
        its = self.config
        return (its.data, its.training.best_by) == (config.data, config.training.best_by)


def check_branch(config: Config) -> None:
    """Raise ConfigError where `config` cannot go on from the checkpoint that it names, and UserError for a bad one."""
    if not config.training.branch_from:
        return
    if problems := list(Beginning.read(Path(config.training.branch_from)).problems(config.raw())):
        raise ConfigError(problems)
