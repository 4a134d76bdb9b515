"""Several texts in a row: nothing is lost, no row is too long, and a model computes of each what it computes alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tfmcore.config import ConfigError, SavedModel
from tfmcore.data import IGNORED, prepare
from tfmcore.data.packing import apart, packed
from tfmcore.data.tasks.task import Batch, model_inputs, padded
from tfmcore.models import build
from tfmcore.training.batches import to_device
from tfmcore.training.losses import Objective

WIDTH, VOCABULARY = 12, 30
LENGTHS = {"": [3, 12, 5, 1, 4, 7, 2], "decoder_": [6, 9, 2, 4, 12, 3, 1]}
TASK = {"encoder": "masked_language_modeling", "decoder": "language_modeling", "encoder_decoder": "translation"}


def texts(sides, types=False):
    """A batch of random texts, padded."""
    random = np.random.default_rng(0)
    inputs, rows = {}, []
    for side in sides:
        rows = [random.integers(1, VOCABULARY, length) for length in LENGTHS[side]]
        inputs |= model_inputs(rows, 0, side)
    if types:
        inputs["token_type_ids"] = padded([random.integers(0, 2, length) for length in LENGTHS[""]], 0)[0]
    labels = padded([np.where(random.random(len(row)) < 0.7, row[::-1], IGNORED) for row in rows], IGNORED)[0]
    return Batch(inputs, labels, np.arange(len(labels)))


@pytest.mark.parametrize("sides", [[""], ["", "decoder_"]])
def test_every_token_has_its_place_and_its_label(sides):
    batch = texts(sides, types=True)
    few = packed(batch, WIDTH, pad_id=0)
    assert len(few.labels) < len(batch.labels)
    assert few.num_labels == batch.num_labels
    assert few.example_ids.tolist() == batch.example_ids.tolist()
    assert to_device(few, torch.device("cpu")).num_tokens == sum(sum(LENGTHS[side]) for side in sides)
    for side in sides:
        ids, numbers = few.inputs[f"{side}input_ids"], few.inputs[f"{side}document_ids"]
        assert ids.shape[1] <= WIDTH
        found = [tuple(row[own == n]) for row, own in zip(ids, numbers, strict=True) for n in range(1, own.max() + 1)]
        given = [tuple(row[:n]) for row, n in zip(batch.inputs[f"{side}input_ids"], LENGTHS[side], strict=True)]
        assert sorted(found) == sorted(given)
        assert not ids[numbers == 0].any()
    assert few.inputs["token_type_ids"].sum() == batch.inputs["token_type_ids"].sum()


def test_computes_the_same_in_packed_rows(packable):
    """Loss and gradients of every kind of model that may be: a convolution would see neighbours, and is refused."""
    task = TASK[packable.architecture]
    batch = texts(["", "decoder_"] if task == "translation" else [""], types=packable.num_token_types > 1)
    torch.manual_seed(0)
    model = build(SavedModel(task=task, vocab_size=VOCABULARY, model=packable)).eval()
    objective, found = Objective(model, task), []
    for each in (batch, packed(batch, packable.context_length, pad_id=0)):
        model.zero_grad()
        loss = objective(to_device(each, torch.device("cpu"))).objective
        loss.backward()
        found.append([loss.detach(), *(w.grad for w in model.parameters() if w.grad is not None)])
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_documents_of_running_text_are_apart():
    """As if each began a window, and nothing is predicted beyond its end."""
    end = 9
    ids = np.array([[4, 5, end, 6, 7, 8], [end, 4, end, 5, 6, 7]])
    batch = Batch({"input_ids": ids}, np.roll(ids, -1, 1))
    found = apart(batch, end)
    assert found.inputs["document_ids"].tolist() == [[1, 1, 1, 2, 2, 2], [1, 2, 2, 3, 3, 3]]
    assert found.labels.tolist() == [[5, end, IGNORED, 7, 8, 4], [IGNORED, end, IGNORED, 6, 7, end]]
    short = replace(batch, inputs=batch.inputs | {"attention_mask": np.array([[1] * 6, [1] * 4 + [0] * 2])})
    assert apart(short, end).inputs["document_ids"][1].tolist() == [1, 2, 2, 3, 0, 0]
    assert "attention_mask" not in apart(short, end).inputs
    assert apart(batch, 99) is batch, "one document needs no numbers"


@pytest.mark.parametrize(
    ("source", "task"),
    [("copy", "translation"), ("cldr_tagging", "token_tagging"), ("induction", "language_modeling")],
)
def test_training_batches_of_examples_are_packed_and_others_not(config, source, task):
    given = config(source, task, data__max_examples=500, model__context_length=256)
    plain, dense = prepare(given), prepare(given.replaced(data__packing=True))
    assert plain.folder == dense.folder
    batch = dense.train.batch(0, 16, seed=0)
    assert batch.inputs["document_ids"].max() > 1
    assert len(batch.example_ids) == 16 > len(batch.labels)
    assert "document_ids" not in next(dense.validation.once(16)).inputs
    assert "document_ids" not in plain.train.batch(0, 16, seed=0).inputs


@pytest.mark.parametrize("task", ["language_modeling", "masked_language_modeling"])
def test_documents_of_a_file_are_apart_in_both_parts(config, file, task):
    lines = "".join(f'{{"text": "Document {n} is short."}}\n' for n in range(200))
    given = config("file", task, data__path=str(file("a.jsonl", lines)), model__context_length=64)
    plain, dense = prepare(given), prepare(given.replaced(data__packing=True))
    for part in (dense.train.batch(0, 16, seed=0), next(dense.validation.once(16))):
        assert part.inputs["document_ids"].max() > 1
        assert len(part.labels) == len(part.example_ids)
    assert "document_ids" not in plain.train.batch(0, 16, seed=0).inputs


@pytest.mark.parametrize(
    ("source", "task", "fields"),
    [
        ("brackets", "classification", {}),
        (
            "python_manual",
            "masked_language_modeling",
            {"data__next_sentence_prediction": True, "model__next_sentence_head": True},
        ),
        ("python_manual", "masked_language_modeling", {"model__convolution": 3}),
    ],
)
def test_is_refused_where_texts_are_judged_whole_or_seen_by_neighbours(config, source, task, fields):
    made = config(source, task, **fields)
    with pytest.raises(ConfigError, match=r"data\.packing"):
        made.replaced(data__packing=True)
