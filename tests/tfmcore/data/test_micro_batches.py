"""A batch in pieces holds what the whole one does, but for padding."""

from itertools import islice

import numpy as np
import pytest

from tfmcore.data import IGNORED, Batch, micro_batches, prepare

CASES = {
    "running text": ("python_manual", "language_modeling", {}),
    "masked text": ("python_manual", "masked_language_modeling", {}),
    "labels": ("brackets", "classification", {}),
    "answers": ("cldr_answers", "question_answering", {}),
    "tags": ("cldr_tagging", "token_tagging", {}),
    "pairs": ("sort", "translation", {}),
    "packed pairs": ("sort", "translation", {"data__packing": True}),
}


def real(batch: Batch) -> dict[str, list[list[int]]]:
    """The real tokens of each row, and its labels."""
    found = {}
    for side in ("", "decoder_"):
        if f"{side}input_ids" in batch.inputs:
            ids = batch.inputs[f"{side}input_ids"]
            mask = batch.inputs.get(f"{side}attention_mask", batch.inputs.get(f"{side}document_ids", np.ones_like(ids)))
            found[side] = [row[there > 0].tolist() for row, there in zip(ids, mask, strict=True)]
    rows = batch.labels.reshape(len(batch.labels), -1)
    return found | {"labels": [row[row != IGNORED].tolist() for row in rows]}


@pytest.mark.parametrize(("source", "task", "fields"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("count", [1, 3, 5, 100])
def test_pieces_have_all_rows_in_their_order(config, source, task, fields, count):
    dataset = prepare(config(source, task, data__max_examples=300, model__context_length=64, **fields))
    for batch in islice(dataset.train.batches(12, seed=0), 4):
        pieces, whole = micro_batches(batch, count), real(batch)
        assert len(pieces) == min(count, len(batch.labels))
        for name, rows in whole.items():
            assert [row for piece in pieces for row in real(piece)[name]] == rows
        assert sum(piece.num_labels for piece in pieces) == batch.num_labels
        if len(batch.example_ids) == len(batch.labels):
            assert np.concatenate([piece.example_ids for piece in pieces]).tolist() == batch.example_ids.tolist()
        for piece in pieces if count > 1 else ():
            for name, array in piece.inputs.items():
                if name.endswith("attention_mask"):
                    assert array.any(0).all(), "a column of padding"
                    assert not array.all(), "a mask of nothing"


def test_of_sorted_texts_pieces_are_narrower(config):
    dataset = prepare(config("sort", "translation", data__max_examples=300, model__context_length=64))
    batch = next(dataset.train.batches(64, seed=0))
    widths = [piece.inputs["input_ids"].shape[1] for piece in micro_batches(batch, 8)]
    assert min(widths) < max(widths) == batch.inputs["input_ids"].shape[1]
