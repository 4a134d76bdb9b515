"""Translation: a source text becomes a target text; any text-to-text task."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.sources import Example
from tfmcore.data.tasks.task import IGNORED, Batch, Inputs, Item, Random, Task, model_inputs, padded
from tfmcore.data.tokenizers import Tokenizer


class Rewriting(Task):
    """What encoder-decoders learn: the encoder reads a source [EOS], the labels are target [EOS], before which some
    foreign tokenizers have another token, and the decoder reads [BOS] and these labels but the last."""

    def inputs(self, texts: Mapping[str, str], tokenizer: Tokenizer, context_length: int) -> Inputs:
        """The first role is what the encoder reads; `target`, where it is given, what the decoder does."""
        inputs = _read([tokenizer.encode(texts[self.roles[0]])], tokenizer, context_length)
        if "target" in texts:
            inputs |= _written([tokenizer.encode(texts["target"])], tokenizer, context_length)
        return inputs


class Translation(Rewriting):
    """The prefix of `[data]` stands before every source."""

    roles = ("source", "target")
    apart = ("source",)
    stored = ("prefix",)

    def as_read(self, example: Example) -> Example:
        return Example(example, source=self.data.prefix + example["source"])

    def lengths(self, lengths: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        return len(self.framing.source) + np.maximum(lengths["source"], lengths["target"])

    def collate(self, items: Sequence[Item], tokenizer: Tokenizer, context_length: int, random: Random) -> Batch:
        sources, targets = ([item.ids[role].tolist() for item in items] for role in self.roles)
        return rewriting(sources, targets, tokenizer, context_length)

    def inputs(self, texts: Mapping[str, str], tokenizer: Tokenizer, context_length: int) -> Inputs:
        return super().inputs({**texts, "source": self.data.prefix + texts["source"]}, tokenizer, context_length)


def rewriting(
    sources: Sequence[list[int]], targets: Sequence[list[int]], tokenizer: Tokenizer, context_length: int
) -> Batch:
    """A batch of ids to read and ids to write, both without special tokens."""
    inputs = _read(sources, tokenizer, context_length) | _written(targets, tokenizer, context_length)
    labels = [tokenizer.framing.source.around([target])[:context_length] for target in targets]
    return Batch(inputs, padded(labels, IGNORED)[0])


def _read(sources: Sequence[list[int]], tokenizer: Tokenizer, context_length: int) -> Inputs:
    frame = tokenizer.framing.source
    rows = [frame.around([source[: max(0, context_length - len(frame))]]) for source in sources]
    return model_inputs(rows, tokenizer.pad_id)


def _written(targets: Sequence[list[int]], tokenizer: Tokenizer, context_length: int) -> Inputs:
    rows = [[*tokenizer.start_ids, *target][:context_length] for target in targets]
    return model_inputs(rows, tokenizer.pad_id, prefix="decoder_")
