"""The tasks by name, the same as in the schema; each is made from a `[data]` section."""

from tfmcore.data.tasks.classification import Classification
from tfmcore.data.tasks.denoising import Denoising
from tfmcore.data.tasks.language_modeling import LanguageModeling
from tfmcore.data.tasks.masked_language_modeling import MaskedLanguageModeling
from tfmcore.data.tasks.question_answering import QuestionAnswering
from tfmcore.data.tasks.span_corruption import SpanCorruption
from tfmcore.data.tasks.task import IGNORED, Batch, Inputs, Item, Sequences, Task
from tfmcore.data.tasks.token_tagging import TokenTagging
from tfmcore.data.tasks.translation import Translation

TASKS: dict[str, type[Task]] = {
    "language_modeling": LanguageModeling,
    "masked_language_modeling": MaskedLanguageModeling,
    "span_corruption": SpanCorruption,
    "denoising": Denoising,
    "classification": Classification,
    "token_tagging": TokenTagging,
    "question_answering": QuestionAnswering,
    "translation": Translation,
}

__all__ = ["IGNORED", "TASKS", "Batch", "Inputs", "Item", "Sequences", "Task"]
