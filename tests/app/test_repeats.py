"""Runs that differ in nothing but the seed, and the mean of curves that are not equally long."""

import numpy as np
import pytest

from app.repeats import apart_from_seed, repeats, spread_of, together
from tests.app.conftest import facts_of
from tfmcore.config import find_preset
from tfmcore.runs import Run, RunState

STEPS = np.array([1.0, 2.0, 3.0])


def test_only_the_seed_of_the_training_may_differ(run: Run) -> None:
    config = find_preset("nano-decoder").config([])
    others = [
        config,
        config.replaced(training__seed=3),
        config.replaced(data__seed=3),  # which holds out other texts
        config.replaced(training__steps=3),
    ]
    runs = [facts_of(run, RunState.RUNNING, id=f"{n}", config=each) for n, each in enumerate([*others, None])]
    groups = repeats(runs, [apart_from_seed(facts) for facts in runs])
    assert [[facts.id for facts in group] for group in groups] == [["0", "1"], ["2"], ["3"], ["4"]]


def test_of_one_loss_there_is_no_spread(run: Run) -> None:
    one, two, none = (facts_of(run, RunState.RUNNING, best_loss=loss) for loss in (1.0, 2.0, None))
    assert spread_of([one, none]) is None
    assert spread_of([one, two, none]) == pytest.approx((1.5, 0.5**0.5))


def test_each_curve_counts_where_it_is() -> None:
    found = together([(STEPS, STEPS), (STEPS[:2], 3 * STEPS[:2]), (STEPS[:0], STEPS[:0])])
    assert found.x.tolist() == [1, 2, 3]
    assert found.mean.tolist() == [2, 4, 3]
    assert found.low.tolist() == [1, 2, 3]
    assert found.high.tolist() == [3, 6, 3]


def test_between_its_points_a_curve_is_a_line() -> None:
    found = together([(STEPS, STEPS), (np.array([1.0, 3.0]), np.array([5.0, 7.0]))])
    assert found.mean.tolist() == [3, 4, 5]


def test_gaps_are_passed_over() -> None:
    found = together([(STEPS, np.array([1, np.nan, 1])), (STEPS, STEPS)])
    assert found.mean.tolist() == [1, 2, 2]
    nothing = together([(STEPS, np.full(3, np.nan)), (STEPS[:0], STEPS[:0])])
    assert [len(each) for each in nothing] == [0, 0, 0, 0]
    assert len(together([]).x) == 0
