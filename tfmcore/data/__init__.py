"""Data: sources → examples → tokens → batches. It knows no model and no training."""

from tfmcore.data.dataset import Dataset, evaluation_split, prepare
from tfmcore.data.micro_batches import micro_batches
from tfmcore.data.progress import Cancelled, Progress
from tfmcore.data.sources import SOURCES, Example
from tfmcore.data.splits import Split
from tfmcore.data.tasks import IGNORED, TASKS, Batch
from tfmcore.data.tokenizers import Tokenizer

__all__ = [
    "IGNORED",
    "SOURCES",
    "TASKS",
    "Batch",
    "Cancelled",
    "Dataset",
    "Example",
    "Progress",
    "Split",
    "Tokenizer",
    "evaluation_split",
    "micro_batches",
    "prepare",
]
