"""Translation: a source text becomes a target text; any text-to-text task."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.tasks.task import IGNORED, Inputs, Item, Labels, Random, Task, model_inputs, padded
from tfmcore.data.tokenizers import Tokenizer


class Translation(Task):
    """The encoder reads source [EOS], the decoder [BOS] target, the labels are target [EOS]."""

    roles = ("source", "target")

    def lengths(self, lengths: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        return 1 + np.maximum(lengths["source"], lengths["target"])

    def collate(
        self, items: Sequence[Item], tokenizer: Tokenizer, context_length: int, random: Random
    ) -> tuple[Inputs, Labels]:
        targets = [item.ids["target"].tolist() for item in items]
        inputs = _read([item.ids["source"].tolist() for item in items], tokenizer, context_length)
        inputs |= _written(targets, tokenizer, context_length)
        labels, _ = padded([[*target, tokenizer.eos_id][:context_length] for target in targets], IGNORED)
        return inputs, labels

    def inputs(self, texts: Mapping[str, str], tokenizer: Tokenizer, context_length: int) -> Inputs:
        """The roles are source and, where the decoder shall read a target, target."""
        inputs = _read([tokenizer.encode(texts["source"])], tokenizer, context_length)
        if "target" in texts:
            inputs |= _written([tokenizer.encode(texts["target"])], tokenizer, context_length)
        return inputs


def _read(sources: Sequence[list[int]], tokenizer: Tokenizer, context_length: int) -> Inputs:
    rows = [[*source[: context_length - 1], tokenizer.eos_id] for source in sources]
    return model_inputs(rows, tokenizer.pad_id)


def _written(targets: Sequence[list[int]], tokenizer: Tokenizer, context_length: int) -> Inputs:
    rows = [[tokenizer.bos_id, *target][:context_length] for target in targets]
    return model_inputs(rows, tokenizer.pad_id, prefix="decoder_")
