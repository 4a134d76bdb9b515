"""Colour maps as lookup tables, evenly spaced in OKLab from the theme's anchors, and arrays drawn through them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from PySide6.QtGui import QImage

from app.colours import rgb
from app.theme import theme

# Linear sRGB -> cone response -> Lab (Björn Ottosson, "A perceptual color space for image processing", 2020).
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def magnitude_map() -> np.ndarray:
    """(256, 3) uint8 for values from zero up: begins at the surface's colour, so nothing looks like nothing."""
    return _map(theme().magnitude)


def signed_map() -> np.ndarray:
    """(256, 3) uint8 for values of both signs: the surface's colour at zero, green below it, violet above."""
    return _map(theme().signed)


@cache
def _map(anchors: tuple[str, ...]) -> np.ndarray:
    lab = rgb_to_oklab(np.array([rgb(anchor) for anchor in anchors]))
    position = np.linspace(0, len(anchors) - 1, 2048)
    path = np.stack([np.interp(position, np.arange(len(anchors)), lab[:, i]) for i in range(3)], axis=1)
    if len(anchors) % 2:  # a diverging map keeps its middle at zero: each half is spaced on its own
        halves = (_evenly(path[:1024], 128), _evenly(path[1024:], 128))
        path = np.concatenate(halves)
    else:
        path = _evenly(path, 256)
    table = (oklab_to_rgb(path) * 255).round().astype(np.uint8)
    table.setflags(write=False)
    return table


def _evenly(path: np.ndarray, steps: int) -> np.ndarray:
    """Resample a path through OKLab at equal perceived distances."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.linspace(0, length[-1], steps)
    return np.stack([np.interp(at, length, path[:, i]) for i in range(3)], axis=1)


def rgb_to_oklab(colours: np.ndarray) -> np.ndarray:
    """(N, 3) sRGB of 0 to 1 → (N, 3) OKLab."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T


def oklab_to_rgb(lab: np.ndarray) -> np.ndarray:
    """(N, 3) OKLab → (N, 3) sRGB, clipped to 0 to 1."""
    linear = ((lab @ np.linalg.inv(_TO_LAB).T) ** 3) @ np.linalg.inv(_TO_CONES).T
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).clip(0, 1)


def levels(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values of any shape → uint8 indices into a map, `low` at 0 and `high` at 255; what is not a number is 0."""
    span = high - low
    if not span > 0:
        return np.zeros(values.shape, dtype=np.uint8)
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * (255.0 / span)
    return np.clip(scaled + 0.5, 0, 255).astype(np.uint8)


def image(indices: np.ndarray, table: np.ndarray) -> QImage:
    """An indexed image of (R, C) uint8 `indices` whose colours come from the (256, 3) `table`."""
    indices = np.ascontiguousarray(indices)
    rows, columns = indices.shape
    result = QImage(indices.data, columns, rows, columns, QImage.Format.Format_Indexed8)
    result.setColorTable(_colour_table(table.tobytes()))
    return result.convertToFormat(QImage.Format.Format_RGB32)  # also detaches it from the array's memory


@cache
def _colour_table(table: bytes) -> Sequence[int]:
    return [0xFF000000 | r << 16 | g << 8 | b for r, g, b in zip(table[::3], table[1::3], table[2::3], strict=True)]
