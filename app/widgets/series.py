"""The points of one curve: growable buffers, their smoothing, and what of them a screen can show."""

from __future__ import annotations

import numpy as np

CHUNK = 64
GROWTH = 4
"""Room that is not yet used costs no memory, but moving a million points costs a frame."""


class Series:
    """Points in order of x (float64), where y may be not-a-number: a gap.

    `smoothed` is the exponential moving average ema_t = s·ema_{t-1} + (1 - s)·y_t of smoothing s, which starts at the
    first value and passes over gaps.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        self.smoothing = smoothing
        self._buffers = np.empty((3, 1024))
        self.length = 0
        self._average = np.nan

    @property
    def x(self) -> np.ndarray:
        return self._buffers[0, : self.length]

    @property
    def y(self) -> np.ndarray:
        return self._buffers[1, : self.length]

    @property
    def smoothed(self) -> np.ndarray:
        return self._buffers[2, : self.length]

    def set(self, x: np.ndarray, y: np.ndarray) -> None:
        """Replace all points; x is put in order. Raises ValueError if the lengths differ."""
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if x.shape != y.shape or x.ndim != 1:
            raise ValueError(f"x of shape {x.shape} does not fit y of shape {y.shape}")
        if (np.diff(x) < 0).any():
            order = np.argsort(x, kind="stable")
            x, y = x[order], y[order]
        self.length = len(x)
        self._reserve(len(x))
        self._buffers[0, : len(x)], self._buffers[1, : len(x)] = x, y
        self.smooth(self.smoothing)

    def append(self, x: float, y: float) -> None:
        """Add one point in O(1); a point that stands before the last one is put where it belongs."""
        if self.length and x < self._buffers[0, self.length - 1]:
            self.set(np.append(self.x, x), np.append(self.y, y))
            return
        self._reserve(self.length + 1)
        self._average = y if np.isnan(self._average) else self._average
        if not np.isnan(y):
            self._average = self.smoothing * self._average + (1 - self.smoothing) * y
        self._buffers[:, self.length] = x, y, y if np.isnan(y) else self._average
        self.length += 1

    def extend(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add many points at once, at a cost that does not grow with those that are there."""
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        joined = x if not self.length else np.append(self._buffers[0, self.length - 1], x)
        if x.shape != y.shape or (np.diff(joined) < 0).any():
            self.set(np.append(self.x, x), np.append(self.y, y))
            return
        new = slice(self.length, self.length + len(x))
        self._reserve(new.stop)
        self._buffers[0, new], self._buffers[1, new] = x, y
        self._buffers[2, new] = exponential_average(y, self.smoothing, self._average)
        self.length = new.stop
        self._remember_average(new)

    def smooth(self, smoothing: float) -> None:
        """Smooth all points anew, 0 (not at all) up to but not including 1."""
        self.smoothing = smoothing
        self._buffers[2, : self.length] = exponential_average(self.y, smoothing)
        self._average = np.nan
        self._remember_average(slice(0, self.length))

    def _remember_average(self, of: slice) -> None:
        known = np.flatnonzero(np.isfinite(self._buffers[2, of]))
        if len(known):
            self._average = float(self._buffers[2, of][known[-1]])

    def nearest(self, x: float) -> int | None:
        """The index of the point nearest to `x`."""
        if not self.length:
            return None
        right = min(int(np.searchsorted(self.x, x)), self.length - 1)
        left = max(right - 1, 0)
        return left if abs(self.x[left] - x) <= abs(self.x[right] - x) else right

    def _reserve(self, length: int) -> None:
        if length > self._buffers.shape[1]:
            grown = np.empty((3, max(length, GROWTH * self._buffers.shape[1])))
            grown[:, : self._buffers.shape[1]] = self._buffers
            self._buffers = grown


def exponential_average(y: np.ndarray, smoothing: float, start: float = np.nan) -> np.ndarray:
    """(N,) → (N,) moving average, in chunks by a triangular matrix so that a million points take milliseconds.

    `start` is the average of what went before; without one it is the first value.
    """
    finite = np.isfinite(y)
    known = y[finite]
    if not smoothing or not len(known):
        return y.copy()
    padded = np.append(known, np.full(-len(known) % CHUNK, known[-1])).reshape(-1, CHUNK)  # (N/CHUNK, CHUNK)
    powers = smoothing ** np.arange(CHUNK + 1)
    lags = np.subtract.outer(np.arange(CHUNK), np.arange(CHUNK))
    within = padded @ np.where(lags >= 0, (1 - smoothing) * powers[np.maximum(lags, 0)], 0.0).T
    carry, carries = float(known[0]) if np.isnan(start) else start, np.empty(len(padded))
    for chunk, end in enumerate(within[:, -1].tolist()):
        carries[chunk] = carry
        carry = powers[CHUNK] * carry + end
    result = np.full(len(y), np.nan)
    result[finite] = (within + carries[:, None] * powers[None, 1:]).reshape(-1)[: len(known)]
    return result


def decimate(
    x: np.ndarray, y: np.ndarray, low: float, high: float, columns: int, *, mean: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The points of [low, high] and one beyond each end: at most about two a pixel column, or with `mean` one.

    The two are the column's least and greatest, so no peak is lost. Gaps survive where they are wider than a pixel.
    """
    start = max(int(np.searchsorted(x, low)) - 1, 0)
    stop = min(int(np.searchsorted(x, high, side="right")) + 1, len(x))
    x, y = x[start:stop], y[start:stop]
    if len(x) and high > low:  # a curve over a tenth of the range has a tenth of the columns
        columns = min(columns, max(round(columns * (x[-1] - x[0]) / (high - low)), 16))
    if len(x) <= (1 if mean else 4) * columns:
        return x, y
    edges = np.linspace(x[0], x[-1], columns, endpoint=False)
    starts = np.unique(np.searchsorted(x, edges))
    if mean:
        totals = np.add.reduceat(y, starts)
        if np.isfinite(totals).all():  # no gaps, which are the rare case
            return x[starts], totals / np.diff(starts, append=len(x))
        known = np.isfinite(y)
        total, num = np.add.reduceat(np.where(known, y, 0.0), starts), np.add.reduceat(known.astype(np.float64), starts)
        return x[starts], np.divide(total, num, out=np.full(len(starts), np.nan), where=num > 0)
    pair = np.empty((len(starts), 2))
    np.fmin.reduceat(y, starts, out=pair[:, 0])
    np.fmax.reduceat(y, starts, out=pair[:, 1])
    return np.repeat(x[starts], 2), pair.reshape(-1)
