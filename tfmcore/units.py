"""Numbers as people read them, in window and terminal: counts, durations, sizes and rates with their units."""

from __future__ import annotations

import math

_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
NO_NUMBER = "–"


def count(value: float, unit: str = "") -> str:
    """1234567 → "1.2 M"; below 10,000 exact: "9,999"; with a unit: "14.6 k tokens"."""
    if not math.isfinite(value):
        return NO_NUMBER
    return _join(_scaled(value, _PREFIXES) if abs(value) >= 9999.5 else f"{value:,.0f}", unit)


def rate(value: float, unit: str) -> str:
    """14600 tokens → "14.6 k tokens/s"; small rates keep a decimal: "2.5 steps/s"."""
    if not math.isfinite(value):
        return NO_NUMBER
    if abs(value) >= 999.5:
        return f"{_scaled(value, _PREFIXES)} {unit}/s"
    return f"{value:.{0 if abs(value) >= 99.95 else 1}f} {unit}/s"


def size(num_bytes: float) -> str:
    """Bytes with binary multiples: 1536 → "1.5 KiB"."""
    if not math.isfinite(num_bytes):
        return NO_NUMBER
    for factor, name in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if abs(num_bytes) >= factor:
            return f"{_three_digits(num_bytes / factor)} {name}"
    return f"{num_bytes:.0f} B"


def duration(seconds: float) -> str:
    """A length of time in its two leading units: "35 ms", "1.4 s", "1 min 40 s", "2 h 5 min", "3 d 4 h"."""
    if not math.isfinite(seconds):
        return NO_NUMBER
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds < 9.995e-4:
        return f"{_three_digits(seconds * 1e6)} µs"
    if seconds < 0.9995:
        return f"{_three_digits(seconds * 1e3)} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if seconds < 3599.5:
        return _pair(round(seconds), 60, "min", "s")
    return _pair(minutes, 60, "h", "min") if minutes < 24 * 60 else _pair(round(seconds / 3600), 24, "d", "h")


def number(value: float, digits: int = 4) -> str:
    """A measured value with `digits` significant digits and no noise: "1.832", "0.0003", "3e−05", "14.6 k", "2e+30"."""
    if not math.isfinite(value):
        return NO_NUMBER
    has_prefix = 10_000 <= abs(value) < 1000 * _PREFIXES[0][0]
    digits = max(digits, 4) if 1000 <= abs(value) < 10_000 else digits
    return (_scaled(value, _PREFIXES) if has_prefix else f"{value:.{digits}g}").replace("-", "−")


def epoch(value: float) -> str:
    """Passes over the data: "epoch 2.3", "epoch 0.04"."""
    return f"epoch {value:.1f}" if value >= 0.95 else f"epoch {value:.2g}"


def percent(share: float) -> str:
    """A share of 0 to 1: "97.4 %"; what is not quite none or all is never rounded to it."""
    if not math.isfinite(share):
        return NO_NUMBER
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share * 100:.{0 if share in (0, 1) else 1}f} %"


def _scaled(value: float, prefixes: tuple[tuple[float, str], ...]) -> str:
    for factor, prefix in prefixes:
        if abs(value) >= factor * 0.9995:
            return f"{_three_digits(value / factor)} {prefix}"
    return f"{value:,.0f}"


def _three_digits(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if abs(value) < 99.95 else f"{value:,.0f}"


def _pair(value: int, base: int, large: str, small: str) -> str:
    whole, rest = divmod(value, base)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def _join(value: str, unit: str) -> str:
    return f"{value} {unit}" if unit else value
