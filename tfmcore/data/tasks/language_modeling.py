"""Language modelling: predict each token from those before it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.sources import Example
from tfmcore.data.tasks.task import IGNORED, Batch, Inputs, Item, Random, Task, model_inputs, padded
from tfmcore.data.tokenizers import Tokenizer


class LanguageModeling(Task):
    """Inputs are a sequence without its last token, labels the same without its first."""

    overlap = 1
    keeps_end = True

    def window(self, context_length: int) -> int:
        return context_length + 1

    def items(self, examples: Sequence[Example], tokenizer: Tokenizer, labels: Mapping[str, int]) -> list[Item]:
        """Each text with an end token if it ends, after what the tokenizer begins texts with; where the example has a
        `prompt`, its tokens and those of the separator are given, as they are of a prompt that is to be written on: the
        end token for none."""
        texts = [self.parts(example) for example in examples]
        prompts, rests = (tokenizer.encode_arrays(group) for group in zip(*texts, strict=True))
        begin = np.array(tokenizer.framing.prompt, np.uint32)
        end = np.array([tokenizer.eos_id], np.uint32)
        givens = [
            np.concatenate([begin, prompt]) if len(begin) or len(prompt) or "prompt" not in example else end
            for example, prompt in zip(examples, prompts, strict=True)
        ]
        return [
            Item({"text": np.concatenate([given, rest, end[: example.ends]])}, len(given))
            for example, given, rest in zip(examples, givens, rests, strict=True)
        ]

    def parts(self, example: Example) -> tuple[str, str]:
        """What of a text is given, the separator at its end, and what is to be written."""
        given = example["prompt"] + self.data.separator if "prompt" in example else ""
        return given, example["text"].removeprefix(given)

    def num_unlearned(self, numbers: NDArray[np.int64], context_length: int) -> int:
        """Those whose prompt fills the context."""
        return int(np.count_nonzero(numbers > context_length))

    def lengths(self, lengths: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        return lengths["text"] - 1

    def collate(self, items: Sequence[Item], tokenizer: Tokenizer, context_length: int, random: Random) -> Batch:
        rows = [item.ids["text"][: context_length + 1] for item in items]
        labels, _ = padded([row[1:] for row in rows], IGNORED)
        for row, item in zip(labels, items, strict=True):
            row[: max(0, item.number - 1)] = IGNORED
        return Batch(model_inputs([row[:-1] for row in rows], tokenizer.pad_id), labels)

    def inputs(self, texts: Mapping[str, str], tokenizer: Tokenizer, context_length: int) -> Inputs:
        """The end of the text where it is longer than the context."""
        ids = [*tokenizer.framing.prompt, *tokenizer.encode(texts["text"])]
        return model_inputs([ids[-context_length:] or [tokenizer.bos_id]], tokenizer.pad_id)
