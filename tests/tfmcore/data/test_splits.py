"""The two parts of a dataset as batches: complete, resumable, decided by seed and step."""

from itertools import islice

import numpy as np
import pytest

from tfmcore.data import IGNORED, prepare

CASES = {
    "running text": ("file", "language_modeling"),
    "masked text": ("file", "masked_language_modeling"),
    "documents": ("python_manual", "language_modeling"),
    "strings": ("induction", "language_modeling"),
    "labels": ("brackets", "classification"),
    "pairs": ("sort", "translation"),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def dataset(request, config, file):
    source, task = request.param
    if source == "file":
        text = "".join(f"Line {n} of a text, which goes on. " for n in range(1000))
        return prepare(config(source, task, data__path=str(file("a.txt", text)), model__context_length=32))
    return prepare(config(source, task, data__max_examples=500, model__context_length=32))


def same(left, right):
    arrays = [{**batch.inputs, "labels": batch.labels, "ids": batch.example_ids} for batch in (left, right)]
    return arrays[0].keys() == arrays[1].keys() and all(np.array_equal(arrays[0][n], arrays[1][n]) for n in arrays[0])


def test_batches_go_on_from_any_step(dataset):
    first = list(islice(dataset.train.batches(16, seed=3), 80))  # more than an epoch of the examples
    for start in (0, 1, 40, 79):
        resumed = next(dataset.train.batches(16, seed=3, start_step=start))
        assert same(resumed, first[start])
        assert same(dataset.train.batch(start, 16, 3), first[start])
    assert not same(first[0], first[1])
    assert not same(first[0], next(dataset.train.batches(16, seed=4)))


def test_validation_is_whole_and_always_the_same(dataset):
    split = dataset.validation
    batches = list(split.once(7))
    assert sum(len(batch.example_ids) for batch in batches) == len(split)
    assert len({id for batch in batches for id in batch.example_ids.tolist()}) == len(split)
    assert all(same(a, b) for a, b in zip(batches, split.once(7), strict=True))
    assert len(split.lengths()) == len(split)


def test_an_epoch_reads_as_much_as_there_is(dataset):
    split = dataset.train
    assert split.steps_per_epoch(16) == len(split) / 16
    assert split.steps_per_epoch(10**6) in (1, len(split) / 10**6)


def test_every_batch_has_something_to_predict(dataset):
    assert all(batch.num_labels > 0 for batch in islice(dataset.train.batches(4, seed=0), 20))


def test_its_first_examples_are_those_whose_texts_can_be_read(dataset):
    split = dataset.validation
    part = split.first(3)
    assert (len(part), part.num_examples) == (3, 3)
    assert part.examples(9) == split.examples(3)
    seen = {id for batch in part.once(2) for id in batch.example_ids.tolist()}
    assert seen <= {id for batch in split.once(7) for id in batch.example_ids.tolist()}
    assert split.first(10**6).num_examples == split.num_examples


def test_a_text_in_windows_is_one_example(config, file):
    labels = "\n\n".join("\n".join(f"w{n} B-a" for n in range(length)) for length in (2, 30, 3, 40, 1)) + "\n\nx O\n"
    path = str(file("a.conll", labels))
    made = prepare(config("file", "token_tagging", data__path=path, data__validation_path=path,
                          tokenizer__kind="word", model__context_length=12, data__stride=2)).validation  # fmt: skip
    assert (made.num_examples, made.first(2).num_examples) == (6, 2)
    assert sum(batch.num_labels for batch in made.first(2).once(3)) == 32
    assert made.continued.tolist()[:4] == [False, False, True, True]


def test_held_out_texts_can_be_read(dataset):
    examples = dataset.validation.examples(5)
    assert len(examples) == 5
    assert all(text for example in examples for text in example.values())


def test_windows_cover_all_of_the_validation_text(config, file):
    text = "abcdefghij" * 100 + "jih"
    made = config("file", "language_modeling", data__path=str(file("a.txt", text)), model__context_length=16)
    dataset = prepare(made)
    split = dataset.validation
    batches = list(split.once(4))
    labels = np.concatenate([batch.labels.ravel() for batch in batches])
    assert dataset.tokenizer.decode(labels[labels != IGNORED]) == text[-100:][1:]
    assert len(split) == 7
    assert dataset.counts["train_tokens"] == 903


def test_an_epoch_has_every_example_once_and_little_padding(config):
    dataset = prepare(config("copy", "translation", data__max_examples=2000, data__max_length=30, data__min_length=1))
    size, epoch = 16, len(dataset.train) // 16
    ids = np.concatenate([batch.example_ids for batch in islice(dataset.train.batches(size, seed=0), epoch)])
    assert len(set(ids.tolist())) == len(ids) == epoch * size
    masks = [batch.inputs.get("attention_mask") for batch in islice(dataset.train.batches(size, seed=0), epoch)]
    padding = np.mean([0.0 if mask is None else 1 - mask.mean() for mask in masks])
    assert padding < 0.05


def test_fewer_examples_than_a_batch(config):
    dataset = prepare(config("copy", "translation", data__max_examples=10, data__min_length=8))
    batch = dataset.train.batch(5, 64, 0)
    assert len(batch.labels) == len(dataset.train) == 9
    assert [len(batch.labels) for batch in dataset.validation.once(64)] == [1]
