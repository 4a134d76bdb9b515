"""The state of a training that is all in one process: how it is saved and loaded."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from tfmcore.inference.opened import OpenedModel
from tfmcore.models import Model, save_weights
from tfmcore.training.parallel.shard_spec import shard_specs
from tfmcore.training.state import TENSORS, load_tensors, save_tensors


class FullState:
    """Of several ranks that have a part of it each, all call each method, in the same order."""

    def save_weights(self, model: Model, path: Path) -> None:
        """Write the full model's weights."""
        save_weights(model, path)

    def save(self, tensors: dict[str, Tensor], folder: Path) -> None:
        """Write what a training needs beside the weights, by the keys of `tfmcore.training.state`."""
        save_tensors(tensors, folder)

    def load(self, model: Model, folder: Path) -> dict[str, Tensor]:
        """This process's part of what was written, by however many; raises OSError, SafetensorError."""
        if (folder / TENSORS).is_file():
            return load_tensors(folder)
        from tfmcore.training.parallel.distributed_checkpoint import FOLDER, load_shards  # loads what else is not used

        found = load_shards(folder / FOLDER, shard_specs(model), lambda _: None)
        return found | {"random.cpu": found["random.cpu.0"]}

    @contextlib.contextmanager
    def full_model(self, opened: OpenedModel) -> Iterator[OpenedModel | None]:
        """The full model as it is now, for the main process to use by itself; None in others."""
        yield opened
