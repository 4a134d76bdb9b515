"""Numbers as people read them."""

import math

import pytest

from tfmcore import units


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (9999, "9,999"),
        (10_000, "10 k"),
        (14_649, "14.6 k"),
        (999_960, "1 M"),
        (1_234_567, "1.2 M"),
        (110e6, "110 M"),
        (175e9, "175 G"),
        (-14_600, "-14.6 k"),
    ],
)
def test_counts(value: float, text: str) -> None:
    assert units.count(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.000_02, "20 µs"),
        (0.035, "35 ms"),
        (0.9996, "1.0 s"),
        (1.42, "1.4 s"),
        (42.4, "42 s"),
        (59.8, "1 min"),
        (100, "1 min 40 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86_400 + 3 * 3600, "1 d 3 h"),
        (-100, "−1 min 40 s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.974, "97.4 %"), (0.03, "3.0 %"), (1e-5, "< 0.1 %"), (0.9999, "> 99.9 %")],
)
def test_percentages_never_round_to_none_or_all(share: float, text: str) -> None:
    assert units.percent(share) == text


def test_rates_sizes_and_numbers() -> None:
    assert units.rate(14_600, "tokens") == "14.6 k tokens/s"
    assert units.rate(2.5, "steps") == "2.5 steps/s"
    assert units.rate(120.4, "steps") == "120 steps/s"
    assert units.size(512) == "512 B"
    assert units.size(1536) == "1.5 KiB"
    assert units.size(3 * 2**30) == "3 GiB"
    assert units.number(1.83249) == "1.832"
    assert units.number(-0.5) == "−0.5"
    assert units.number(14_600) == "14.6 k"
    assert units.number(1000, 3) == "1000"
    assert units.number(-3e20) == "−300 E"
    assert units.number(2e30) == "2e+30"
    assert units.count(3, "heads") == "3 heads"
    assert [units.epoch(value) for value in (0, 0.0234, 1, 12.34)] == [
        "epoch 0", "epoch 0.023", "epoch 1.0", "epoch 12.3"
    ]  # fmt: skip


@pytest.mark.parametrize("write", [units.count, units.size, units.duration, units.number, units.percent])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_a_dash(write, value: float) -> None:
    assert write(value) == units.NO_NUMBER
