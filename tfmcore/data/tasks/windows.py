"""Long texts read in windows: where each begins, and how many tokens two of them share."""

import numpy as np
from numpy.typing import NDArray

from tfmcore.data.tasks.task import Sequences

Counts = NDArray[np.int64]


def in_windows(lengths: Counts, room: Counts, overlap: int, frame: Counts) -> Sequences:
    """The windows of texts of some `lengths` (N,), each of at most `room` (N,) tokens, of which `overlap` (half of the
    room at most) stand in the one before too. A sequence is `frame` (N,) tokens longer than its window."""
    step = room - shared(room, overlap)
    counts = 1 + np.maximum(0, -(-(lengths - room) // step))
    examples = np.repeat(np.arange(len(lengths)), counts)
    starts = (np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)) * step[examples]
    return Sequences(examples, starts, np.minimum(room[examples], lengths[examples] - starts) + frame[examples])


def shared(room: Counts, overlap: int) -> Counts:
    """Tokens that a window of `room` has in common with the one before."""
    return np.minimum(overlap, room // 2)
