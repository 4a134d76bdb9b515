"""What a task's metrics need, added up batch by batch: hits, bits per byte, confusion, entities, places of answers."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tfmcore.config.labels import mark_spans
from tfmcore.data import IGNORED
from tfmcore.data.entities import count_entities, f1_of
from tfmcore.models import ModelOutput
from tfmcore.training.batches import DeviceBatch
from tfmcore.training.losses import cross_entropy

Continued = NDArray[np.bool_] | None
Total = Callable[[Tensor], Tensor]
"""Adds up what the processes counted that share each batch; the counts that a batch brings are those of all of it."""


def alone(sums: Tensor) -> Tensor:
    """The total where one process has all of every batch."""
    return sums


def exact_sum(numbers: Sequence[Tensor]) -> Tensor:
    """Their sum in fp64, on their device unless that has no such numbers."""
    stacked = torch.stack(list(numbers))
    return (stacked.cpu() if stacked.device.type == "mps" else stacked).double().sum()


@dataclass
class Meter(ABC):
    """Adds up what a task's metrics need; sums stay on the device, which is waited for once, by `metrics`. `labels` are
    the names of what a classifier or a tagger predicts, `token_bytes` (V,) how long the text of each token is, and
    `continued` says of each sequence of examples whether it is a further window of the text before it (None: the text
    is a running one)."""

    labels: Sequence[str] = ()
    token_bytes: NDArray[np.int64] | None = None
    continued: Continued = None

    @abstractmethod
    def add(self, output: ModelOutput, batch: DeviceBatch, nats: Tensor) -> None:
        """Count a batch, whose loss is `nats` in all."""

    @abstractmethod
    def metrics(self, total: Total = alone) -> dict[str, float]: ...


@dataclass
class Hits(Meter):
    """The share of labels that were predicted."""

    name: ClassVar[str] = "accuracy"
    hits: list[Tensor] = field(default_factory=list)
    num_labels: int = 0

    def add(self, output: ModelOutput, batch: DeviceBatch, nats: Tensor) -> None:
        self.take(output.logits.argmax(-1), batch)

    def take(self, predicted: Tensor, batch: DeviceBatch) -> None:
        self.hits.append((predicted == batch.labels).sum())
        self.num_labels += batch.num_labels

    def metrics(self, total: Total = alone) -> dict[str, float]:
        return {self.name: int(total(torch.stack(self.hits).sum())) / self.num_labels}


@dataclass
class TokenHits(Hits):
    """And the share of examples of which every label was predicted, which are those that greedy decoding writes."""

    name = "token_accuracy"
    rows: list[Tensor] = field(default_factory=list)

    def take(self, predicted: Tensor, batch: DeviceBatch) -> None:
        super().take(predicted, batch)
        if self.continued is not None:
            kept = batch.labels != IGNORED
            exact = kept.any(1) & ((predicted == batch.labels) | ~kept).all(1)
            self.rows.append(torch.stack([exact.sum(), kept.any(1).sum()]))

    def metrics(self, total: Total = alone) -> dict[str, float]:
        if not self.rows:
            return super().metrics(total)
        exact, num_rows = total(torch.stack(self.rows).sum(0)).tolist()
        return {**super().metrics(total), "exact_match": exact / num_rows}


@dataclass
class Perplexity(TokenHits):
    """e to the loss of the language model's head, beside its accuracy and that of further heads."""

    name = Hits.name
    nats: list[Tensor] = field(default_factory=list)
    further: dict[str, list[Tensor]] = field(default_factory=dict)
    num_examples: int = 0

    def add(self, output: ModelOutput, batch: DeviceBatch, nats: Tensor) -> None:
        super().add(output, batch, nats)
        self.nats.append(cross_entropy(output.logits, batch.labels)[1] if batch.further else nats)
        self.num_examples += batch.num_examples or len(batch.labels)
        for name, labels in batch.further.items():
            self.further.setdefault(name, []).append((getattr(output, name).argmax(-1) == labels).sum())

    def metrics(self, total: Total = alone) -> dict[str, float]:
        loss = float(total(exact_sum(self.nats))) / self.num_labels
        shares = {
            f"{name.removesuffix('_logits')}_accuracy": int(total(torch.stack(hits).sum())) / self.num_examples
            for name, hits in self.further.items()
        }
        return {"perplexity": math.exp(min(loss, 700.0)), **super().metrics(total), **shares}


@dataclass
class BitsPerByte(Perplexity):
    """The length of the text's code in bits, for each byte of its UTF-8: what models with different tokenizers can be
    compared by (https://arxiv.org/abs/2101.00027, §3.1)."""

    num_bytes: list[Tensor] = field(default_factory=list)
    lengths: Tensor | None = None

    def add(self, output: ModelOutput, batch: DeviceBatch, nats: Tensor) -> None:
        super().add(output, batch, nats)
        if self.token_bytes is not None:
            if self.lengths is None:
                self.lengths = torch.from_numpy(self.token_bytes).to(batch.labels.device)
            self.num_bytes.append((self.lengths[batch.labels.clamp(min=0)] * (batch.labels != IGNORED)).sum())

    def metrics(self, total: Total = alone) -> dict[str, float]:
        found = super().metrics(total)
        if not self.num_bytes or not (num_bytes := int(total(torch.stack(self.num_bytes).sum()))):
            return found
        return {"bits_per_byte": float(total(exact_sum(self.nats))) / math.log(2) / num_bytes, **found}


