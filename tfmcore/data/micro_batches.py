"""The batch of a step in pieces that are computed one after the other: what is learned is what the whole teaches."""

from dataclasses import replace

import numpy as np

from tfmcore.config.parallel import even_rows
from tfmcore.data.packing import DOCUMENTS, MASK
from tfmcore.data.tasks import Batch


def micro_batches(batch: Batch, count: int) -> list[Batch]:
    """Its rows in `count` even pieces, or in as many as it has rows; none is wider than its longest text."""
    size = len(batch.labels)
    if count == 1:
        return [batch]
    batch = replace(batch, labels_per_example=batch.labels_per_example or batch.num_labels / size)
    return [_narrowed(_rows(batch, even_rows(n, min(count, size), size))) for n in range(min(count, size))]


def _rows(batch: Batch, rows: range) -> Batch:
    piece = batch.rows(rows.start, rows.stop)
    packed = len(batch.example_ids) != len(batch.labels)  # then nothing says which texts a row has
    return replace(piece, example_ids=batch.example_ids) if packed else piece


def _narrowed(batch: Batch) -> Batch:
    """Without what is padding in all rows, which is on the right."""
    inputs, labels = dict(batch.inputs), batch.labels
    for ids in [name for name in inputs if name.endswith("input_ids")]:
        side = ids.removesuffix("input_ids")
        real = next((inputs[side + name] for name in (MASK, DOCUMENTS) if side + name in inputs), None)
        if real is None:
            continue
        before, width = real.shape[1], int(np.count_nonzero(real, axis=1).max())
        mine = [name for name in inputs if name.startswith("decoder_") == (side == "decoder_")]
        inputs |= {name: inputs[name][:, :width] for name in mine if inputs[name].shape[1:] == (before,)}
        if side + MASK in inputs and inputs[side + MASK].all():
            del inputs[side + MASK]
        if labels.shape[1:] == (before,) and (side or "decoder_input_ids" not in inputs):
            labels = labels[:, :width]
    return replace(batch, inputs=inputs, labels=labels)
