"""Asks a model of ours and one of `transformers` the same, and says how far their answers lie apart."""

from typing import Any

import torch
from torch import Tensor

from tests.tfmcore.families.case import VOCABULARY
from tfmcore.models import EncoderDecoderTransformer, Model

FIRST = 3
"""The smallest id that is no special token in any of these models."""
LENGTH = 200
"""More tokens than any bucket or window of these models reaches."""
Inputs = dict[str, Tensor]


class Real(dict[str, Tensor]):
    """Which queries are no padding, by the kind of attention; `answer` are the places of a model's answers."""


def batch(model: Model, left: bool = False, padded: bool = True) -> tuple[Inputs, Real]:
    """Three texts, two of them padded (or one text), with what their decoder reads if it has one."""
    ids, mask = _padded(LENGTH, left, seed=1)
    if not padded:
        ids, mask = ids[:1], mask[:1]
    inputs = {"input_ids": ids, "attention_mask": mask}
    if not isinstance(model, EncoderDecoderTransformer):
        return inputs, Real(attentions=mask.bool(), answer=mask.bool())
    written, written_mask = _padded(LENGTH - 40, left, seed=2)
    inputs |= {"decoder_input_ids": written, "decoder_attention_mask": written_mask}
    writing = written_mask.bool()
    return inputs, Real(attentions=writing, cross_attentions=writing, encoder_attentions=mask.bool(), answer=writing)


def _padded(length: int, left: bool, seed: int) -> tuple[Tensor, Tensor]:
    ids = torch.randint(FIRST, VOCABULARY, (3, length), generator=torch.Generator().manual_seed(seed))
    mask = torch.ones_like(ids)
    for row, size in ((1, length // 2), (2, length - 7)):
        mask[row, slice(0, length - size) if left else slice(size, length)] = 0
    return torch.where(mask.bool(), ids, torch.ones_like(ids)), mask


@torch.no_grad()
def answers(model: Any, inputs: Inputs) -> dict[str, Tensor]:
    """The logits of each head; start and end of a span as one."""
    out = model(**inputs)
    if hasattr(out, "start_logits"):
        return {"logits": torch.stack((out.start_logits, out.end_logits), -1)}
    logits = getattr(out, "prediction_logits", None)
    found = {"logits": out.logits if logits is None else logits}
    for name in ("next_sentence_logits", "seq_relationship_logits"):
        if getattr(out, name, None) is not None:
            found["next_sentence"] = getattr(out, name)
    return found


@torch.no_grad()
def attentions(model: Any, inputs: Inputs) -> dict[str, tuple[Tensor, ...]]:
    """Each layer's attention (B, H, T, S) by its kind; a decoder's own are `attentions`."""
    out = model(**inputs, **({"return_attention": True} if isinstance(model, Model) else {"output_attentions": True}))
    kinds = {"attentions": ("decoder_attentions", "attentions")}
    kinds |= {kind: (kind,) for kind in ("encoder_attentions", "cross_attentions")}
    found = {kind: next((got for name in names if (got := getattr(out, name, None))), ())
             for kind, names in kinds.items()}  # fmt: skip
    return {kind: layers for kind, layers in found.items() if layers}


def farthest(found: Any, wanted: Any, real: Any) -> float:
    """The greatest difference anywhere but at padding: of tensors whose first dimensions are those of `real`, or of
    several answers by name, some of them one for a whole text."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        return max(farthest(found[name], wanted[name], real["answer"]) for name in wanted)
    assert found.shape == wanted.shape
    difference = (found - wanted).abs()
    return float((difference[real] if real.shape == difference.shape[:2] else difference).max())