@dataclass
class Confusion(Meter):
    """Counts (C, C), true × predicted."""

    counts: list[Tensor] = field(default_factory=list)

    def add(self, output: ModelOutput, batch: DeviceBatch, nats: Tensor) -> None:
        size = output.logits.shape[-1]
        pairs = (batch.labels * size + output.logits.argmax(-1))[batch.labels != IGNORED]
        self.counts.append(torch.bincount(pairs, minlength=size**2).reshape(size, size))

    def metrics(self, total: Total = alone) -> dict[str, float]:
        confusion = total(torch.stack(self.counts).sum(0)).cpu().double()
        accuracy = float(confusion.diagonal().sum() / confusion.sum())
        return {"accuracy": accuracy, "macro_f1": macro_f1(confusion)}


@dataclass
class Entities(Hits):
    """Precision, recall and F1 of the spans that labels mark, beside the accuracy of single labels, which is all
    that there is for labels of another kind, such as parts of speech. A span that goes on in the next window of its
    text is one."""

    rows: list[tuple[list[int], Tensor, Tensor]] = field(default_factory=list)

    def take(self, predicted: Tensor, batch: DeviceBatch) -> None:
        super().take(predicted, batch)
        self.rows.append((batch.local_ids, predicted, batch.labels))

    def metrics(self, total: Total = alone) -> dict[str, float]:
        if not mark_spans(self.labels):
            return super().metrics(total)
        precision, recall, f1 = f1_of(*count_entities(self._texts(total)))
        return {**super().metrics(total), "entity_precision": precision, "entity_recall": recall, "entity_f1": f1}

    def _texts(self, total: Total) -> list[tuple[list[str], list[str]]]:
        """The predicted and the true labels of each text, or of what was seen of it."""
        assert self.continued is not None
        size, width = len(self.continued), max(true.shape[1] for _, _, true in self.rows)
        table = torch.zeros((2, size, width), dtype=torch.int32, device=self.rows[0][1].device)  # 0 is no label
        for numbers, predicted, true in self.rows:
            for side, labels in zip(table, (predicted, true), strict=True):
                side[numbers, : true.shape[1]] = ((labels + 1) * (true != IGNORED)).int()
        texts, is_whole = list[tuple[list[str], list[str]]](), False
        for continued, *rows in zip(self.continued.tolist(), *total(table).tolist(), strict=True):
            found, right = ([self.labels[label - 1] for label in row if label] for row in rows)
            if continued and is_whole:
                texts[-1] = texts[-1][0] + found, texts[-1][1] + right
            else:
                texts.append((found, right))
            is_whole = bool(right)  # so far
        return texts


@dataclass
class Places(Meter):
    """Of answers' places: how many are right at both ends, and how much of the tokens, as F1."""

    exact: list[Tensor] = field(default_factory=list)
    f1: list[Tensor] = field(default_factory=list)
    num_examples: int = 0

    def add(self, output: ModelOutput, batch: DeviceBatch, nats: Tensor) -> None:
        predicted, true = output.logits.argmax(1), batch.labels  # (B, 2)
        shared = (torch.minimum(predicted, true)[:, 1] - torch.maximum(predicted, true)[:, 0] + 1).clamp(min=0)
        lengths = (predicted[:, 1] - predicted[:, 0] + 1).clamp(min=0) + true[:, 1] - true[:, 0] + 1
        self.exact.append((predicted == true).all(1).sum())
        self.f1.append((2 * shared / lengths).sum())
        self.num_examples += batch.num_examples or len(true)

    def metrics(self, total: Total = alone) -> dict[str, float]:
        exact, f1 = (float(total(torch.stack(sums).sum())) / self.num_examples for sums in (self.exact, self.f1))
        return {"place_accuracy": exact, "place_f1": f1}


def macro_f1(confusion: Tensor) -> float:
    """Mean F1 of the classes that occur, from counts (C, C), true × predicted."""
    hits, occurrences = confusion.diagonal(), confusion.sum(0) + confusion.sum(1)
    present = occurrences > 0
    return float((2 * hits[present] / occurrences[present]).mean())


METRICS: dict[str, type[Meter]] = {
    "language_modeling": BitsPerByte,
    "masked_language_modeling": Perplexity,
    "span_corruption": Perplexity,
    "denoising": Perplexity,
    "classification": Confusion,
    "token_tagging": Entities,
    "question_answering": Places,
    "translation": TokenHits,
}
