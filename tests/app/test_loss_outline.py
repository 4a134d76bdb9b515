"""A loss curve at a glance, however long the run was."""

import time

from app.loss_outline import POINTS, loss_outline
from tests.app.conftest import stepped_event, write_events
from tfmcore.messages import Evaluated, Sampled, Started
from tfmcore.runs import Run


def test_a_short_run_is_read_whole_and_in_order(run: Run) -> None:
    steps, losses = loss_outline(run)
    assert steps.tolist() == list(range(1, 21))
    assert losses.tolist() == [4 / step for step in range(1, 21)]


def test_a_long_run_costs_no_more_than_a_short_one(run: Run) -> None:
    write_events(run, *(stepped_event(step) for step in range(21, 30_000)))
    start = time.thread_time()
    steps, losses = loss_outline(run)
    assert time.thread_time() - start < 0.1
    assert POINTS * 0.9 <= len(steps) <= POINTS
    assert (steps[1:] > steps[:-1]).all()
    assert losses.tolist() == [4 / step for step in steps]


def test_what_is_trained_again_counts_once(run: Run) -> None:
    again = Started(
        step=10, steps=1000, parameters=1, vocab_size=2, num_train=3, num_validation=4, device="cpu", threads=1
    )
    write_events(run, again, *(stepped_event(step) for step in range(11, 15)))
    steps, _ = loss_outline(run)
    assert steps.tolist() == list(range(1, 15))


def test_other_words_and_a_cut_line_are_passed_over(run: Run) -> None:
    samples = [Sampled(step=20, prompt="x" * 500, text="y" * 500) for _ in range(3)]
    write_events(run, *samples, Evaluated(step=20, loss=1))
    with open(run.folder / "events.jsonl", "a") as file:
        file.write(stepped_event(21).model_dump_json()[:40])
    assert loss_outline(run)[0][-1] == 20


def test_a_run_without_events_has_no_curve(run: Run) -> None:
    (run.folder / "events.jsonl").unlink()
    assert [len(values) for values in loss_outline(run)] == [0, 0]
