"""The learning rate as it is planned."""

import itertools
import math

import pytest

from tests.tfmcore.conftest import choices
from tfmcore.config import TrainingConfig
from tfmcore.config.schedules import learning_rate

SCHEDULES = choices("training.schedule")


def rates(schedule: str, steps: int = 1000, **more) -> list[float]:
    config = TrainingConfig(
        **{"schedule": schedule, "steps": steps, "warmup_steps": 100, "learning_rate": 0.01, **more}
    )
    return [learning_rate(config, 128, step) for step in range(1, steps + 1)]


def test_each_has_a_shape_of_its_own():
    assert len({tuple(rates(schedule)) for schedule in SCHEDULES}) == len(SCHEDULES)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warm_up_is_a_line_from_zero(schedule):
    plan = rates(schedule)
    assert plan[49] == pytest.approx(plan[99] / 2)
    assert plan[0] == pytest.approx(plan[99] / 100)
    assert max(plan) == pytest.approx(plan[99])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_never_rises_after_warm_up_and_never_jumps(schedule):
    plan = rates(schedule)
    assert all(a >= b for a, b in itertools.pairwise(plan[99:]))
    assert max(abs(a - b) for a, b in itertools.pairwise(plan)) <= max(plan) / 100 * 1.0001


@pytest.mark.parametrize(("schedule", "share"), [("constant", 1.0), ("linear", 0.1), ("cosine", 0.1), ("wsd", 0.1)])
def test_ends_at_its_share_and_stays_there(schedule, share):
    config = TrainingConfig(schedule=schedule, steps=1000, learning_rate=0.01)
    assert learning_rate(config, 128, 1000) == pytest.approx(0.01 * share)
    assert learning_rate(config, 128, 5000) == pytest.approx(0.01 * share)


def test_cosine_is_half_way_in_the_middle():
    config = TrainingConfig(schedule="cosine", steps=1000, warmup_steps=0, minimum_learning_rate=0.0, learning_rate=1.0)
    assert learning_rate(config, 128, 500) == pytest.approx(0.5)


def test_wsd_stays_and_falls_on_a_line_in_its_last_steps():
    plan = rates("wsd", decay_share=0.25, minimum_learning_rate=0.0)
    assert set(plan[99:750]) == {0.01}
    assert plan[874] == pytest.approx(0.005)
    assert plan[-1] == 0.0
    short = rates("wsd", steps=200, decay_share=1.0)
    assert max(short) == short[99]
    assert short[-1] == pytest.approx(0.001)


def test_noam_is_the_formula_of_the_paper():
    config = TrainingConfig(schedule="noam", warmup_steps=4000, steps=10, learning_rate=1.0)
    for step in (1, 4000, 100_000):
        assert learning_rate(config, 512, step) == pytest.approx(512**-0.5 * min(step**-0.5, step * 4000**-1.5))


@pytest.mark.parametrize("schedule", [each for each in SCHEDULES if each != "noam"])
def test_one_step_without_warm_up(schedule):
    plan = rates(schedule, steps=1, warmup_steps=0)
    assert math.isfinite(plan[0])
    assert plan[0] > 0
