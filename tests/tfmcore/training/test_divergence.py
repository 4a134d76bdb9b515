"""What is told of a step whose loss was no number."""

import math

import pytest

from tfmcore.config import ModelConfig, SavedModel, TrainingConfig
from tfmcore.models import build
from tfmcore.training.divergence import NUM_IDS, diverged
from tfmcore.training.learner import Learner

TASK = "language_modeling"


@pytest.mark.fault(19)
@pytest.mark.parametrize(("count", "named", "more"), [(4, 4, ""), (NUM_IDS + 2500, NUM_IDS, " and 2,500 more")])
def test_the_examples_of_its_batch_are_named_unless_they_are_very_many(count, named, more):
    learner = Learner(build(SavedModel(task=TASK, vocab_size=5, model=ModelConfig())), TASK, TrainingConfig())
    failure = diverged(7, math.nan, 1.0, list(range(count)), ["a text\n"], learner, 0.1)
    assert f"examples of the batch: {list(range(named))}{more}\n    ▸ a text\n" in failure.details
    assert "branch from an earlier checkpoint" in str(failure)
