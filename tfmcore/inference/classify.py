"""Which label a text, or a pair of texts, has."""

from dataclasses import dataclass

import torch

from tfmcore.inference.decoding import check_number
from tfmcore.inference.opened import Encoded, OpenedModel


@dataclass(frozen=True)
class Classification:
    """Labels with their probabilities, likeliest first, and the text as the model read it."""

    labels: list[str]
    probabilities: list[float]
    encoded: Encoded


@torch.inference_mode()
def classify(opened: OpenedModel, text: str, pair: str = "") -> Classification:
    """Raises UserError for a model that does not classify, and for damaged weights."""
    opened.need("classify")
    encoded = opened.encode(text, pair)
    probabilities = opened.model(**encoded.inputs(opened.device)).logits[0].float().softmax(-1)
    check_number(probabilities.sum().item())
    ordered = probabilities.sort(descending=True, stable=True)
    labels = [opened.saved.labels[i] for i in ordered.indices.tolist()]
    return Classification(labels, ordered.values.tolist(), encoded)
