"""Data before it is learned from: what stands in a file, and what becomes of it. Loads no torch."""

import time
from collections.abc import Iterator

import numpy as np

from tfmcore.config import Config
from tfmcore.data import IGNORED, Batch, Dataset, prepare
from tfmcore.data.preview import preview
from tfmcore.data.progress import Progress
from tfmcore.data.tasks import Inputs
from tfmcore.engine.desk import Desk
from tfmcore.engine.handlers import Answer
from tfmcore.messages import DataPrepared, DataPreviewed, PrepareData, PreviewData, ShownSequence

MAX_ROWS = 16
MAX_LENGTHS = 20_000


def preview_data(request: PreviewData, desk: Desk, report: Progress) -> Iterator[Answer]:
    found = preview(Config.parse(request.config).data, rows=request.rows)
    yield DataPreviewed(
        id=request.id,
        columns=found.columns,
        roles=found.roles,
        rows=found.rows,
        examples=found.num_examples,
        notices=found.problems,
        fix=found.fix,
    )


def prepare_data(request: PrepareData, desk: Desk, report: Progress) -> Iterator[Answer]:
    start = time.monotonic()
    config = Config.parse(request.config)
    dataset = prepare(config, report)
    tokenizer = dataset.tokenizer
    batch = dataset.train.batch(0, config.training.batch_size, config.training.seed)
    sample = tokenizer.encode(request.sample)
    yield DataPrepared(
        id=request.id,
        num_train=len(dataset.train),
        num_validation=len(dataset.validation),
        train_tokens=dataset.train.num_tokens,
        vocab_size=tokenizer.vocab_size,
        labels=dataset.labels,
        lengths=_some_lengths(dataset),
        sample_tokens=tokenizer.tokens(sample),
        sample_ids=sample,
        batch=[shown for row in range(len(batch.labels))[:MAX_ROWS] for shown in _shown(batch, row, dataset)],
        warnings=dataset.warnings,
        seconds=time.monotonic() - start,
    )


def _some_lengths(dataset: Dataset) -> list[int]:
    """The lengths of all examples, or of so many, evenly chosen, that they still show how lengths are distributed."""
    lengths = np.concatenate([dataset.train.lengths(), dataset.validation.lengths()])
    chosen: list[int] = lengths[:: -(-len(lengths) // MAX_LENGTHS)].tolist()
    return chosen


def _shown(batch: Batch, row: int, dataset: Dataset) -> Iterator[ShownSequence]:
    """A row of a batch as the model sees it, padding included, with what it is to predict at each place or of all;
    where texts share the row, one after the other."""
    tokenizer, task = dataset.tokenizer, dataset.train.task
    sides = [_texts(batch.inputs, row, "")]
    if "decoder_input_ids" in batch.inputs:
        sides.append(_texts(batch.inputs, row, "decoder_"))
    shared = len(sides[0]) > 1
    for number, places in enumerate(zip(*sides, strict=True), 1):
        name = f"{row + 1}.{number}" if shared else str(row + 1)
        read, labels = batch.inputs["input_ids"][row, places[0]].tolist(), batch.labels[row]
        if len(sides) > 1:
            yield ShownSequence(name=f"{name}, encoder", tokens=tokenizer.tokens(read), ids=read)
            read, name = batch.inputs["decoder_input_ids"][row, places[1]].tolist(), f"{name}, decoder"
        labels = labels[places[-1]] if shared else labels
        yield ShownSequence(
            name=name,
            tokens=tokenizer.tokens(read),
            ids=read,
            targets=task.targets(labels, len(read), tokenizer, dataset.labels),
            masked=np.flatnonzero(labels != IGNORED).tolist() if task.hides else [],
            label=task.label(batch, row, dataset.labels),
        )


def _texts(inputs: Inputs, row: int, side: str) -> list[slice]:
    """Where each text of a row stands."""
    if (numbers := inputs.get(f"{side}document_ids")) is None:
        return [slice(None)]
    lengths = np.bincount(numbers[row])[1:]
    return [slice(end - length, end) for length, end in zip(lengths, lengths.cumsum(), strict=True)]
