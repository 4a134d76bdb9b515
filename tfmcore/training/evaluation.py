"""How good a model is: loss and metrics of each task over batches, and what only whole texts can tell."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tfmcore.config import UserError
from tfmcore.config.memory import num_loss_chunks
from tfmcore.data import Batch, Example, Progress, Split, micro_batches
from tfmcore.data.tasks.language_modeling import LanguageModeling
from tfmcore.data.tasks.question_answering import accepted
from tfmcore.inference.answer import best_answer
from tfmcore.inference.generate import write_many
from tfmcore.inference.opened import OpenedModel
from tfmcore.inference.translate import GREEDILY, translate_many
from tfmcore.training.batches import DeviceBatch, to_device
from tfmcore.training.losses import LOSSES
from tfmcore.training.meters import METRICS, Continued, exact_sum
from tfmcore.training.parallel.strategy import Strategy
from tfmcore.training.precision import PRECISIONS
from tfmcore.training.squad import best_match

BATCH_SIZE = 32
MOST_TEXTS = 2000
"""A dataset keeps the texts of so many examples; exact match, BLEU and chrF compare texts."""


@dataclass(frozen=True)
class Evaluation:
    """Mean loss (nats per label) and the task's metrics over `num_labels` labels."""

    loss: float
    metrics: dict[str, float]
    num_labels: int


@torch.inference_mode()
def evaluate(
    opened: OpenedModel,
    batches: Iterable[DeviceBatch],
    precision: str = "fp32",
    parallel: Strategy | None = None,
    continued: Continued = None,
) -> Evaluation:
    """Evaluate on `batches`, of which each rank has its rows, without dropout; raises UserError where they hold nothing
    to predict. `continued` is that of the split they are of."""
    model, saved, parallel = opened.model, opened.saved, parallel or Strategy()
    meter = METRICS[saved.task](saved.labels, opened.tokenizer.token_bytes, continued)
    was_training, sums, num_labels = model.training, list[Tensor](), 0
    numbers, forward = PRECISIONS[precision](model.device), parallel.forward(model)
    model.eval()
    try:
        for batch in batches:
            with numbers.forward():
                output = forward(**batch.inputs)
            sums.append(LOSSES[saved.task](vars(output), batch, 0.0).nats)
            meter.add(output, batch, sums[-1])
            num_labels += batch.num_labels
    finally:
        model.train(was_training)
    if not num_labels:
        raise UserError("the validation data has no labels to predict: hold out more of it (data.validation_fraction)")
    nats = float(parallel.all_reduce(exact_sum(sums)))
    return Evaluation(nats / num_labels, meter.metrics(parallel.all_reduce), num_labels)


def measure(opened: OpenedModel, split: Split, limit: int | None, progress: Progress) -> dict[str, float | int | str]:
    """The loss (nats per label) and the task's metrics on a split, or on its first `limit` examples (windows of running
    text); where whole texts tell more, on up to 2,000 of them (`compared_texts`)."""
    task, part = opened.saved.task, split.first(limit) if limit else split
    placed = (
        to_device(piece, opened.device)
        for batch in _told(part, progress)
        for piece in in_measure(batch, opened.model.vocab_size, opened.device)
    )
    found = evaluate(opened, placed, continued=part.continued)
    facts: dict[str, float | int | str] = {"examples": part.num_examples, "loss": found.loss, **found.metrics}
    examples = [example for example in part.examples(MOST_TEXTS) if example.ends] if part.continued is not None else []
    if (compare := COMPARISONS.get(task)) and examples:
        progress("comparing texts", 0, len(examples))
        facts |= compare(opened, examples)
        facts["compared_texts"] = len(examples)
    return facts


def in_measure(batch: Batch, vocab_size: int, device: torch.device, dp_size: int = 1) -> list[Batch]:
    """A batch in pieces: of each, no rank has more logits at once than a step of the training."""
    count = num_loss_chunks(math.ceil(batch.labels.size / dp_size), vocab_size, device.type, in_place=False)
    rows = len(batch.labels)
    count = math.ceil(rows / max(1, rows // count))  # of whole rows, the largest piece too
    return micro_batches(batch, max(1, min(count, rows // dp_size)))


def _told(split: Split, progress: Progress) -> Iterator[Batch]:
    """All of its batches, with progress in sequences."""
    for number, batch in enumerate(split.once(BATCH_SIZE)):
        progress("evaluating", number * BATCH_SIZE, len(split))
        yield batch


def evaluate_texts(
    pairs: Iterable[tuple[str, str]], write: Callable[[list[str]], list[str]]
) -> dict[str, float | int | str]:
    """Exact match (0 to 1), BLEU and chrF (0 to 100) with sacrebleu's signatures, of what `write` makes of the sources;
    `pairs` are (source, expected). Raises UserError where there are none."""
    from sacrebleu.metrics.bleu import BLEU  # takes half a second, and most evaluations need none of it
    from sacrebleu.metrics.chrf import CHRF

    sources, expected = zip(*pairs, strict=True)
    written = write(list(sources))
    exact = sum(a.strip() == b.strip() for a, b in zip(written, expected, strict=True)) / len(expected)
    facts: dict[str, float | int | str] = {"exact_match": exact}
    for name, metric in (("bleu", BLEU()), ("chrf", CHRF())):
        facts[name] = metric.corpus_score(written, [list(expected)]).score
        facts[f"{name}_signature"] = metric.get_signature().format()
    return facts


def _translations(opened: OpenedModel, examples: Sequence[Example]) -> dict[str, float | int | str]:
    pairs = [(example["source"], example["target"]) for example in examples]
    longest = max(map(len, opened.tokenizer.encode_many([target for _, target in pairs]))) + 1
    limit = max(GREEDILY.max_new_tokens, longest)
    return evaluate_texts(pairs, lambda texts: translate_many(opened, texts, limit))


def _completions(opened: OpenedModel, examples: Sequence[Example]) -> dict[str, float | int | str]:
    """What is written greedily after each prompt, which is read whole where its text fits into the context with it."""
    task, context = opened.task, opened.context
    assert isinstance(task, LanguageModeling)
    pairs = [task.parts(example) for example in examples]
    items = task.items(examples, opened.tokenizer, {})
    given, needed = [item.number for item in items], [len(item.ids["text"]) - item.number for item in items]
    groups: list[list[int]] = []  # in each the longest prompt and the longest text fit into the context together
    for number in sorted(range(len(items)), key=given.__getitem__):
        if not groups or given[number] + max(needed[each] for each in (*groups[-1], number)) > context:
            groups.append([])
        groups[-1].append(number)

    def write(prompts: list[str]) -> list[str]:
        written = dict[int, str]()
        for group in groups:
            room = context - max(given[number] for number in group)
            limit = min(room, max(GREEDILY.max_new_tokens, *(needed[number] for number in group)))
            manner = replace(GREEDILY, max_new_tokens=max(1, limit))
            found = write_many(opened.model, opened.tokenizer, [prompts[number] for number in group], manner)
            written |= {number: each.text for number, each in zip(group, found, strict=True)}
        return [written[number] for number in range(len(prompts))]

    return evaluate_texts(pairs, write)


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


COMPARISONS: dict[str, Callable[[OpenedModel, Sequence[Example]], dict[str, float | int | str]]] = {
    "language_modeling": _completions,
    "translation": _translations,
    "question_answering": _answers,
}
"""What only whole texts can tell, of the tasks where there is such a thing."""
