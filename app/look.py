"""The design tokens: every colour by what it means, for dark and light, and every size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

GRID = 8
"""Every distance is a multiple (or a half) of this many pixels."""
BODY_SIZE, SMALL_SIZE = 13, 11
"""The two text sizes, in device-independent pixels."""
MONO_FAMILIES = ("JetBrains Mono", "SF Mono", "Menlo", "Cascadia Mono", "Consolas", "DejaVu Sans Mono")


@dataclass(frozen=True)
class Theme:
    """One look: colours as "#rrggbb" by what they mean.

    `series` is the Okabe-Ito palette (Okabe & Ito, "Color Universal Design", 2008), its black and yellow adapted to
    the background; `magnitude` and `signed` are the anchors of the colour maps; `blocks` fills the block diagram.
    """

    name: Literal["dark", "light"]
    background: str
    surface: str
    raised: str
    hover: str
    border: str
    text: str
    muted: str
    disabled: str
    accent: str
    on_accent: str
    training: str
    validation: str
    good: str
    warning: str
    bad: str
    series: tuple[str, ...]
    magnitude: tuple[str, ...]
    signed: tuple[str, ...]
    blocks: Mapping[str, str] = field(default_factory=dict)


LIGHT = Theme(
    name="light",
    background="#f5f6f8",
    surface="#ffffff",
    raised="#eceef2",
    hover="#e3e6ec",
    border="#d3d7df",
    text="#1f2430",
    muted="#59616f",
    disabled="#7d8593",
    accent="#5a4bc4",
    on_accent="#ffffff",
    training="#006ba8",
    validation="#d55e00",
    good="#06704c",
    warning="#8a5300",
    bad="#b3261e",
    series=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#3a3f4a", "#a69a00"),
    magnitude=("#ffffff", "#b3bdf0", "#6a5acd", "#1c1140"),
    signed=("#14532d", "#4f9b6a", "#ffffff", "#9b6fc0", "#4a1468"),
    blocks=MappingProxyType(
        {
            "embedding": "#fbe3e4",
            "position": "#f3f0e4",
            "attention": "#fde7cf",
            "feed_forward": "#d9ecf8",
            "norm": "#f6f4cf",
            "head": "#e3e1f6",
            "output": "#dcefe0",
        }
    ),
)

DARK = Theme(
    name="dark",
    background="#1a1c20",
    surface="#212429",
    raised="#2b2f36",
    hover="#353a43",
    border="#3b414b",
    text="#e4e7ec",
    muted="#a0a8b5",
    disabled="#7b8492",
    accent="#a89df8",
    on_accent="#17181c",
    training="#56b4e9",
    validation="#f0a030",
    good="#4cc38a",
    warning="#e2b33c",
    bad="#ff8a80",
    series=("#56b4e9", "#e69f00", "#2fbf94", "#cc79a7", "#4b8fd6", "#e8743b", "#d5d9e0", "#f0e442"),
    magnitude=("#212429", "#3f478f", "#9a70d8", "#ffe9d2"),
    signed=("#b5f0c6", "#4f9b6a", "#212429", "#9b6fc0", "#ecd0ff"),
    blocks=MappingProxyType(
        {
            "embedding": "#4a3237",
            "position": "#3d3a2e",
            "attention": "#4d3b26",
            "feed_forward": "#26404f",
            "norm": "#434223",
            "head": "#383550",
            "output": "#2a4433",
        }
    ),
)
