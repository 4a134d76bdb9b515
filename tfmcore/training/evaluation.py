"""How good a model is: loss and metrics of each task over batches, and what only whole texts can tell."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tfmcore.config import UserError
from tfmcore.data import IGNORED, Batch, Example, Progress, Split
from tfmcore.data.entities import entity_f1
from tfmcore.data.tasks.question_answering import accepted
from tfmcore.inference.answer import answer
from tfmcore.inference.opened import OpenedModel
from tfmcore.inference.translate import translate_many
from tfmcore.models import Model, ModelOutput
from tfmcore.training.answers import best_match
from tfmcore.training.batches import Placed, place
from tfmcore.training.devices import autocast
from tfmcore.training.losses import LOSSES, cross_entropy

BATCH_SIZE = 32
MOST_TEXTS = 2000
"""A dataset keeps the texts of so many examples; exact match, BLEU and chrF compare texts."""


@dataclass(frozen=True)
class Evaluation:
    """Mean loss (nats a label) and the task's metrics over `num_labels` labels."""

    loss: float
    metrics: dict[str, float]
    num_labels: int


class Meter(ABC):
    """Adds up what a task's metrics need; sums stay on the device, which is waited for once, by `metrics`. `labels` are
    the names of what a classifier or a tagger predicts."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = labels

    @abstractmethod
    def add(self, output: ModelOutput, batch: Placed, nats: Tensor) -> None:
        """Count a batch, whose loss is `nats` in all."""

    @abstractmethod
    def metrics(self) -> dict[str, float]: ...


class Hits(Meter):
    """The share of labels that were predicted."""

    name = "accuracy"

    def __init__(self, labels: Sequence[str] = ()) -> None:
        super().__init__(labels)
        self.hits, self.num_labels = list[Tensor](), 0

    def add(self, output: ModelOutput, batch: Placed, nats: Tensor) -> None:
        self.hits.append((output.logits.argmax(-1) == batch.labels).sum())
        self.num_labels += batch.num_labels

    def metrics(self) -> dict[str, float]:
        return {self.name: int(torch.stack(self.hits).sum()) / self.num_labels}


class TokenHits(Hits):
    name = "token_accuracy"


class Perplexity(Hits):
    """e to the loss of the language model's head, beside its accuracy and that of further heads."""

    def __init__(self, labels: Sequence[str] = ()) -> None:
        super().__init__(labels)
        self.nats, self.further = list[Tensor](), dict[str, list[Tensor]]()
        self.num_examples = 0

    def add(self, output: ModelOutput, batch: Placed, nats: Tensor) -> None:
        super().add(output, batch, nats)
        self.nats.append(cross_entropy(output.logits, batch.labels)[1] if batch.further else nats)
        self.num_examples += len(batch.labels)
        for name, labels in batch.further.items():
            self.further.setdefault(name, []).append((getattr(output, name).argmax(-1) == labels).sum())

    def metrics(self) -> dict[str, float]:
        loss = float(torch.stack(self.nats).double().sum()) / self.num_labels
        shares = {
            f"{name.removesuffix('_logits')}_accuracy": int(torch.stack(hits).sum()) / self.num_examples
            for name, hits in self.further.items()
        }
        return {"perplexity": math.exp(min(loss, 700.0)), **super().metrics(), **shares}


class Confusion(Meter):
    """Counts (C, C), true × predicted."""

    def __init__(self, labels: Sequence[str] = ()) -> None:
        super().__init__(labels)
        self.counts = list[Tensor]()

    def add(self, output: ModelOutput, batch: Placed, nats: Tensor) -> None:
        size = output.logits.shape[-1]
        pairs = (batch.labels * size + output.logits.argmax(-1))[batch.labels != IGNORED]
        self.counts.append(torch.bincount(pairs, minlength=size**2).reshape(size, size))

    def metrics(self) -> dict[str, float]:
        confusion = torch.stack(self.counts).sum(0).cpu()
        accuracy = float(confusion.diagonal().sum() / confusion.sum())
        return {"accuracy": accuracy, "macro_f1": macro_f1(confusion)}


