"""Numbers as people type them: 1e-3, 1_000, 2k, 10 %; and what one press of an arrow key makes of them."""

import math
import re

from tfmcore.config import Option

FACTORS = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "%": 0.01}
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")


def parse_number(text: str, kind: str) -> int | float | str | None:
    """The number that `text` says, whole where `kind` is int and it is whole; None for nothing.

    What is no number comes back as it is, so that the schema can say what is wrong with it.
    """
    plain = re.sub(r"[\s_]", "", text).replace("−", "-")
    if not plain:
        return None
    plain = plain.replace(",", "") if THOUSANDS.fullmatch(plain) else plain.replace(",", ".")
    factor = FACTORS.get(plain[-1], 1.0)
    try:
        if kind == "int" and plain.lstrip("+-").isdecimal():
            return int(plain)
        number = float(plain[:-1] if factor != 1.0 else plain) * factor
    except ValueError:
        return text
    number = float(f"{number:.15g}")
    return int(number) if kind == "int" and number.is_integer() and abs(number) < 1e15 else number


def number_text(value: object) -> str:
    """The shortest text that reads back as the value: 0.001, 1e-8, 10000."""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else re.sub(r"e-0(\d)", r"e-\1", repr(value))
    return "" if value is None else str(value)


def stepped(option: Option, value: float, direction: int) -> int | float:
    """The next sensible value above (direction 1) or below (−1), or `value` itself at a bound.

    Whole numbers move by 1 while small, by an eighth of their power of two where they are a multiple of 8 (widths),
    else by a tenth of their decimal place; shares by 0.05; other numbers through 1, 2, 5, 10.
    """
    if option.kind == "int":
        new: int | float = int(value) + direction * _whole_step(int(value), direction)
    elif option.minimum == 0 and option.maximum is not None and option.maximum <= 1:
        new = round(value + direction * 0.05, 10)
    else:
        new = _one_two_five(value, direction)
    if option.minimum is not None and new <= option.minimum:
        new = value if option.exclusive_minimum else option.minimum
    if option.maximum is not None and new >= option.maximum:
        new = value if option.exclusive_maximum else option.maximum
    return int(new) if option.kind == "int" else float(new)


def _whole_step(value: int, direction: int) -> int:
    size = abs(value)
    if size + min(direction, 0) < 16:
        return 1
    if size % 8 == 0 and size % 100:
        return max(8, 2 ** ((size + min(direction, 0)).bit_length() - 4))
    return max(1, 10 ** (len(str(size)) - 2))


def _one_two_five(value: float, direction: int) -> float:
    if value <= 0:
        return 0.1 if direction > 0 else value
    exponent = math.floor(math.log10(value))
    ladder = [float(f"{digit}e{power}") for power in range(exponent - 1, exponent + 2) for digit in (1, 2, 5)]
    if direction > 0:
        return min(step for step in ladder if step > value * (1 + 1e-9))
    return max(step for step in ladder if step < value * (1 - 1e-9))
