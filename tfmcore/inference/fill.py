"""What may stand where a text has [MASK]."""

from dataclasses import dataclass

import torch

from tfmcore.config import UserError
from tfmcore.inference.decoding import check_number
from tfmcore.inference.opened import Encoded, OpenedModel
from tfmcore.inference.pieces import candidates
from tfmcore.messages import Candidate


@dataclass(frozen=True)
class Gap:
    """A mask: its place among the tokens, and what could stand there, likeliest first."""

    position: int
    candidates: list[Candidate]


@dataclass(frozen=True)
class Filling:
    """`text` has the likeliest candidate in each gap."""

    text: str
    gaps: list[Gap]
    encoded: Encoded


@torch.inference_mode()
def fill(opened: OpenedModel, text: str, num_candidates: int = 5) -> Filling:
    """Raises UserError for a model that does not fill, for a text without [MASK], and for damaged weights."""
    opened.need("fill")
    tokenizer, encoded = opened.tokenizer, opened.encode(text)
    places = [place for place, id in enumerate(encoded.ids) if id == tokenizer.mask_id]
    if not places:
        raise UserError(f"write [MASK] where the model should fill something in. {encoded.notice}".strip())
    probabilities = opened.model(**encoded.inputs(opened.device)).logits[0, places].float().softmax(-1)  # (masks, V)
    check_number(probabilities.sum().item())
    top = probabilities.topk(min(num_candidates, probabilities.shape[-1]))
    filled, gaps = list(encoded.ids), []
    for place, ids, values in zip(places, top.indices.tolist(), top.values.tolist(), strict=True):
        gaps.append(Gap(place, candidates(tokenizer, zip(ids, values, strict=True))))
        filled[place] = ids[0]
    return Filling(tokenizer.decode(filled), gaps, encoded)
