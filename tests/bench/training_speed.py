"""A training step beside the same step of other libraries: forward, backward, clipping and AdamW on one batch.

    OMP_NUM_THREADS=2 python -m tests.bench.training_speed [XS S MLM S2S] [--precision bf16] [--rounds 9]

The sides alternate in one run, each in a process of its own, where ours keeps freed memory as a trainer does. Printed
are each one's median step and, to the first peer, the median of the ratios of the rounds with their spread. Peers:
transformers, torch.nn, and x-transformers where it is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from tests.bench.peers import PEERS, Made
from tfmcore.config import Config, SavedModel
from tfmcore.data import IGNORED, Batch
from tfmcore.models import build
from tfmcore.training.batches import Placed, place
from tfmcore.training.heap import freed_memory_kept
from tfmcore.training.learner import Learner

Step = Callable[[], float]


class Setting(NamedTuple):
    """A model and its batch; `shared` goes into our config."""

    architecture: str
    task: str
    vocab_size: int
    num_layers: int
    d_model: int
    num_heads: int
    context: int
    batch: int


SETTINGS = {
    "XS": Setting("decoder", "language_modeling", 65, 4, 128, 4, 64, 12),
    "S": Setting("decoder", "language_modeling", 65, 6, 384, 6, 256, 12),
    "MLM": Setting("encoder", "masked_language_modeling", 8000, 4, 256, 4, 128, 16),
    "S2S": Setting("encoder_decoder", "translation", 8000, 4, 256, 4, 64, 32),
}
SWITCHES = {
    "decoder": {"position": "learned", "norm": "layer", "activation": "gelu", "attention_bias": True},
    "encoder": {"position": "learned", "norm": "layer", "norm_placement": "post", "activation": "gelu",
                "attention_bias": True, "num_token_types": 2, "embedding_norm": True},
    "encoder_decoder": {"position": "relative_buckets", "norm": "rms", "activation": "relu"},
}  # fmt: skip
"""As the peer has it: GPT-2, BERT and T5."""


def our_config(s: Setting, precision: str) -> Config:
    model = {
        "architecture": s.architecture, "num_layers": s.num_layers, "d_model": s.d_model, "num_heads": s.num_heads,
        "d_ff": 4 * s.d_model, "context_length": s.context, "dropout": 0.0, **SWITCHES[s.architecture],
    }  # fmt: skip
    return Config.model_validate({
        "data": {"task": s.task, "source": "python_manual" if s.task != "translation" else "reverse"},
        "model": model,
        "training": {"batch_size": s.batch, "precision": precision},
    })  # fmt: skip


def batch_of(s: Setting) -> Batch:
    """Random tokens; of an encoder's, 15 % are to be predicted."""
    torch.manual_seed(0)
    ids = torch.randint(1, s.vocab_size, (s.batch, s.context))
    inputs = {"input_ids": ids.numpy()}
    labels = torch.randint(1, s.vocab_size, (s.batch, s.context))
    if s.architecture == "encoder":
        labels[torch.rand(labels.shape) > 0.15] = IGNORED
    if s.architecture == "encoder_decoder":
        inputs["decoder_input_ids"] = ids.flip(1).contiguous().numpy()
    return Batch(inputs, labels.numpy())


def our_step(s: Setting, config: Config, batches: Iterator[Placed]) -> Step:
    model = build(SavedModel(task=s.task, vocab_size=s.vocab_size, model=config.model)).train()
    learner = Learner(model, s.task, config.training)

    def step() -> float:
        loss, norm = learner.gradient([next(batches)])
        learner.update(1e-3, norm)
        return loss

    return step


def peer_step(made: Made, precision: str, batches: Iterator[Placed]) -> Step:
    """The loop that nanoGPT and the libraries' own examples have."""
    model, logits_of = made
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=1e-3, fused=True)

    def step() -> float:
        batch = next(batches)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = logits_of(model, batch.inputs)
            loss = F.cross_entropy(logits.flatten(0, -2).float(), batch.labels.flatten(), ignore_index=IGNORED)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def make_step(side: str, s: Setting, precision: str) -> Step | None:
    """A side's step, if its library is there."""
    batch = place(batch_of(s), torch.device("cpu"))
    if side == "ours":
        return our_step(s, our_config(s, precision), repeat(batch))
    made = PEERS[side](s)
    return made and peer_step(made, precision, repeat(batch))


def serve(side: str, setting: str, precision: str) -> None:
    """In a side's own process: for each line read, the seconds of a step, over at least a fifth of a second."""
    with freed_memory_kept() if side == "ours" else contextlib.nullcontext():
        if not (step := make_step(side, SETTINGS[setting], precision)):
            return
        for _ in range(3):
            begin = time.perf_counter()
            step()
        repeats = max(1, round(0.2 / (time.perf_counter() - begin)))
        print("ready", flush=True)
        for _ in sys.stdin:
            begin = time.perf_counter()
            for _ in range(repeats):
                step()
            print((time.perf_counter() - begin) / repeats, flush=True)


class Side:
    """The process of a side."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-m", "tests.bench.training_speed", "--serve", *words]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.is_there = bool(self.process.stdout and self.process.stdout.readline())

    def seconds(self) -> float:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self) -> None:
        self.process.communicate()


def compare(setting: str, precision: str, rounds: int) -> dict[str, list[float]]:
    """Seconds a step of each side that is there, round by round."""
    sides = {name: Side(name, setting, precision) for name in (*PEERS, "ours")}
    found: dict[str, list[float]] = {name: [] for name, side in sides.items() if side.is_there}
    for _ in range(rounds):
        for name, seconds in found.items():
            seconds.append(sides[name].seconds())
    for side in sides.values():
        side.end()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", nargs="*", default=[])
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    arguments: Any = parser.parse_args()
    if arguments.serve:
        serve(*arguments.serve)
        return
    for name in arguments.settings or SETTINGS:
        found = compare(name, arguments.precision, arguments.rounds)
        first = next(iter(found.values()))
        for side, seconds in found.items():
            ratios = [a / b for a, b in zip(first, seconds, strict=True)]
            median, spread = statistics.median(ratios), f"({min(ratios):.2f} to {max(ratios):.2f})"
            took = f"{statistics.median(seconds) * 1000:9.1f} ms"
            print(f"{name:<4}{arguments.precision} {side:<16}{took}  {median:5.2f} × {spread}", flush=True)


if __name__ == "__main__":
    main()
