"""Numbers as people type them, and steps that make sense."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.forms.numbers import number_text, parse_number, stepped
from tfmcore.config import Option, options

NUMBERS = [option for option in options() if option.kind in ("int", "float")]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("1e-3", "float", 0.001),
        ("1_000", "int", 1000),
        ("1 000", "int", 1000),
        ("12,000", "int", 12000),
        ("0,5", "float", 0.5),
        ("0,001", "float", 0.001),
        ("2k", "int", 2000),
        ("1.5M", "int", 1_500_000),
        ("10 %", "float", 0.1),
        ("−3", "int", -3),
        ("1e3", "int", 1000),
        ("1.5", "int", 1.5),
        ("", "int", None),
        ("  ", "float", None),
        ("abc", "int", "abc"),
        ("k", "int", "k"),
        ("9" * 5000, "int", "9" * 5000),
    ],
)
def test_a_number_is_read_as_it_is_meant(text, kind, value):
    number = parse_number(text, kind)
    assert number == value
    assert type(number) is type(value)


@given(st.one_of(st.integers(-(10**14), 10**14), st.floats(1e-12, 1e12)))
def test_what_is_written_reads_back(value):
    number = parse_number(number_text(value), "int" if isinstance(value, int) else "float")
    assert number == pytest.approx(value, rel=1e-14)


@given(st.text(max_size=12), st.sampled_from(["int", "float"]))
def test_no_text_breaks_the_reader(text, kind):
    number = parse_number(text, kind)
    assert number is None or isinstance(number, int | float | str)


@pytest.mark.parametrize("option", NUMBERS, ids=lambda option: option.path)
@pytest.mark.parametrize("direction", [1, -1])
def test_a_step_stays_within_the_bounds(option: Option, direction: int):
    value = option.default if option.default is not None else option.minimum + 1
    for _ in range(30):
        value = stepped(option, value, direction)
        assert option.minimum is None or option.minimum < value + (not option.exclusive_minimum)
        assert option.maximum is None or option.maximum > value - (not option.exclusive_maximum)
        assert isinstance(value, int) == (option.kind == "int")
        assert math.isfinite(value)


def test_steps_keep_widths_round():
    width = next(option for option in options("model") if option.name == "d_model")
    rate = next(option for option in options("training") if option.name == "learning_rate")
    steps = next(option for option in options("training") if option.name == "steps")
    assert [stepped(width, value, 1) for value in (4, 64, 128, 1024)] == [5, 72, 144, 1152]
    assert [stepped(rate, value, 1) for value in (1e-3, 2e-3, 5e-3, 3e-4)] == pytest.approx([2e-3, 5e-3, 1e-2, 5e-4])
    assert [stepped(steps, value, -1) for value in (1000, 2000, 100)] == [900, 1900, 90]
