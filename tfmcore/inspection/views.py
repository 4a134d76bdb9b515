"""Views of attention weights: as large as a screen can show, however long the text.

L layers, H heads, T queries (rows), S keys (columns).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

Weights = np.ndarray[Any, np.dtype[Any]]
Edges = np.ndarray[Any, np.dtype[np.int64]]


class View(NamedTuple):
    """weights (heads, n, m) float32, each the largest of the rows and columns between its edges (n + 1 and m + 1)."""

    weights: Weights
    row_edges: Edges
    column_edges: Edges
    pooled: bool


def view(
    weights: Weights,
    heads: Sequence[int] = (),
    rows: tuple[int, int] | None = None,
    columns: tuple[int, int] | None = None,
    size: int = 1024,
) -> View:
    """A part of one layer's weights (H, T, S) float16: some heads, or the mean of all, between rows and columns
    (end excluded; cut to what there is), pooled by maximum to at most size × size."""
    row_edges, column_edges = edges(rows, weights.shape[1], size), edges(columns, weights.shape[2], size)
    part = weights[:, row_edges[0] : row_edges[-1], column_edges[0] : column_edges[-1]]
    if heads:
        cells = pool(part[list(heads)], row_edges, column_edges).astype(np.float32)
    else:
        mean = np.add.reduce(part, axis=0, dtype=np.float32, keepdims=True) / len(part)
        cells = pool(mean, row_edges, column_edges)
    pooled = cells.shape[1:] != part.shape[1:]
    return View(cells, row_edges, column_edges, pooled)


class Thumbnails(NamedTuple):
    """levels (H, n, m) uint8, where 255 is the largest weight of the head; those (H,) float32."""

    levels: np.ndarray[Any, np.dtype[np.uint8]]
    largest: np.ndarray[Any, np.dtype[np.float32]]


def thumbnails(weights: Weights, size: int = 32) -> Thumbnails:
    """One layer's heads (H, T, S) float16, each pooled by maximum to at most size × size."""
    row_edges, column_edges = edges(None, weights.shape[1], size), edges(None, weights.shape[2], size)
    cells = pool(weights, row_edges, column_edges).astype(np.float32)
    largest = cells.max(axis=(1, 2), keepdims=True)
    levels = (cells * (255 / np.maximum(largest, 1e-9))).round().astype(np.uint8)
    return Thumbnails(levels, largest[:, 0, 0])


def edges(between: tuple[int, int] | None, length: int, size: int) -> Edges:
    """Where at most `size` cells of nearly equal width begin and end, within `between` and 0 … length."""
    start, stop = between or (0, length)
    start = min(max(start, 0), length - 1)
    stop = min(max(stop, start + 1), length)
    return np.linspace(start, stop, min(stop - start, size) + 1).round().astype(np.int64)


def pool(weights: Weights, row_edges: Edges, column_edges: Edges) -> Weights:
    """The largest of each cell: (H, T, S) → (H, n, m), where the edges begin at the first row and column given."""
    integers = weights.view(np.uint16 if weights.dtype == np.float16 else np.uint32)  # ordered alike from 0 up, faster
    if len(row_edges) <= integers.shape[1]:
        bounds = pairwise((row_edges - row_edges[0]).tolist())
        integers = np.stack([integers[:, start:stop].max(axis=1) for start, stop in bounds], axis=1)
    if len(column_edges) <= integers.shape[2]:
        integers = np.maximum.reduceat(integers, column_edges[:-1] - column_edges[0], axis=2)
    return integers.view(weights.dtype)
