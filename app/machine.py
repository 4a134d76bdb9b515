"""Whether a design can be trained here: the memory that it needs beside the memory that there is."""

from functools import cache

import psutil

from tfmcore import units
from tfmcore.config import Config, presets
from tfmcore.config.memory import memory_to_train


@cache
def memory() -> int:
    """Bytes of memory of this machine."""
    return int(psutil.virtual_memory().total)


def shortage(needed: int) -> str:
    """A sentence where more memory is needed than there is, else nothing."""
    if needed <= memory():
        return ""
    return f"Training it needs about {units.size(needed)} of memory; this machine has {units.size(memory())}."


def caution(config: Config) -> str:
    """A sentence where a design should not be trained by accident: it does not fit here, or a preset for reading has
    been left at its true size."""
    needed = memory_to_train(config)
    preset = presets().get(config.model.preset)
    if (lack := shortage(needed)) or preset is None or not preset.reading:
        return lack
    if needed < memory_to_train(preset.config()):
        return ""
    return f"“{preset.title}” is full-size, for reading: training it needs about {units.size(needed)} of memory."
