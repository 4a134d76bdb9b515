"""The heads: their shapes, their formulas, and padding wherever it is."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from tfmcore.nn import heads
from tfmcore.nn.heads import (
    ClassificationHead,
    LanguageModelHead,
    MaskedLanguageModelHead,
    NextSentenceHead,
    SpanHead,
    TaggingHead,
    pool,
)
from tfmcore.nn.norm import LayerNorm

HIDDEN = torch.arange(1.0, 9.0).repeat_interleave(2).view(2, 4, 2)  # the tokens are 1 2 3 4 and 5 6 7 8


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (None, {"first": [1, 5], "last": [4, 8], "mean": [2.5, 6.5]}),
        ([[1, 1, 1, 1], [1, 1, 0, 0]], {"first": [1, 5], "last": [4, 6], "mean": [2.5, 5.5]}),
        ([[0, 1, 1, 1], [0, 0, 0, 1]], {"first": [2, 8], "last": [4, 8], "mean": [3, 8]}),
        ([[1, 1, 1, 1], [0, 0, 0, 0]], {"mean": [2.5, 0]}),
    ],
)
def test_pooling(mask: list[list[int]] | None, expected: dict[Any, list[float]]) -> None:
    for real in (None,) if mask is None else (torch.tensor(mask), torch.tensor(mask).bool()):
        for pooling, values in expected.items():
            assert pool(HIDDEN, real, pooling)[:, 0].tolist() == values


def test_language_model_head() -> None:
    tokens, hidden = nn.Embedding(11, 8), torch.randn(2, 4, 8)
    tied, own = LanguageModelHead(8, 11, tokens), LanguageModelHead(8, 11)
    torch.testing.assert_close(tied(hidden), hidden @ tokens.weight.T)
    assert next(tied.parameters()) is tokens.weight
    assert own(hidden).shape == (2, 4, 11)


def test_masked_language_model_head() -> None:
    tokens, hidden, norm = nn.Embedding(11, 8), torch.randn(2, 4, 8), LayerNorm(8)
    head = MaskedLanguageModelHead(8, LanguageModelHead(8, 11, tokens, bias=True), norm)
    nn.init.normal_(head.decoder.bias)
    torch.testing.assert_close(head(hidden), norm(F.gelu(head.dense(hidden))) @ tokens.weight.T + head.decoder.bias)
    plain = MaskedLanguageModelHead(8, LanguageModelHead(8, 11), norm, "tanh", bias=False)
    expected = plain.decoder(norm(torch.tanh(hidden @ plain.dense.weight.T)))
    torch.testing.assert_close(plain(hidden), expected)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("softcap", [None, 2.0])
def test_further_rows_of_its_weights_change_no_logits(monkeypatch, bias, softcap) -> None:
    monkeypatch.setattr(heads, "missing_rows", lambda x, weight: 5)
    decoder, hidden = LanguageModelHead(8, 11, bias=bias, scale=0.5, softcap=softcap), torch.randn(2, 4, 8)
    for head in (decoder, MaskedLanguageModelHead(8, decoder, LayerNorm(8))):
        more = functional_call(head, head.weights_for(hidden), (hidden,))
        torch.testing.assert_close(more[..., :11], head(hidden))
        assert more.shape[-1] == 16
    decoder.register_forward_hook(lambda module, given, result: 2 * result)
    assert decoder.weights_for(hidden)["projection.weight"].shape == (11, 8)


def test_classification_heads() -> None:
    hidden = torch.randn(2, 4, 8)
    assert ClassificationHead(8, 5)(hidden).shape == (2, 5)
    head = NextSentenceHead(8)
    torch.testing.assert_close(head(hidden), head.classifier(torch.tanh(head.pooler[0](hidden[:, 0]))))
    assert head(hidden).shape == (2, 2)


def test_tagging_head() -> None:
    head, hidden = TaggingHead(8, 5), torch.randn(2, 4, 8)
    torch.testing.assert_close(head(hidden), head.classifier(hidden))


def test_span_head_never_chooses_padding() -> None:
    head, hidden = SpanHead(8), torch.randn(2, 4, 8)
    logits = head(hidden, torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0]]))
    assert logits.shape == (2, 4, 2)
    assert logits[1].softmax(0)[0].tolist() == [1.0, 1.0]
    torch.testing.assert_close(logits[0], head(hidden)[0])
