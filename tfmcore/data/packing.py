"""Several texts in a row of a batch, none of which sees another (https://arxiv.org/abs/2107.02027)."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.tasks import IGNORED, Batch
from tfmcore.data.tasks.task import Inputs, padded

MASK, DOCUMENTS = "attention_mask", "document_ids"


def packed(batch: Batch, width: int, pad_id: int) -> Batch:
    """The same texts in few rows of at most `width` tokens: the longest one first, each in the first row that has room
    for it. Labels must line up with the tokens that the head sees."""
    sides = [name.removesuffix("input_ids") for name in batch.inputs if name.endswith("input_ids")]
    lengths = {side: _lengths(batch.inputs, side) for side in sides}
    rows = _rows(np.stack(list(lengths.values()), 1), width)

    def joined(array: NDArray[np.int64], side: str, filler: int) -> NDArray[np.int64]:
        return padded([np.concatenate([array[n, : lengths[side][n]] for n in row]) for row in rows], filler)[0]

    inputs: Inputs = {}
    for name, array in batch.inputs.items():
        side = next(side for side in reversed(sides) if name.startswith(side))
        if name == f"{side}input_ids":
            numbers = np.tile(_numbers(rows, len(array))[:, None], array.shape[1])
            inputs |= {name: joined(array, side, pad_id), f"{side}{DOCUMENTS}": joined(numbers, side, 0)}
        elif name != f"{side}{MASK}":
            inputs[name] = joined(array, side, 0)
    return replace(batch, inputs=inputs, labels=joined(batch.labels, sides[-1], IGNORED))


def apart(batch: Batch, end_id: int) -> Batch:
    """The same windows of running text, each document in them by itself: it goes as far as its end token, after which
    nothing is predicted."""
    ids = batch.inputs["input_ids"]
    ends = ids == end_id
    if not ends.any():
        return batch
    numbers = (1 + ends.cumsum(1) - ends) * batch.inputs.get(MASK, 1)
    inputs = {name: array for name, array in batch.inputs.items() if name != MASK} | {DOCUMENTS: numbers}
    return replace(batch, inputs=inputs, labels=np.where(ends, IGNORED, batch.labels))


def _lengths(inputs: Inputs, side: str) -> NDArray[np.int64]:
    """Tokens of each text (B,), which is padded on the right if at all."""
    ids = inputs[f"{side}input_ids"]
    lengths: NDArray[np.int64] = inputs.get(f"{side}{MASK}", np.ones_like(ids)).sum(1)
    return lengths


def _rows(sizes: NDArray[np.int64], width: int) -> list[list[int]]:
    """Which texts stand in each row, by their `sizes` (B, sides)."""
    rows: list[list[int]] = []
    room = np.full_like(sizes, width)
    for n in np.argsort(-sizes.max(1), kind="stable").tolist():
        row = int(np.flatnonzero((room >= sizes[n]).all(1))[0])  # there is always an empty one
        if row == len(rows):
            rows.append([])
        rows[row].append(n)
        room[row] -= sizes[n]
    return rows


def _numbers(rows: list[list[int]], count: int) -> NDArray[np.int64]:
    """The place of each text in its row, from 1 on."""
    numbers = np.zeros(count, np.int64)
    for row in rows:
        numbers[row] = range(1, len(row) + 1)
    return numbers
