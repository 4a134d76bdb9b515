"""What a run costs beside its steps: python -m tests.bench.bookkeeping [PRESET [STEPS]].

The trainer as it is (events, control, status, batches in a thread) and a bare loop on the same model and data take
turns, so that whatever else the machine does falls on both. The bookkeeping is also timed by itself.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from tfmcore.config import Config, presets
from tfmcore.messages import Stepped
from tfmcore.runs import Run
from tfmcore.training.batches import to_device
from tfmcore.training.controls import Controls
from tfmcore.training.process import live
from tfmcore.training.record import Record
from tfmcore.training.trainer import TransformerTrainer

BLOCK = 25


def whole_steps(run: Run) -> Iterator[None]:
    for event in live(Record(run, Controls(run.folder))):
        if isinstance(event, Stepped):
            yield


def bare_steps(trainer: TransformerTrainer) -> Iterator[None]:
    """The shortest loop that trains: forward, backward, clip, step, and the loss as a number."""
    training = trainer.training
    for batch in trainer.dataset.train.batches(training.batch_size, training.seed, 0):
        trainer.learner.gradient([to_device(batch, trainer.device)])
        trainer.learner.update(training.learning_rate)
        yield


def timed(steps: Iterator[None]) -> float:
    """Mean seconds of the next block of steps."""
    begin = time.perf_counter()
    for _ in range(BLOCK):
        next(steps)
    return (time.perf_counter() - begin) / BLOCK


def bookkeeping(run: Run, repeats: int = 2000) -> float:
    """Seconds of what is written and read for one step."""
    with Record(run, Controls(run.folder)) as record:
        begin = time.perf_counter()
        for step in range(repeats):
            record.controls.poll()
            event = Stepped(step=step, loss=1.2345678, learning_rate=1e-3, gradient_norm=0.5, tokens=768, seconds=0.05)
            record.take(event)
        return (time.perf_counter() - begin) / repeats


def main(preset: str = "nano-decoder", steps: int = 300) -> None:
    off = 10**8
    config: Config = presets()[preset].config([f"training.{name}_every={off}" for name in ("eval", "save", "sample")])
    config = config.replaced(training__steps=off)
    with tempfile.TemporaryDirectory() as folder:
        runs = [Run.create(Path(folder), config, name) for name in ("whole", "bare", "alone")]
        whole = whole_steps(runs[0])
        bare = bare_steps(TransformerTrainer.prepare(config, runs[1], Controls(runs[1].folder), lambda *_: None))
        timed(whole), timed(bare)
        pairs = [(timed(whole), timed(bare)) for _ in range(max(1, steps // BLOCK))]
        whole.close()
        alone = bookkeeping(runs[2])
    ratios = [a / b for a, b in pairs]
    step = statistics.median(b for _, b in pairs)
    print(f"{preset}: bare step {step * 1000:.2f} ms, {torch.get_num_threads()} threads")
    print(f"whole ÷ bare: median {statistics.median(ratios):.3f} (spread {min(ratios):.3f} to {max(ratios):.3f})")
    print(f"events, control and status: {alone * 1e6:.0f} µs a step, {alone / step:.2%} of a bare step")


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
