"""The loss of each task: cross-entropy, with ignored labels and label smoothing.

Over a vocabulary it is chunked linear cross-entropy: the logits of a batch are never materialised as a whole.
"""

import copy
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from tfmcore.config.memory import FEW_LOGITS, logits_become_gradients, num_loss_chunks
from tfmcore.data import IGNORED
from tfmcore.models import Model, ModelOutput
from tfmcore.nn.heads import VocabularyHead
from tfmcore.training.batches import DeviceBatch


class Sums(NamedTuple):
    """What to minimise, and the plain negative log-likelihood in nats, which is the same without smoothing: sums that
    the number of a batch's labels makes means."""

    objective: Tensor
    nats: Tensor


LossAndGradient = Callable[[Tensor, Tensor, float, int], tuple[Sums, Tensor]]
"""Of logits (N, C or more), labels (N,), a smoothing and the number C of classes: the sums, and the gradient of the
objective with respect to the logits, which may take their place."""


class LazyLogits(NamedTuple):
    """Logits (N, V) that are made and dropped chunk by chunk: what `head` makes of `hidden` (N, D), or of those rows
    alone that are `predicted` (P,)."""

    head: VocabularyHead
    hidden: Tensor
    vocab_size: int
    predicted: Tensor | None = None


Answers = Mapping[str, Tensor | LazyLogits | None]
"""Logits of the heads, by the names of ModelOutput."""


def cross_entropy(logits: Tensor | LazyLogits, labels: Tensor, label_smoothing: float = 0.0) -> Sums:
    """Logits (…, C) and labels (…), summed over all labels that are not IGNORED
    (smoothing: https://arxiv.org/abs/1512.00567, §7)."""
    if isinstance(logits, LazyLogits):
        return _chunked_cross_entropy(logits, labels.flatten(), label_smoothing)
    logits, labels = logits.flatten(0, -2).float(), labels.flatten()
    if not label_smoothing:
        nats = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
        return Sums(nats, nats)
    log_probabilities = logits.log_softmax(-1)
    nats = F.nll_loss(log_probabilities, labels, ignore_index=IGNORED, reduction="sum")
    spread = -(log_probabilities.mean(-1) * (labels != IGNORED)).sum()
    return Sums((1 - label_smoothing) * nats + label_smoothing * spread, nats)


def loss_and_gradient(logits: Tensor, labels: Tensor, label_smoothing: float, num_classes: int) -> tuple[Sums, Tensor]:
    """As `cross_entropy`, with the gradient: softmax(logits) - target. Logits after the first `num_classes`, if any,
    mean nothing."""
    ignored, places = (labels == IGNORED)[:, None], labels.clamp(min=0)[:, None]
    one, others = 1 - label_smoothing, label_smoothing / num_classes  # the target: one + others, others, others …
    log_probabilities = _of_classes(logits, num_classes).log_softmax(-1)
    wanted = log_probabilities.gather(1, places)
    nats = objective = -wanted.masked_fill(ignored, 0).sum()
    if label_smoothing:
        spread = -log_probabilities[:, :num_classes].mean(-1, keepdim=True)
        objective = one * nats + label_smoothing * spread.masked_fill(ignored, 0).sum()
    gradient = log_probabilities.exp_()
    if label_smoothing:
        gradient[:, :num_classes] -= others
    of_label = (wanted.exp() - one - others).masked_fill(ignored, 0)
    gradient = gradient.masked_fill_(ignored, 0).to(logits.dtype).scatter_(1, places, of_label.to(logits.dtype))
    return Sums(objective, nats), gradient


@functools.cache
def loss_and_gradient_on(device: str) -> LossAndGradient:
    """The fastest that works on that kind of device."""
    if not logits_become_gradients(device):
        return loss_and_gradient
    try:
        from tfmcore.training.fused_loss import fused_loss  # triton, which is there for GPUs only

        fused_loss(torch.zeros(1, 1, device=device), torch.zeros(1, dtype=torch.long, device=device), 0.0, 1)
    except Exception:  # whatever a compiler says
        return loss_and_gradient
    return fused_loss


