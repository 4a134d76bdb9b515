"""The tasks by name, the same as in the schema."""

from tfmcore.data.tasks.classification import Classification
from tfmcore.data.tasks.language_modeling import LanguageModeling
from tfmcore.data.tasks.masked_language_modeling import MaskedLanguageModeling
from tfmcore.data.tasks.task import IGNORED, Batch, Inputs, Item, Task
from tfmcore.data.tasks.translation import Translation

TASKS: dict[str, Task] = {
    "language_modeling": LanguageModeling(),
    "masked_language_modeling": MaskedLanguageModeling(),
    "classification": Classification(),
    "translation": Translation(),
}

__all__ = ["IGNORED", "TASKS", "Batch", "Inputs", "Item", "Task"]
