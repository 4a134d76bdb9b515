"""Arithmetic of colours written "#rrggbb": mixing, opacity, contrast."""

from __future__ import annotations

from PySide6.QtGui import QColor


def rgb(colour: str) -> tuple[float, float, float]:
    """Red, green and blue, each 0 to 1."""
    parts = QColor(colour)
    return parts.redF(), parts.greenF(), parts.blueF()


def mix(under: str, over: str, share: float) -> QColor:
    """The opaque colour of `share` (0 to 1) of `over` laid on `under`."""
    return QColor.fromRgbF(*(a + (b - a) * share for a, b in zip(rgb(under), rgb(over), strict=True)))


def translucent(colour: str, alpha: float) -> QColor:
    """`colour` with an opacity of 0 to 1."""
    result = QColor(colour)
    result.setAlphaF(alpha)
    return result


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2, "relative luminance" and "contrast ratio")."""

    def luminance(colour: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb(colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)