def _of_classes(logits: Tensor, num_classes: int) -> Tensor:
    """In fp32, those after the first `num_classes` -inf."""
    if logits.shape[1] == num_classes:
        return logits.float()
    return logits.float().masked_fill(torch.arange(logits.shape[1], device=logits.device) >= num_classes, -math.inf)


def _chunked_cross_entropy(logits: LazyLogits, labels: Tensor, label_smoothing: float) -> Sums:
    hidden = logits.hidden
    if logits.predicted is not None:
        hidden, labels = hidden[logits.predicted], labels[logits.predicted]
    if len(labels) * logits.vocab_size < FEW_LOGITS:
        return cross_entropy(logits.head(hidden), labels, label_smoothing)
    device = hidden.device.type
    in_place = loss_and_gradient_on(device) is not loss_and_gradient
    rows = math.ceil(len(labels) / num_loss_chunks(len(labels), logits.vocab_size, device, in_place))
    hidden = _as_used(hidden)
    weights = logits.head.weights_for(hidden)
    chunked: Any = _ChunkedCrossEntropy.apply
    return Sums(*chunked(logits, rows, label_smoothing, labels, hidden, [*weights], *weights.values()))


def _as_used(matrix: Tensor) -> Tensor:
    """In the numbers of its products, once for all pieces."""
    device = matrix.device.type
    is_plain = matrix.dim() == 2 and type(matrix) in (Tensor, nn.Parameter)
    return matrix.to(torch.get_autocast_dtype(device)) if is_plain and torch.is_autocast_enabled(device) else matrix


class _ChunkedCrossEntropy(torch.autograd.Function):
    """The head and its cross-entropy on some rows at a time. Each piece's gradients are taken as soon as its loss is
    known, so that neither its logits nor theirs outlive it."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: LazyLogits,
        rows: int,
        label_smoothing: float,
        labels: Tensor,
        hidden: Tensor,
        names: Sequence[str],
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        ctx.learns = ctx.needs_input_grad[-len(weights) :]
        head = {
            name: _as_used(weight).detach().requires_grad_(learns)
            for name, weight, learns in zip(names, weights, ctx.learns, strict=True)
        }
        learning = [weight for weight in head.values() if weight.requires_grad]
        totals, of_hidden, of_weights = torch.zeros(2, device=hidden.device), torch.empty_like(hidden), list[Tensor]()
        loss_and_gradient = loss_and_gradient_on(hidden.device.type)
        twin = _twin(logits.head)  # which takes other weights, while other threads may use the head
        for start in range(0, len(labels), rows):
            piece = slice(start, start + rows)
            x = hidden[piece].detach().requires_grad_()
            with torch.enable_grad():
                made: Tensor = functional_call(twin, head, (x,))
            sums, of_logits = loss_and_gradient(made.detach(), labels[piece], label_smoothing, logits.vocab_size)
            totals += torch.stack(sums)
            of_hidden[piece], *more = torch.autograd.grad(made, (x, *learning), of_logits)
            if of_weights:
                torch._foreach_add_(of_weights, more)
            of_weights = of_weights or [gradient.float() for gradient in more]
            del made, of_logits, more  # before those of the next piece are made
        ctx.save_for_backward(of_hidden, *of_weights)
        return totals[0].clone(), totals[1].clone()

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        of_hidden, *of_weights = (gradient * above[0] for gradient in ctx.saved_tensors)
        found = iter(of_weights)
        return (None, None, None, None, of_hidden, None, *(next(found) if learns else None for learns in ctx.learns))


def _twin(module: nn.Module) -> nn.Module:
    """Another module with the same weights."""
    twin = copy.copy(module)
    twin._parameters = dict(module._parameters)
    twin._modules = {name: child and _twin(child) for name, child in module._modules.items()}
    return twin


def _labels(answers: Answers, batch: DeviceBatch, label_smoothing: float) -> Sums:
    return cross_entropy(_logits(answers, "logits"), batch.labels, label_smoothing)


def _with_further_heads(answers: Answers, batch: DeviceBatch, label_smoothing: float) -> Sums:
    """The sum of the heads' mean losses (BERT, https://arxiv.org/abs/1810.04805, §A.2), times the number of labels."""
    objective, nats = _labels(answers, batch, label_smoothing)
    for name, labels in batch.further.items():
        share = batch.labels_per_example or batch.num_labels / (batch.num_examples or len(labels))
        more = cross_entropy(_logits(answers, name), labels, label_smoothing)
        objective, nats = objective + share * more.objective, nats + share * more.nats
    return Sums(objective, nats)


