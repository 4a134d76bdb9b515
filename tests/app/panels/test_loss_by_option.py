"""Where values of an option stand, and how strongly a loss goes with them."""

import numpy as np
import pytest

from app.panels.loss_by_option import rank_correlation, scaled
from app.sheet_rows import Column
from app.widgets.scatter import Scale

OPTION = Column("model.d_model", "d_model", lambda facts: None)


def test_few_numbers_have_a_tick_each() -> None:
    assert scaled(OPTION, [4, 2, 4, 8]) == ([4, 2, 4, 8], Scale(ticks=((2, "2"), (4, "4"), (8, "8"))))


def test_numbers_far_apart_stand_on_a_logarithmic_axis() -> None:
    places, scale = scaled(OPTION, [1e-4 * 2**power for power in range(10)])
    assert np.diff(places) == pytest.approx(np.log10(2))
    assert scale == Scale(log=True)
    assert not scaled(OPTION, [0.0, 0.5])[1].log, "nought has no logarithm"


def test_words_stand_beside_each_other() -> None:
    values = ["relu", None, "gelu", "relu"]
    ticks = (0, "gelu"), (1, "None"), (2, "relu")
    assert scaled(OPTION, values) == ([2, 1, 0, 2], Scale(ticks=ticks, room=0.5))
    assert scaled(OPTION, ["a" * 30, "b" * 40])[1].ticks == ((0, "a" * 30), (1, "b" * 29 + "…"))
    assert scaled(OPTION, [True, False])[1].ticks == ((0, "False"), (1, "True"))


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([1, 2, 3, 4, 50], 1.0),
        ([5, 4, 3, 2, 1], -1.0),
        ([3, 1, 4, 2, 5], 0.5),
        ([1, 1, 2, 2, 2], 0.8660254),  # ranks 1.5, 1.5, 4, 4, 4
    ],
)
def test_the_correlation_is_of_ranks(y: list[float], expected: float) -> None:
    assert rank_correlation([1, 2, 3, 4, 5], y) == pytest.approx(expected)


def test_what_does_not_vary_goes_with_nothing() -> None:
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
