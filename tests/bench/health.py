"""What looking at every layer costs: python -m tests.bench.health [PRESET [ROUNDS]].

Steps with a look and steps without one alternate; printed is what a look adds to a step, and its share of the time
where it comes as often as the config says.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from tfmcore.config import presets
from tfmcore.runs import Run
from tfmcore.training.controls import Controls
from tfmcore.training.examination import Examination
from tfmcore.training.trainer import TransformerTrainer


def step(trainer: TransformerTrainer, batches: list, look: bool) -> float:
    """Seconds of one step."""
    begin = time.perf_counter()
    examination = Examination(trainer.model) if look else None
    trainer.learner.gradient(batches)
    if examination:
        examination.take_gradients()
    trainer.learner.update(1e-3)
    if examination:
        examination.finish()
    return time.perf_counter() - begin


def main(preset: str = "nano-decoder", rounds: int = 60) -> None:
    config = presets()[preset].config()
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder), config, "run")
        trainer = TransformerTrainer.prepare(config, run, Controls(run.folder), lambda *_: None)
        trainer.model.train()
        batches = next(trainer._work())
        pairs = [(step(trainer, batches, True), step(trainer, batches, False)) for _ in range(rounds + 3)][3:]
    more, plain = statistics.median(a - b for a, b in pairs), statistics.median(b for _, b in pairs)
    every, share = config.training.health_every, more / plain
    print(f"{preset}: a step takes {plain * 1000:.2f} ms, {torch.get_num_threads()} threads")
    print(f"a look adds {more * 1000:.2f} ms, {share:.1%} of a step; every {every} steps {share / every:.2%}")


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
