"""A run's history: arrays as the events say, and a restart voids what is trained anew."""

import numpy as np

from app.history import Block, History, blocks
from tfmcore.messages import Evaluated, Sampled, Started, Stepped


def stepped(step: int, loss: float) -> Stepped:
    return Stepped(step=step, loss=loss, learning_rate=1e-3, gradient_norm=1.0, tokens=100, seconds=0.5)


def started(step: int) -> Started:
    return Started(
        step=step, steps=10, parameters=1, vocab_size=2, num_train=3, num_validation=4, device="cpu", threads=1
    )


def test_consecutive_steps_become_one_block() -> None:
    events = [started(0), *(stepped(n, 1 / n) for n in range(1, 5)), Evaluated(step=4, loss=0.5), stepped(5, 0.1)]
    items = list(blocks(events))
    assert [type(item).__name__ for item in items] == ["Started", "Block", "Evaluated", "Block"]
    assert isinstance(items[1], Block)
    assert items[1].steps.tolist() == [1, 2, 3, 4]


def test_series_and_validation() -> None:
    history = History()
    history.extend(blocks([started(0), stepped(1, 2.0), stepped(2, 1.0), Evaluated(step=2, loss=1.5)]))
    steps, losses = history.series("loss")
    assert steps.tolist() == [1, 2]
    assert losses.tolist() == [2.0, 1.0]
    assert history.series("tokens_per_second")[1].tolist() == [200.0, 200.0]
    assert [values.tolist() for values in history.validation()] == [[2.0], [1.5]]


def test_what_the_steps_have_taken_so_far() -> None:
    history = History()
    empty = stepped(3, 1.0).model_copy(update={"seconds": 0.0})  # whose speed is unknown
    history.extend(blocks([started(0), stepped(1, 2.0), stepped(2, 1.0), empty, stepped(4, 1.0)]))
    assert history.spent("seconds").tolist() == [0.5, 1.0, 1.0, 1.5]
    assert history.spent("tokens").tolist() == [100, 200, 200, 300]


def test_what_is_trained_again_counts_once() -> None:
    history = History()
    history.extend(blocks([started(0), *(stepped(n, n) for n in range(1, 8)), Sampled(step=7, prompt="", text="x")]))
    history.extend(blocks([started(5), stepped(6, 60.0)]))
    steps, losses = history.series("loss")
    assert steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert losses[-1] == 60.0
    assert history.samples == []


def test_a_million_points_grow_in_place() -> None:
    history = History()
    for start in range(0, 1_000_000, 100_000):
        steps = np.arange(start + 1, start + 100_001, dtype=float)
        history.extend([Block(steps, np.ones((100_000, 5)))])
    assert history.step == 1_000_000
    assert len(history.series("loss")[1]) == 1_000_000
