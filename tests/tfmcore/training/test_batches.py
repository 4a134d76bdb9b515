"""Batches on their way to the device."""

import threading
from itertools import count, islice

import numpy as np
import pytest
import torch

from tfmcore.data import IGNORED, Batch
from tfmcore.training.batches import ahead, to_device


def test_placed_counts_what_is_real():
    ids, mask = np.zeros((2, 5), np.int64), np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    labels = np.array([[3, IGNORED, IGNORED], [4, 5, IGNORED]])
    inputs = {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": ids[:, :3]}
    placed = to_device(Batch(inputs, labels, np.array([7, 9])), torch.device("cpu"))
    assert (placed.num_tokens, placed.num_labels, placed.example_ids) == (8 + 6, 3, [7, 9])
    assert placed.inputs.keys() == inputs.keys()
    assert placed.labels.dtype == placed.inputs["input_ids"].dtype == torch.int64


def test_ahead_keeps_the_order_and_is_one_ahead():
    made = []

    def making():
        for number in range(5):
            made.append(number)
            yield number

    items = ahead(making())
    assert next(items) == 0
    assert list(items) == [1, 2, 3, 4]
    assert made == list(range(5))


def test_ahead_makes_no_more_than_one_and_leaves_no_thread():
    made = []
    items = ahead(made.append(number) or number for number in count())
    assert list(islice(items, 3)) == [0, 1, 2]
    items.close()
    assert made == [0, 1, 2, 3]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_what_goes_wrong_ahead_is_raised_here():
    def failing():
        yield 1
        raise OSError("the disk has gone")

    items = ahead(failing())
    assert next(items) == 1
    with pytest.raises(OSError, match="the disk has gone"):
        next(items)
