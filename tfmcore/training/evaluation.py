"""How good a model is: loss and metrics of each task, over batches; and, for translation, over texts."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from tfmcore.config import UserError
from tfmcore.data import IGNORED
from tfmcore.models import Model
from tfmcore.training.batches import Placed
from tfmcore.training.devices import autocast
from tfmcore.training.losses import cross_entropy


@dataclass(frozen=True)
class Evaluation:
    """Mean loss (nats a label) and the task's metrics over `num_labels` labels."""

    loss: float
    metrics: dict[str, float]
    num_labels: int


@dataclass(frozen=True)
class Tally:
    """What is counted over all batches; `confusion` (C, C), true × predicted, only of a classifier."""

    loss: float
    accuracy: float
    num_labels: int
    confusion: Tensor | None = None


def _language_model(tally: Tally) -> dict[str, float]:
    return {"perplexity": math.exp(min(tally.loss, 700.0)), "accuracy": tally.accuracy}


def _classification(tally: Tally) -> dict[str, float]:
    assert tally.confusion is not None
    return {"accuracy": tally.accuracy, "macro_f1": macro_f1(tally.confusion)}


def _translation(tally: Tally) -> dict[str, float]:
    return {"token_accuracy": tally.accuracy}


METRICS: dict[str, Callable[[Tally], dict[str, float]]] = {
    "language_modeling": _language_model,
    "masked_language_modeling": _language_model,
    "classification": _classification,
    "translation": _translation,
}


@torch.inference_mode()
def evaluate(model: Model, batches: Iterable[Placed], task: str, precision: str = "fp32") -> Evaluation:
    """Evaluate on `batches`, without dropout; raises UserError where they hold nothing to predict."""
    was_training = model.training
    model.eval()
    try:
        tally = _count(model, batches, task == "classification", precision)
    finally:
        model.train(was_training)
    return Evaluation(tally.loss, METRICS[task](tally), tally.num_labels)


def _count(model: Model, batches: Iterable[Placed], classes: bool, precision: str) -> Tally:
    """Add up on the device, which is waited for once, at the end."""
    sums: list[Tensor] = []
    confusion: Tensor | None = None
    num_labels = 0
    for batch in batches:
        with autocast(model.device, precision):
            logits = model(**batch.inputs).logits
        predicted = logits.argmax(-1)
        sums.append(torch.stack([cross_entropy(logits, batch.labels)[1], (predicted == batch.labels).sum()]))
        num_labels += batch.num_labels
        if classes:
            size = logits.shape[-1]
            pairs = (batch.labels * size + predicted)[batch.labels != IGNORED]
            counts = torch.bincount(pairs, minlength=size**2).reshape(size, size)
            confusion = counts if confusion is None else confusion + counts
    if not num_labels:
        raise UserError("the validation data holds nothing to predict: hold out more of it (data.validation_fraction)")
    loss, hits = torch.stack(sums).cpu().double().sum(0).tolist()
    return Tally(loss / num_labels, hits / num_labels, num_labels, None if confusion is None else confusion.cpu())


def macro_f1(confusion: Tensor) -> float:
    """Mean F1 of the classes that occur, from counts (C, C), true × predicted."""
    hits, occurrences = confusion.diagonal(), confusion.sum(0) + confusion.sum(1)
    present = occurrences > 0
    return float((2 * hits[present] / occurrences[present]).mean())


def evaluate_texts(pairs: Iterable[tuple[str, str]], translate: Callable[[list[str]], list[str]]) -> dict[str, float]:
    """Exact match (0 to 1), BLEU and chrF (0 to 100, as sacrebleu has them) of what `translate` makes of the sources;
    `pairs` are (source, expected). Raises UserError where there are none."""
    import sacrebleu  # takes half a second, and most evaluations need none of it

    sources, expected = zip(*pairs, strict=True)
    written = translate(list(sources))
    exact = sum(a.strip() == b.strip() for a, b in zip(written, expected, strict=True)) / len(expected)
    references = [list(expected)]
    return {
        "exact_match": exact,
        "bleu": sacrebleu.corpus_bleu(written, references).score,
        "chrf": sacrebleu.corpus_chrf(written, references).score,
    }
