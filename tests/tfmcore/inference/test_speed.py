"""Writing speed counts the bytes of the matrices that a token passes."""

import pytest

from tests.tfmcore.inference.test_decoding import VOCAB, model_of
from tfmcore.config import ModelConfig
from tfmcore.inference.speed import writing_speed
from tfmcore.nn.kernels import packed


@pytest.mark.parametrize(("precision", "size"), [("fp32", 4), ("bf16", 2), ("int8", 1)])
@pytest.mark.parametrize("architecture", ["decoder", "encoder_decoder"])
def test_bytes_are_those_of_the_decoders_matrices_and_the_head(monkeypatch, architecture, precision, size):
    monkeypatch.setattr(packed, "SMALL", 0)
    config = ModelConfig(
        architecture=architecture, num_layers=2, d_model=16, num_heads=2, d_ff=24, context_length=12, activation="relu"
    )
    attention, feed_forward = 4 * 16 * 16, 2 * 16 * 24
    cross_attention = 2 * 16 * 16 if architecture == "encoder_decoder" else 0  # keys and values are projected once
    layer = attention + cross_attention + feed_forward
    found = writing_speed(model_of(config), precision)
    assert found.bytes_per_token == size * (2 * layer + 16 * VOCAB)
    assert found.tokens_per_second > 0


@pytest.mark.parametrize("context", [1, 2])
def test_the_smallest_contexts_are_measured_too(context):
    config = ModelConfig(num_layers=1, d_model=16, num_heads=2, context_length=context)
    assert writing_speed(model_of(config), "fp32").tokens_per_second > 0
