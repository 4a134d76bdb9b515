"""Reading tokens into a cache, as fast as the device allows."""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from tfmcore.inference.recorded import RecordedStep
from tfmcore.models import DecoderOnlyTransformer, EncoderDecoderTransformer, Model
from tfmcore.nn.cache import Cache
from tfmcore.nn.kernels.linear import FEW
from tfmcore.nn.probe import Hooks

Writer = DecoderOnlyTransformer | EncoderDecoderTransformer
"""A model that writes from left to right."""
ALONE = 2**19
"""A matrix of d_model² weights, if they are fewer, is read before another thread has woken."""
PRODUCTS_ALONE = 6_000_000
"""Tokens × d_model²: with more products, threads that wake for each short kernel of a layer are worth it."""
ALONE_BEFORE = 8
"""To record a step takes as long as some steps do."""


class Source(NamedTuple):
    """What an encoder read: memory (B, S, D), and mask (B, S) with 1 for real tokens where there is padding."""

    memory: Tensor
    mask: Tensor | None = None


class Reader:
    """Has texts that lie side by side in a cache read on. Where they are few, and a single token of each comes at a
    time, the step is recorded once that pays, unless there is padding or somebody looks into the model."""

    def __init__(self, model: Writer, cache: Cache, source: Source | None = None) -> None:
        self._model, self.cache = model, cache
        self._hooks, self._can_record, self._num_alone = Hooks(model.modules()), True, 0
        self.recorded: RecordedStep | None = None
        self._next = partial(_next_logits, model, cache, source)  # no method: it would keep itself alive

    def read(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Read tokens (B, T), of which those with 0 in `attention_mask` are padding on the left, and say what may
        follow the last of them: logits (B, V) as float32 on the CPU, where ids may be too."""
        self._num_alone = self._num_alone + 1 if ids.shape[1] == 1 and len(ids) <= FEW else 0
        pays = self._num_alone > (0 if self.recorded else ALONE_BEFORE)
        if pays and self._can_record and not self.cache.padded and not self._hooks:
            try:
                return self._take(ids)
            except (RuntimeError, TypeError):  # a kernel that cannot be recorded, or not be called as it was
                self.recorded, self._can_record = None, False
        self.cache.loosen()
        return self._next(ids.to(self._model.device), attention_mask).cpu()

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these texts only."""
        self.recorded, self._num_alone = None, 0
        self.cache.loosen()
        self.cache.reorder(torch.tensor(rows, device=self._model.device))

    def _take(self, ids: Tensor) -> Tensor:
        """Read a token of each text by a recorded step."""
        self.cache.fix()
        with _quickly(self._model, ids):
            if self.recorded is None or self.recorded.room != self.cache.room:
                self.recorded = RecordedStep(self.cache, self._next, len(ids))
            return self.recorded.take(ids).to("cpu", copy=True)


def _next_logits(
    model: Writer, cache: Cache, source: Source | None, ids: Tensor, attention_mask: Tensor | None = None
) -> Tensor:
    with _quickly(model, ids):
        if isinstance(model, EncoderDecoderTransformer):
            memory, mask = source or (None, None)
            features = model.decode(ids, memory, mask, attention_mask, cache=cache)
        else:
            features = model.features(ids, attention_mask, cache=cache)
        logits: Tensor = model.head(features.hidden[:, -1])
    return logits.float()


def read_source(model: EncoderDecoderTransformer, input_ids: Tensor, attention_mask: Tensor | None = None) -> Source:
    """Let the encoder read ids (B, S)."""
    return Source(model.encode(input_ids, attention_mask)[0], attention_mask)


def source_of(model: Writer, ids: Sequence[int]) -> Source | None:
    """What the encoder reads of `ids`, if the model has one."""
    if not isinstance(model, EncoderDecoderTransformer):
        return None
    return read_source(model, torch.tensor([ids], device=model.device))


def reads_alone(model: Model, num_tokens: int = 1) -> bool:
    """Whether one thread of a processor reads so many tokens faster than several."""
    weights = model.config.d_model**2
    return weights < ALONE and num_tokens * weights < PRODUCTS_ALONE


@contextlib.contextmanager
def _quickly(model: Model, tokens: Tensor) -> Iterator[None]:
    """A processor reads some tokens with one thread where others would come too late, and few of them without oneDNN
    where it is not called by name: it looks for its kernel longer than a gelu of a few numbers takes."""
    threads, onednn = torch.get_num_threads(), torch.backends.mkldnn.enabled
    if tokens.numel() <= FEW:
        torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    if reads_alone(model, tokens.numel()):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = onednn
        torch.set_num_threads(threads)
