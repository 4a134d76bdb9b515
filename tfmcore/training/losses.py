"""The one loss of every task: cross-entropy, with labels that are left out and labels that are smoothed."""

from torch import Tensor
from torch.nn import functional as F

from tfmcore.data import IGNORED


def cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
    """Logits (…, C) and labels (…), summed over all labels that are not IGNORED: what to minimise, and the plain
    negative log-likelihood in nats, which is the same without smoothing (https://arxiv.org/abs/1512.00567, §7)."""
    logits, labels = logits.flatten(0, -2).float(), labels.flatten()
    if not label_smoothing:
        nats = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
        return nats, nats
    log_probabilities = logits.log_softmax(-1)
    nats = F.nll_loss(log_probabilities, labels, ignore_index=IGNORED, reduction="sum")
    spread = -(log_probabilities.mean(-1) * (labels != IGNORED)).sum()
    return (1 - label_smoothing) * nats + label_smoothing * spread, nats