class Entities(Hits):
    """Precision, recall and F1 of the spans that BIO labels mark, beside the accuracy of single labels, which is all
    that there is for labels of another kind, such as parts of speech."""

    def __init__(self, labels: Sequence[str] = ()) -> None:
        super().__init__(labels)
        self.pairs = list[tuple[Tensor, Tensor]]()

    def add(self, output: ModelOutput, batch: Placed, nats: Tensor) -> None:
        super().add(output, batch, nats)
        self.pairs.append((output.logits.argmax(-1), batch.labels))

    def metrics(self) -> dict[str, float]:
        if not any(label.startswith("B-") for label in self.labels):
            return super().metrics()
        rows = [row for pair in self.pairs for row in zip(*(side.tolist() for side in pair), strict=True)]
        precision, recall, f1 = entity_f1([self._named(*row) for row in rows])
        return {**super().metrics(), "entity_precision": precision, "entity_recall": recall, "entity_f1": f1}

    def _named(self, predicted: list[int], true: list[int]) -> tuple[list[str], list[str]]:
        kept = [place for place, label in enumerate(true) if label != IGNORED]
        return [self.labels[predicted[place]] for place in kept], [self.labels[true[place]] for place in kept]


class Places(Meter):
    """Of answers' places: how many are right at both ends, and how much of the tokens, as F1."""

    def __init__(self, labels: Sequence[str] = ()) -> None:
        super().__init__(labels)
        self.exact, self.f1, self.num_examples = list[Tensor](), list[Tensor](), 0

    def add(self, output: ModelOutput, batch: Placed, nats: Tensor) -> None:
        predicted, true = output.logits.argmax(1), batch.labels  # (B, 2)
        shared = (torch.minimum(predicted, true)[:, 1] - torch.maximum(predicted, true)[:, 0] + 1).clamp(min=0)
        lengths = (predicted[:, 1] - predicted[:, 0] + 1).clamp(min=0) + true[:, 1] - true[:, 0] + 1
        self.exact.append((predicted == true).all(1).sum())
        self.f1.append((2 * shared / lengths).sum())
        self.num_examples += len(true)

    def metrics(self) -> dict[str, float]:
        exact, f1 = (float(torch.stack(sums).sum()) / self.num_examples for sums in (self.exact, self.f1))
        return {"place_accuracy": exact, "place_f1": f1}


METRICS: dict[str, Callable[[Sequence[str]], Meter]] = {
    "language_modeling": Perplexity,
    "masked_language_modeling": Perplexity,
    "span_corruption": Perplexity,
    "denoising": Perplexity,
    "classification": Confusion,
    "token_tagging": Entities,
    "question_answering": Places,
    "translation": TokenHits,
}


@torch.inference_mode()
def evaluate(
    model: Model, batches: Iterable[Placed], task: str, precision: str = "fp32", labels: Sequence[str] = ()
) -> Evaluation:
    """Evaluate on `batches`, without dropout; raises UserError where they hold nothing to predict."""
    was_training, meter, sums, num_labels = model.training, METRICS[task](labels), list[Tensor](), 0
    model.eval()
    try:
        for batch in batches:
            with autocast(model.device, precision):
                output = model(**batch.inputs)
            sums.append(LOSSES[task](output, batch, 0.0)[1])
            meter.add(output, batch, sums[-1])
            num_labels += batch.num_labels
    finally:
        model.train(was_training)
    if not num_labels:
        raise UserError("the validation data holds nothing to predict: hold out more of it (data.validation_fraction)")
    return Evaluation(float(torch.stack(sums).double().sum()) / num_labels, meter.metrics(), num_labels)


def macro_f1(confusion: Tensor) -> float:
    """Mean F1 of the classes that occur, from counts (C, C), true × predicted."""
    hits, occurrences = confusion.diagonal(), confusion.sum(0) + confusion.sum(1)
    present = occurrences > 0
    return float((2 * hits[present] / occurrences[present]).mean())


