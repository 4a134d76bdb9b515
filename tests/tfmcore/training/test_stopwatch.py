"""A stopwatch gives each part its time, and a machine's speed is measured in sensible numbers."""

import time

import pytest
import torch

from tfmcore.training.machine import probe
from tfmcore.training.precision import PRECISIONS
from tfmcore.training.stopwatch import Stopwatch


def test_each_part_has_its_time_and_no_other():
    watch = Stopwatch(torch.device("cpu"))
    begin = time.perf_counter()
    for part, seconds in (("a", 0.02), ("b", 0.04), ("a", 0.03), ("", 0.05)):
        watch.turn(part)
        time.sleep(seconds)
    taken = watch.take()
    assert taken.keys() == {"a", "b"}
    assert taken["a"] >= 0.05
    assert taken["b"] >= 0.04
    assert sum(taken.values()) <= time.perf_counter() - begin - 0.05
    assert watch.take() == {}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_machine_is_measured(precision):
    found = probe(torch.device("cpu"), precision)
    assert 1e7 < found.flops_per_second < 1e15
    assert 1e7 < found.bytes_per_second < 1e13
