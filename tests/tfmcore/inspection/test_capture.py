"""A capture holds what the model itself says it attends to, and refuses what would not fit."""

import numpy as np
import psutil
import pytest
import torch

from tfmcore.config import UserError
from tfmcore.data.progress import Cancelled
from tfmcore.inference.opened import open_model
from tfmcore.inspection.capture import capture

KINDS = {
    "decoder": ["decoder"],
    "classifier": ["encoder"],
    "masked": ["encoder"],
    "translator": ["encoder", "decoder", "cross"],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("context", [64, 5])
def test_it_is_the_attention_of_the_model(model_folder, kind, context):
    opened = open_model(model_folder(kind, context_length=context, num_decoder_layers=3))
    found = capture(opened, "The dog", "fox")
    assert list(found.attentions) == KINDS[kind]
    inputs = opened.encode("The dog", "" if kind == "translator" else "fox").inputs(opened.device)
    if kind == "translator":
        inputs["decoder_input_ids"] = torch.tensor([opened.encode_target("fox").ids], device=opened.device)
    with torch.inference_mode():
        out = opened.model(**inputs, return_attention=True)
    expected = {"encoder": out.encoder_attentions, "decoder": out.attentions, "cross": out.cross_attentions}
    if kind in ("classifier", "masked"):
        expected["encoder"] = out.attentions
    for name, attention in found.attentions.items():
        whole = torch.cat(expected[name]).cpu().numpy()
        assert attention.weights.shape == whole.shape
        assert attention.weights.shape[2:] == (len(attention.rows.tokens), len(attention.columns.tokens))
        np.testing.assert_allclose(attention.weights, whole, atol=1e-3)
        np.testing.assert_allclose(attention.weights.sum(-1, dtype=np.float32), 1, atol=5e-3)
    assert found.bytes == sum(2 * torch.cat(expected[name]).numel() for name in found.attentions)
    assert bool(found.notice) == (context == 5)
    assert not any(module._forward_hooks for module in opened.model.modules())


@pytest.mark.parametrize(("kind", "second"), [("classifier", "A fox runs"), ("masked", "A fox"), ("reader", "A fox")])
def test_an_encoder_reads_two_texts_as_in_its_task(model_folder, kind, second):
    opened = open_model(model_folder(kind))
    tokens = capture(opened, "The dog", second).kind("encoder").rows.tokens
    assert tokens == opened.encode("The dog", second).tokens
    assert tokens.count("[SEP]") == 2


@pytest.mark.parametrize("kind", ["decoder", "classifier"])
def test_damaged_weights_are_said(model_folder, kind):
    opened = open_model(model_folder(kind))
    opened.model.requires_grad_(False).embedding.tokens.weight.fill_(torch.nan)
    with pytest.raises(UserError, match="outputs NaN"):
        capture(opened, "The dog")


def test_without_a_target_a_translator_reads_its_own_translation(model_folder):
    opened = open_model(model_folder("translator"))
    rows = capture(opened, "The dog").kind("cross").rows
    assert rows.tokens[0] == "[BOS]"
    assert rows.special[0] == 0
    assert len(rows.tokens) > 1


def test_what_does_not_fit_the_memory_is_refused_with_its_bytes(model_folder, monkeypatch):
    opened = open_model(model_folder("decoder"))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 1000})())
    with pytest.raises(UserError, match=r"0\.0 GB are free: use a shorter text"):
        capture(opened, "The quick brown fox")


def test_it_can_be_given_up_between_layers(model_folder):
    opened, layers = open_model(model_folder("decoder", num_layers=3)), []

    def progress(phase, done, total):
        layers.append((done, total))
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        capture(opened, "The dog", progress=progress)
    assert layers == [(1, 3), (2, 3)]
    assert not any(module._forward_hooks for module in opened.model.modules())


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda found: found.kind("cross"), "no cross attention, only decoder"),
        (lambda found: found.layer("decoder", 2), "no layer 2"),
        (lambda found: found.layer("decoder", 0, [4]), "no head 4"),
        (lambda found: found.layer("decoder", 0, [-1]), "no head -1"),
    ],
)
def test_what_there_is_not_is_said(model_folder, ask, sentence):
    found = capture(open_model(model_folder("decoder")), "The dog")
    with pytest.raises(UserError, match=sentence):
        ask(found)


def test_export_and_its_faults(model_folder, tmp_path):
    found = capture(open_model(model_folder("translator")), "The dog", "fox")
    found.export(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as file:
        assert set(file) == {f"{kind}{end}" for kind in found.attentions for end in ("", "_rows", "_columns")}
        for kind, attention in found.attentions.items():
            np.testing.assert_array_equal(file[kind], attention.weights)
            assert file[f"{kind}_rows"].tolist() == attention.rows.tokens
    with pytest.raises(UserError, match="cannot be written"):
        found.export(tmp_path / "missing" / "out.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["out.npz"]