def _weighted(class_weights: Tensor, answers: Answers, batch: DeviceBatch, label_smoothing: float) -> Sums:
    """As `_labels`, but each label counts in the objective as its class (C,) does."""
    logits, labels = answers["logits"], batch.labels.flatten()
    assert isinstance(logits, Tensor)
    logits = logits.flatten(0, -2).float()
    objective = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none", label_smoothing=label_smoothing)
    return Sums((objective * class_weights[labels.clamp(min=0)]).sum(), cross_entropy(logits, labels).nats)


def _places(answers: Answers, batch: DeviceBatch, label_smoothing: float) -> Sums:
    """Logits (B, T, 2) and the places of start and end (B, 2): cross-entropy over the places, the mean of both. Nothing
    is smoothed, for padding is a place too, and its probability is always 0."""
    logits = _logits(answers, "logits")
    assert isinstance(logits, Tensor)
    return cross_entropy(logits.transpose(1, 2), batch.labels)


def _logits(answers: Answers, name: str) -> Tensor | LazyLogits:
    logits = answers[name]
    assert logits is not None, f"the model has no head for {name}"
    return logits


LOSSES: dict[str, Callable[[Answers, DeviceBatch, float], Sums]] = {
    "language_modeling": _labels,
    "masked_language_modeling": _with_further_heads,
    "span_corruption": _labels,
    "denoising": _labels,
    "classification": _labels,
    "token_tagging": _labels,
    "question_answering": _places,
    "translation": _labels,
}


class Objective(nn.Module):
    """A model and the loss of its task, as one module: from a batch to its Sums, the logits of a vocabulary never whole
    and only of those tokens that are to be predicted. `class_weights` (C,) are of a task that predicts classes."""

    def __init__(
        self, model: Model, task: str, label_smoothing: float = 0.0, class_weights: Tensor | None = None
    ) -> None:
        super().__init__()
        self.model, self.loss, self.label_smoothing = model, LOSSES[task], label_smoothing
        if class_weights is not None:
            self.loss = functools.partial(_weighted, class_weights.to(model.device))
        self.is_compiled = False
        """Its layers are a compiler's, which may be at work when they are first called with inputs of a new shape."""

    def forward(self, batch: DeviceBatch) -> Sums:
        hidden: Tensor = self.model.features(**batch.inputs).hidden  # (B, T, D)
        mask, head = batch.inputs.get("attention_mask"), self.model.head
        answers: dict[str, Tensor | LazyLogits | None] = {
            "next_sentence_logits": self.model.next_sentence(hidden, mask)
        }
        if isinstance(head, VocabularyHead):
            answers["logits"] = LazyLogits(head, hidden.flatten(0, 1), self.model.vocab_size, batch.predicted)
        else:
            answers["logits"] = head(hidden, mask)
        return self.loss(answers, batch, self.label_smoothing)

    def answer(self, **inputs: Tensor) -> ModelOutput:
        """What the model makes of whole batches that it is only asked about."""
        output: ModelOutput = self.model(**inputs)
        return output
