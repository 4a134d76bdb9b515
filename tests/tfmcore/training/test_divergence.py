"""What is told of a step whose loss was no number."""

import math

import pytest
from torch import nn

from tfmcore.config import TrainingConfig
from tfmcore.training.divergence import NUM_IDS, diverged


@pytest.mark.fault(19)
@pytest.mark.parametrize(("count", "named", "more"), [(4, 4, ""), (NUM_IDS + 2500, NUM_IDS, " and 2,500 more")])
def test_the_examples_of_its_batch_are_named_unless_they_are_very_many(count, named, more):
    failure = diverged(7, math.nan, 1.0, list(range(count)), ["a text\n"], nn.Linear(2, 2), 0.1, TrainingConfig())
    assert f"examples of the batch: {list(range(named))}{more}\n    ▸ a text\n" in failure.details
    assert "branch from an earlier checkpoint" in str(failure)
