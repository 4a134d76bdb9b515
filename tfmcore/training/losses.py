"""The loss of each task: cross-entropy, with labels that are left out and labels that are smoothed."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from tfmcore.data import IGNORED
from tfmcore.models import ModelOutput
from tfmcore.training.batches import Placed

Sums = tuple[Tensor, Tensor]
"""What to minimise, and the plain negative log-likelihood in nats, which is the same without smoothing: sums that the
number of a batch's labels makes means."""


def cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Sums:
    """Logits (…, C) and labels (…), summed over all labels that are not IGNORED
    (smoothing: https://arxiv.org/abs/1512.00567, §7)."""
    logits, labels = logits.flatten(0, -2).float(), labels.flatten()
    if not label_smoothing:
        nats = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
        return nats, nats
    log_probabilities = logits.log_softmax(-1)
    nats = F.nll_loss(log_probabilities, labels, ignore_index=IGNORED, reduction="sum")
    spread = -(log_probabilities.mean(-1) * (labels != IGNORED)).sum()
    return (1 - label_smoothing) * nats + label_smoothing * spread, nats


def _labels(output: ModelOutput, batch: Placed, label_smoothing: float) -> Sums:
    return cross_entropy(output.logits, batch.labels, label_smoothing)


def _with_further_heads(output: ModelOutput, batch: Placed, label_smoothing: float) -> Sums:
    """The sum of the heads' mean losses (BERT, https://arxiv.org/abs/1810.04805, §A.2), times the number of labels."""
    objective, nats = _labels(output, batch, label_smoothing)
    for name, labels in batch.further.items():
        share = batch.num_labels / len(labels)
        more, more_nats = cross_entropy(getattr(output, name), labels, label_smoothing)
        objective, nats = objective + share * more, nats + share * more_nats
    return objective, nats


def _places(output: ModelOutput, batch: Placed, label_smoothing: float) -> Sums:
    """Logits (B, T, 2) and the places of start and end (B, 2): cross-entropy over the places, the mean of both. Nothing
    is smoothed, for padding is a place too, and its probability is always 0."""
    return cross_entropy(output.logits.transpose(1, 2), batch.labels)


LOSSES: dict[str, Callable[[ModelOutput, Placed, float], Sums]] = {
    "language_modeling": _labels,
    "masked_language_modeling": _with_further_heads,
    "span_corruption": _labels,
    "denoising": _labels,
    "classification": _labels,
    "token_tagging": _labels,
    "question_answering": _places,
    "translation": _labels,
}
