"""What may differ when a run goes on: how a step is computed and what is told of it, not which steps they are."""

from collections.abc import Iterable

from tfmcore.config.config import Config, apply_overrides
from tfmcore.config.problems import ConfigError, Problem

CHANGEABLE = (
    "batch_size", "accumulation", "precision", "gradient_checkpointing", "compile", "device", "threads", "shares",
    "eval_every", "eval_batches", "save_every", "keep_every", "sample_every", "sample_prompts", "health_every",
    "early_stopping",
)  # fmt: skip
"""Options of [training]; batch × accumulation stays, so that each step learns from as much."""


def changed(config: Config, overrides: Iterable[str]) -> Config:
    """`config` with some options set, as its run may go on; raises ConfigError for any that it must keep."""
    raw = config.raw()
    apply_overrides(raw, overrides)
    new = Config.parse(raw)
    problems = [
        Problem(f"{section}.{name}", "a run cannot change it; `tfm branch` starts another run that differs", value)
        for section in Config.model_fields
        for name, value in getattr(config, section)
        if getattr(getattr(new, section), name) != value and not (section == "training" and name in CHANGEABLE)
    ]
    before, after = (each.training.sequences_per_step for each in (config, new))
    if before != after:
        reason = f"each step of the run learns from {before} sequences: batch size × accumulation must stay the same"
        problems.append(Problem("training.accumulation", reason))
    if problems:
        raise ConfigError(problems)
    return new