def measure(opened: OpenedModel, split: Split, limit: int | None, progress: Progress) -> dict[str, float | int | str]:
    """The loss (nats a label) and the task's metrics on a split, or on its first `limit` sequences; where whole texts
    tell more, on up to 2,000 of them (`compared_texts`)."""
    task, total = opened.saved.task, min(limit or len(split), len(split))
    placed = (place(batch, opened.device) for batch in first_batches(split, total, progress))
    found = evaluate(opened.model, placed, task, labels=opened.saved.labels)
    facts: dict[str, float | int | str] = {"examples": total, "loss": found.loss, **found.metrics}
    if compare := COMPARISONS.get(task):
        examples = split.examples(min(total, MOST_TEXTS))
        progress("comparing texts", 0, len(examples))
        facts |= compare(opened, examples)
        facts["compared_texts"] = len(examples)
    return facts


def first_batches(split: Split, total: int, progress: Progress) -> Iterator[Batch]:
    """Batches of exactly `total` sequences."""
    for start, batch in zip(range(0, total, BATCH_SIZE), split.once(BATCH_SIZE), strict=False):
        progress("evaluating", start, total)
        yield batch.first(total - start)


def evaluate_texts(
    pairs: Iterable[tuple[str, str]], translate: Callable[[list[str]], list[str]]
) -> dict[str, float | int | str]:
    """Exact match (0 to 1), BLEU and chrF (0 to 100) with sacrebleu's signatures, of what `translate` makes of the
    sources; `pairs` are (source, expected). Raises UserError where there are none."""
    from sacrebleu.metrics.bleu import BLEU  # takes half a second, and most evaluations need none of it
    from sacrebleu.metrics.chrf import CHRF

    sources, expected = zip(*pairs, strict=True)
    written = translate(list(sources))
    exact = sum(a.strip() == b.strip() for a, b in zip(written, expected, strict=True)) / len(expected)
    facts: dict[str, float | int | str] = {"exact_match": exact}
    for name, metric in (("bleu", BLEU()), ("chrf", CHRF())):
        facts[name] = metric.corpus_score(written, [list(expected)]).score
        facts[f"{name}_signature"] = metric.get_signature().format()
    return facts


def _translations(opened: OpenedModel, examples: Sequence[Example]) -> dict[str, float | int | str]:
    pairs = [(example["source"], example["target"]) for example in examples]
    return evaluate_texts(pairs, lambda texts: translate_many(opened, texts))


def _answers(opened: OpenedModel, examples: Sequence[Example]) -> dict[str, float | int | str]:
    """Exact match and F1 (0 to 1) as SQuAD has them: over all, over those that have an answer, and over the others."""
    scores = [
        (best_match(best_answer(opened, e["question"], e["context"]), accepted(e)), accepted(e)) for e in examples
    ]
    facts: dict[str, float | int | str] = {}
    for name, kept in {"": scores, "answerable_": [s for s in scores if s[1]],
                       "unanswerable_": [s for s in scores if not s[1]]}.items():  # fmt: skip
        if kept:
            facts[f"{name}exact_match"] = sum(score.exact for score, _ in kept) / len(kept)
            facts[f"{name}f1"] = sum(score.f1 for score, _ in kept) / len(kept)
    return facts


def best_answer(opened: OpenedModel, question: str, context: str) -> str:
    """The likeliest answer; "" where it is likelier that there is none."""
    found = answer(opened, question, context, num_answers=1)
    best = found.answers[0] if found.answers else None
    return best.text if best and best.probability >= found.no_answer else ""


COMPARISONS: dict[str, Callable[[OpenedModel, Sequence[Example]], dict[str, float | int | str]]] = {
    "translation": _translations,
    "question_answering": _answers,
}
"""What only whole texts can tell, of the tasks where there is such a thing."""
