"""Batches on their way to the device, each made ready while the one before is computed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from tfmcore.config.parallel import even_rows
from tfmcore.data import IGNORED, Batch

T = TypeVar("T")
SPARSE = 0.8
"""Where fewer labels than this share are to be predicted, only they are looked at."""


@dataclass(frozen=True)
class DeviceBatch:
    """A batch on the device. `inputs` are the model's arguments; `num_tokens` counts real ones, `num_labels` those
    that the loss sees; `further` are labels of further heads, by the name of the model's output. `predicted` (P,) are
    the places of labels that the loss sees, where most of them are left out. Where the tensors are only some rows of a
    batch, the counts and `example_ids` are those of all of its `num_examples` rows (0: there are no others), and
    `local_ids` are of the rows here; `labels_per_example` is as in Batch."""

    inputs: dict[str, Tensor]
    labels: Tensor
    num_tokens: int
    num_labels: int
    example_ids: list[int]
    further: dict[str, Tensor] = field(default_factory=dict)
    predicted: Tensor | None = None
    num_examples: int = 0
    labels_per_example: float = 0.0
    local_ids: list[int] = field(default_factory=list)


def to_device(batch: Batch, device: torch.device, whole: Batch | None = None) -> DeviceBatch:
    """Copy a batch to the device; on a processor nothing is copied. Where the batch is only some rows of a `whole` one,
    the counts are those of the whole."""
    inputs = {name: _tensor(array, device) for name, array in batch.inputs.items()}
    further = {name: _tensor(array, device) for name, array in batch.further.items()}
    predicted, counted = None, whole or batch
    if batch.num_labels < batch.labels.size * SPARSE:  # found here, for a GPU would have to be waited for
        predicted = _tensor(np.flatnonzero(batch.labels != IGNORED), device)
    return DeviceBatch(
        inputs,
        _tensor(batch.labels, device),
        num_tokens=sum(_num_tokens(counted.inputs, prefix) for prefix in ("", "decoder_")),
        num_labels=counted.num_labels,
        example_ids=counted.example_ids.tolist(),
        further=further,
        predicted=predicted,
        num_examples=len(whole.labels) if whole else 0,
        labels_per_example=batch.labels_per_example,
        local_ids=batch.example_ids.tolist(),
    )


def shares_of(whole: DeviceBatch, count: int) -> list[DeviceBatch]:
    """A batch in `count` shares, or in as many as it has rows, each with the counts of the whole."""
    size = len(whole.labels)
    count = min(count, size)
    whole = replace(whole, num_examples=whole.num_examples or size)
    return [_rows(whole, even_rows(number, count, size)) for number in range(count)]


def _rows(batch: DeviceBatch, rows: range) -> DeviceBatch:
    def cut(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor[rows.start : rows.stop] for name, tensor in tensors.items()}

    labels, predicted = batch.labels[rows.start : rows.stop], batch.predicted
    if predicted is not None:
        begin, end = (place * batch.labels[0].numel() for place in (rows.start, rows.stop))
        predicted = predicted[(predicted >= begin) & (predicted < end)] - begin
    return replace(batch, inputs=cut(batch.inputs), labels=labels, further=cut(batch.further), predicted=predicted)


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each made in a thread while the one before is used."""
    with ThreadPoolExecutor(1, "batches") as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def _tensor(array: np.ndarray[Any, Any], device: torch.device) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def _num_tokens(inputs: dict[str, np.ndarray[Any, Any]], prefix: str) -> int:
    mask = inputs.get(f"{prefix}attention_mask", inputs.get(f"{prefix}document_ids"))
    if mask is not None:
        return int(np.count_nonzero(mask))
    ids = inputs.get(f"{prefix}input_ids")
    return 0 if ids is None else ids.size
