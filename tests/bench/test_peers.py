"""What is compared is the same model."""

import pytest
import torch

from tests.bench.peers import hugging_face
from tests.bench.training_speed import SETTINGS, our_config
from tfmcore.config import SavedModel
from tfmcore.models import build


@pytest.mark.parametrize("name", SETTINGS)
def test_ours_has_the_weights_of_the_peer(name):
    s = SETTINGS[name]
    with torch.device("meta"):
        ours = build(SavedModel(task=s.task, vocab_size=s.vocab_size, model=our_config(s, "fp32").model))
        theirs = hugging_face(s).model
    numbers = [sum(weight.numel() for weight in model.parameters()) for model in (ours, theirs)]
    assert numbers[0] == numbers[1]
