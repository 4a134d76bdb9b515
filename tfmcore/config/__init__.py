"""The schema: every option declared once. Torch-free; forms, files, terminal, checks and docs derive from it."""

from tfmcore.config.columns import columns_of
from tfmcore.config.config import (
    Config,
    apply_overrides,
    find_problems,
    load_config,
    load_raw,
    read_toml,
    to_toml,
)
from tfmcore.config.data import DataConfig
from tfmcore.config.finetuning import with_base
from tfmcore.config.model import ModelConfig
from tfmcore.config.options import Option, options
from tfmcore.config.presets import Card, Preset, find_preset, presets
from tfmcore.config.problems import ConfigError, Problem, UserError
from tfmcore.config.saved import SavedModel
from tfmcore.config.sources import ENCODINGS, LANGUAGES, SOURCES
from tfmcore.config.tasks import TASKS
from tfmcore.config.tokenizer import TokenizerConfig
from tfmcore.config.training import TrainingConfig

__all__ = [
    "ENCODINGS",
    "LANGUAGES",
    "SOURCES",
    "TASKS",
    "Card",
    "Config",
    "ConfigError",
    "DataConfig",
    "ModelConfig",
    "Option",
    "Preset",
    "Problem",
    "SavedModel",
    "TokenizerConfig",
    "TrainingConfig",
    "UserError",
    "apply_overrides",
    "columns_of",
    "find_preset",
    "find_problems",
    "load_config",
    "load_raw",
    "options",
    "presets",
    "read_toml",
    "to_toml",
    "with_base",
]
