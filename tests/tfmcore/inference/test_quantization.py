"""A model that is prepared for writing writes the same in fp32, nearly so in bf16 and int8, with every switch."""

from itertools import product

import pytest
import torch

from tests.tfmcore.gpu import WRITES_IN
from tests.tfmcore.inference.test_decoding import SOURCE, model_of
from tfmcore.config import ModelConfig, UserError
from tfmcore.inference.decoding import Window, finish, write_on
from tfmcore.inference.generate import write
from tfmcore.inference.opened import open_model
from tfmcore.inference.quantization import PACKED, Effect, effect, prepared
from tfmcore.inference.reading import read_source
from tfmcore.inference.sampling import GREEDY
from tfmcore.inference.translate import translate
from tfmcore.inference.writing import Manner
from tfmcore.nn.kernels import packed

WIDER = {"d_model": 64, "num_heads": 4, "num_kv_heads": None, "head_dim": None, "d_ff": 1024}


def logits(model, ids):
    """(T, V), token by token with a cache."""
    with torch.inference_mode():
        source = read_source(model, SOURCE) if model.config.architecture == "encoder_decoder" else None
        window = Window(model, len(ids), source)
        return torch.stack([window.read([id]) for id in ids])


def test_logits_are_near_those_of_fp32(monkeypatch, writer):
    """By the product of either format, and rounded as small matrices are."""
    model, ids = model_of(writer), [1, 5, 2, 7, 3, 3, 0, 10]
    for weight in model.parameters():
        torch.nn.init.normal_(weight, 0.0, 0.1)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    exact = logits(model, ids)
    for precision, small in product(PACKED, (0, packed.SMALL)):
        monkeypatch.setattr(packed, "SMALL", small)
        ready = prepared(model, precision)
        found = logits(ready, ids)
        assert 0 < (found - exact).abs().max() < 0.15 * exact.std(), (precision, small)
        assert not any(isinstance(module, torch.nn.Linear) for module in ready.modules())
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())


def test_fp32_is_the_same_model_with_the_same_logits(writer):
    model, ids = model_of(writer.model_copy(update=WIDER)), [1, 5, 2, 7, 3, 3, 0, 10]
    for weight in model.parameters():
        torch.nn.init.normal_(weight, 0.0, 0.05)
    exact, before = logits(model, ids), {name: weight.clone() for name, weight in model.named_parameters()}
    assert prepared(model, "fp32") is model
    assert any(weight.dim() == 2 and weight.stride()[0] == 1 for weight in model.parameters())
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())
    torch.testing.assert_close(logits(model, ids), exact, atol=1e-5, rtol=1e-5)


def test_the_effect_is_that_on_the_logits(writer):
    model = model_of(writer)
    some = effect(model, prepared(model, "int8"))
    assert some.largest >= some.mean > 0
    assert some.spread > 0
    assert 0 <= some.share <= 1


def test_a_model_differs_in_nothing_from_itself():
    model = model_of(ModelConfig(num_layers=2))
    none = effect(model, model)
    assert (none.largest, none.mean, none.share) == (0, 0, 1)


def test_an_effect_in_words():
    sentence = Effect(largest=0.3142, mean=0.02718, spread=3.0, share=0.96875).sentence("int8")
    assert "In int8" in sentence
    assert "0.027 on average, 0.31 at most" in sentence
    assert "97%" in sentence


@pytest.mark.parametrize("precision", WRITES_IN)
def test_an_opened_model_writes_in_a_precision_and_says_what_that_does(model_folder, precision):
    plain, opened = open_model(model_folder("decoder")), open_model(model_folder("decoder"), precision)
    assert plain.notice == ""
    assert f"In {precision} the logits differ" in opened.notice
    written = finish(write(opened.model, opened.tokenizer, "The", Manner(12, GREEDY)))
    assert len(written.ids) == 12
    exact, found = (next(write_on(each.model, written.prompt_ids, max_new_tokens=1)) for each in (plain, opened))
    assert found.probability == pytest.approx(exact.probability, 0.1)


@pytest.mark.parametrize("precision", WRITES_IN)
def test_translations_too(model_folder, precision):
    opened = open_model(model_folder("translator"), precision)
    assert f"In {precision} the logits differ" in opened.notice
    for beams in (1, 3):
        assert len(translate(opened, "The dog", Manner(5, GREEDY, beams)).hypotheses) == beams


def test_what_does_not_write_is_opened_as_it_is(model_folder):
    opened = open_model(model_folder("tagger"), "int8")
    assert opened.notice == ""
    assert any(isinstance(module, torch.nn.Linear) for module in opened.model.modules())


def test_int8_on_another_device_is_refused():
    with torch.device("meta"):
        model = model_of(ModelConfig())
    with pytest.raises(UserError, match="nearest: bf16"):
        prepared(model, "int8")
