"""The parts of a model: those that it has, those that it has not, and the nearest of these."""

import pytest

from tfmcore.config import ModelConfig, find_problems
from tfmcore.config.parts import nearest_part, weights_of

MODELS = {
    "encoder": ModelConfig(architecture="encoder", num_layers=3),
    "decoder": ModelConfig(architecture="decoder", num_layers=3),
    "encoder_decoder": ModelConfig(architecture="encoder_decoder", num_layers=3, num_decoder_layers=2),
}
WEIGHTS = [
    ("encoder", "layers.1", ("encoder.layers.1.",)),
    ("decoder", "layers.0-2", ("decoder.layers.0.", "decoder.layers.1.", "decoder.layers.2.")),
    ("decoder", "decoder", ("decoder.",)),
    ("decoder", "decoder.layers.2", ("decoder.layers.2.",)),
    ("encoder_decoder", "layers.1-2", ("encoder.layers.1.", "encoder.layers.2.", "decoder.layers.1.")),
    ("encoder_decoder", "decoder.layers.0-1", ("decoder.layers.0.", "decoder.layers.1.")),
    ("encoder", "head", ("head.", "next_sentence_head.")),
]
WRONG = [
    ("encoder", "layers.0-7", "layers.0-2"),
    ("encoder", "layers.9", "layers.2"),
    ("encoder", "layers.2-1", "layers.1-2"),
    ("encoder", "decoder.layers.1", "layers.1"),
    ("encoder", "embeddings", "embedding"),
    ("decoder", "encoder", "decoder"),
    ("encoder_decoder", "decoder.layers.0-2", "decoder.layers.0-1"),
]


@pytest.mark.parametrize(("kind", "part", "names"), WEIGHTS)
def test_names_begin_so(kind, part, names):
    assert weights_of(part, MODELS[kind]) == names


@pytest.mark.parametrize(("kind", "part", "nearest"), WRONG)
def test_wrong_part_is_named_with_the_nearest_that_is_there(kind, part, nearest):
    assert weights_of(part, MODELS[kind]) == ()
    assert nearest_part(part, MODELS[kind]) == nearest
    assert weights_of(nearest, MODELS[kind])


def test_config_says_which_part_is_wrong():
    [problem] = find_problems({"model": {"num_layers": 2}, "training": {"freeze": ["head", "layers.0-5"]}})
    assert (problem.field, problem.nearest) == ("training.freeze", ["head", "layers.0-1"])
    assert "'layers.0-5'" in problem.reason
