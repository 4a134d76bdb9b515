"""Attention as the engine keeps it and sends views of it: thumbnails, one head, a part, a file."""

import numpy as np
import pytest

from tests.tfmcore.conftest import KINDS
from tfmcore.messages import (
    AttentionViewed,
    ExportAttention,
    Exported,
    Inspect,
    Inspected,
    Refused,
    Thumbnails,
    ThumbnailsDrawn,
    ViewAttention,
)

ATTENTION = {kind: {"encoder"} for kind in KINDS} | {
    "decoder": {"decoder"},
    "translator": {"encoder", "decoder", "cross"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_attention_is_inspected_drawn_viewed_and_exported(engine, model_folder, tmp_path, kind):
    pinned = {"model": str(model_folder(kind)), "text": "The dog"}
    facts, _ = engine.answer(Inspect, **pinned)
    assert isinstance(facts, Inspected)
    assert set(facts.attentions) == ATTENTION[kind]
    path = tmp_path / "attention é.npz"
    exported, _ = engine.answer(ExportAttention, path=str(path), **pinned)
    assert isinstance(exported, Exported)
    saved = np.load(path)
    for name, fact in facts.attentions.items():
        drawn, arrays = engine.answer(Thumbnails, attention=name, size=4, **pinned)
        assert isinstance(drawn, ThumbnailsDrawn)
        assert arrays["thumbnails"].shape == (fact.layers, fact.heads, 4, min(4, len(fact.columns)))
        viewed, arrays = engine.answer(ViewAttention, attention=name, layer=1, heads=[3, 0], **pinned)
        assert isinstance(viewed, AttentionViewed)
        assert not viewed.pooled
        np.testing.assert_array_equal(arrays["weights"], saved[name][1, [3, 0]].astype(np.float32))
        part, arrays = engine.answer(ViewAttention, attention=name, layer=0, rows=(1, 3), size=2, **pinned)
        assert part.pooled
        assert arrays["row_edges"].tolist() == [1, 2, 3]
        assert arrays["weights"].shape == (1, 2, 2)
    wrong, _ = engine.answer(ViewAttention, attention=name, layer=9, **pinned)
    assert isinstance(wrong, Refused)


@pytest.mark.fault(34)
def test_4096_tokens_stay_light(engine, model_folder):
    """What the engine keeps is counted to the byte, and what it sends is as large as a screen, whatever the text."""
    pinned = {"model": str(model_folder("decoder", context_length=4096, num_heads=1)), "text": "The dog " * 512}
    facts, nothing = engine.answer(Inspect, **pinned)
    assert not nothing
    assert len(facts.attentions["decoder"].rows) == 4096
    assert facts.bytes == 2 * 4096**2 * 2
    _, small = engine.answer(Thumbnails, attention="decoder", **pinned)
    assert (small["thumbnails"].shape, small["thumbnails"].dtype) == ((2, 1, 32, 32), np.uint8)
    assert small["largest"].shape == (2, 1)
    for heads in ([], [0]):
        whole, view = engine.answer(ViewAttention, attention="decoder", layer=1, heads=heads, **pinned)
        assert whole.pooled
        assert (view["weights"].shape, view["weights"].dtype) == ((1, 1024, 1024), np.float32)
        assert len(view["row_edges"]) == len(view["column_edges"]) == 1025
    part = {"attention": "decoder", "layer": 1, "heads": [0]}
    row, line = engine.answer(ViewAttention, **part, rows=(9, 10), size=4096, **pinned)
    assert not row.pooled
    assert line["weights"].shape == (1, 1, 4096)
    assert line["weights"].sum() == pytest.approx(1, abs=0.01)
    assert len(engine.until(engine.ask(Inspect, **pinned))) == 1  # no progress to report: it was kept
