"""A training step beside the same step of other libraries: forward, backward, clipping and AdamW on one batch.

    OMP_NUM_THREADS=2 python -m tests.bench.training_speed [XS S MLM S2S] [--precision bf16] [--dropout 0.1] …
    python -m tests.bench.training_speed GPT-2 --precision bf16 --device cuda --compile

The sides alternate in one run, each in a process of its own, where ours keeps freed memory and has its threads wait as
a trainer does; what says in the environment how threads wait is heeded by all. Printed are each one's median step and,
to the first peer, the median of the ratios of the rounds with their spread; then tokens a second, and the share of the
device's measured matrix rate that the products of a step take (logits of all tokens counted, though ours makes those
that are predicted). Peers: transformers, nanoGPT, the plain GPT, torch.nn, and x-transformers where it is installed;
with `--sides`, those of them ("nanoGPT/fp32" has that precision, and "ours/compiled" is compiled, whatever the others
are). What is compiled is ours as a run has it, and all of a peer with its loss.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.bench.peers import PEERS, Made
from tfmcore.config import Config, SavedModel
from tfmcore.config.estimate import estimate
from tfmcore.data import IGNORED, Batch
from tfmcore.models import build
from tfmcore.training.batches import DeviceBatch, to_device
from tfmcore.training.heap import freed_memory_kept
from tfmcore.training.learner import Learner, PendingNumbers
from tfmcore.training.machine import probe
from tfmcore.training.waiting import waiting

Step = Callable[[], object]
COMPILED = "compiled"
"""A side's word."""
SECONDS = {"cpu": 0.2, "cuda": 1.0}
"""So long a side is timed at once, about."""


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
    dropout: float = 0.0


SETTINGS = {
    "XS": Setting("decoder", "language_modeling", 65, 4, 128, 4, 64, 12),
    "S": Setting("decoder", "language_modeling", 65, 6, 384, 6, 256, 12),
    "MLM": Setting("encoder", "masked_language_modeling", 8000, 4, 256, 4, 128, 16),
    "S2S": Setting("encoder_decoder", "translation", 8000, 4, 256, 4, 64, 32),
    "GPT-2": Setting("decoder", "language_modeling", 50_257, 12, 768, 12, 1024, 32),
}
BIASES = {"attention_bias": True, "feed_forward_bias": True, "norm_bias": True}
SWITCHES = {
    "decoder": {"position": "learned", "norm": "layer", "activation": "gelu", **BIASES},
    "encoder": {"position": "learned", "norm": "layer", "norm_placement": "post", "activation": "gelu",
                "num_token_types": 2, "embedding_norm": True, **BIASES},
    "encoder_decoder": {"position": "relative_buckets", "norm": "rms", "activation": "relu"},
}  # fmt: skip
"""As the peer has it: GPT-2, BERT and T5."""


def our_config(s: Setting, precision: str, compiled: bool = False) -> Config:
    model = {
        "architecture": s.architecture, "num_layers": s.num_layers, "d_model": s.d_model, "num_heads": s.num_heads,
        "d_ff": 4 * s.d_model, "context_length": s.context, "dropout": s.dropout, **SWITCHES[s.architecture],
    }  # fmt: skip
    return Config.model_validate({
        "data": {"task": s.task, "source": "python_manual" if s.task != "translation" else "reverse"},
        "model": model,
        "training": {
            "batch_size": s.batch, "precision": precision, "compile": "always" if compiled else "never",
        },
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


def our_step(s: Setting, config: Config, batches: Iterator[DeviceBatch], device: str = "cpu") -> Step:
    model = build(SavedModel(task=s.task, vocab_size=s.vocab_size, model=config.model)).train().to(device)
    learner = Learner(model, s.task, config.training)
    if config.training.compile == "always":
        learner.compiled.begin("stacks" if device == "cpu" else "layers")

    untold: PendingNumbers | None = None

    def step() -> float:
        """As a run has it: where the learner is guarded, the loss that is read is the last step's."""
        nonlocal untold
        coming = learner.begin([next(batches)])
        told, untold = (untold or coming) if learner.is_guarded else coming, coming
        loss, _ = told.read()
        learner.update(1e-3)
        return loss

    return step


def peer_step(
    made: Made, precision: str, batches: Iterator[DeviceBatch], device: str = "cpu", compiled: bool = False
) -> Step:
    """The loop that nanoGPT and the libraries' own examples have; it does not wait for a GPU."""
    model, logits_of = made.model, made.logits_of
    fused = True if made.fused or device == "cuda" else None
    optimizer = torch.optim.AdamW(model.train().to(device).parameters(), lr=1e-3, fused=fused)

    def loss_of(inputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        logits = logits_of(model, inputs)
        return F.cross_entropy(logits.flatten(0, -2).float(), labels.flatten(), ignore_index=IGNORED)

    if compiled:
        loss_of = torch.compile(loss_of)

    def step() -> Tensor:
        batch = next(batches)
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            loss = loss_of(batch.inputs, batch.labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step


def make_step(side: str, s: Setting, precision: str, device: str = "cpu", compiled: bool = False) -> Step | None:
    """A side's step, if its library is there."""
    torch.set_float32_matmul_precision("high" if device == "cuda" and precision != "fp32" else "highest")
    batch = to_device(batch_of(s), torch.device(device))
    if side == "ours":
        return our_step(s, our_config(s, precision, compiled), repeat(batch), device)
    made = PEERS[side](s)
    return made and peer_step(made, precision, repeat(batch), device, compiled)


def serve(side: str, setting: str, precision: str, compiled: str, device: str, dropout: str) -> None:
    """In a side's own process: for each line read, the seconds of a step, over some of them."""
    s = SETTINGS[setting]._replace(dropout=float(dropout))
    with freed_memory_kept() if side == "ours" else contextlib.nullcontext():
        if not (step := make_step(side, s, precision, device, compiled == "True")):
            return
        for _ in range(3):
            step()
        print("ready", flush=True)
        repeats = 1
        for number, _ in enumerate(sys.stdin):
            seconds = _seconds(step, repeats, device)
            if number == 0:
                repeats = max(1, round(SECONDS[device] / seconds))
                seconds = _seconds(step, repeats, device)
            print(seconds, flush=True)


def _seconds(step: Step, repeats: int, device: str) -> float:
    """Of each of some steps, all of them done."""
    begin = time.perf_counter()
    for _ in range(repeats):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - begin) / repeats


class Side:
    """The process of a side, which makes itself ready."""

    def __init__(self, environment: dict[str, str], *words: str) -> None:
        command = [sys.executable, "-m", "tests.bench.training_speed", "--serve", *words]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | environment
        )

    def is_there(self) -> bool:
        return bool(self.process.stdout and self.process.stdout.readline())

    def seconds(self) -> float:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self) -> None:
        self.process.communicate()


def compare(
    setting: str, precision: str, compiled: bool, rounds: int, names: Sequence[str], *how: str
) -> dict[str, list[float]]:
    """Seconds a step of each side that is there, round by round."""
    sides = dict[str, Side]()
    for name in names:
        side, *words = name.split("/")
        own_precision, *_ = *(word for word in words if word != COMPILED), precision
        is_compiled = str(compiled or COMPILED in words)
        sides[name] = Side(waiting() if side == "ours" else {}, side, setting, own_precision, is_compiled, *how)
    found: dict[str, list[float]] = {name: [] for name, side in sides.items() if side.is_there()}
    for _ in range(rounds):
        for name, seconds in found.items():
            seconds.append(sides[name].seconds())
    for side in sides.values():
        side.end()
    return found


def work(s: Setting) -> tuple[int, float]:
    """Tokens of a step, and its floating-point operations."""
    cost = estimate(our_config(s, "fp32").model, s.vocab_size, s.task)
    places = s.batch * s.context
    tokens = places * (2 if s.architecture == "encoder_decoder" else 1)
    return tokens, 3.0 * places * sum(cost.flops_per_token.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", nargs="*", default=[])
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", default="cpu", choices=SECONDS)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--sides", nargs="+", default=[*PEERS, "ours"])
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--serve", nargs=6, help=argparse.SUPPRESS)
    arguments: Any = parser.parse_args()
    if arguments.serve:
        serve(*arguments.serve)
        return
    precision, device = arguments.precision, arguments.device
    how = (device, str(arguments.dropout))
    rate = probe(torch.device(device), precision).flops_per_second
    for name in arguments.settings or ("XS", "S", "MLM", "S2S"):
        found = compare(name, precision, arguments.compile, arguments.rounds, arguments.sides, *how)
        first, (tokens, flops) = next(iter(found.values())), work(SETTINGS[name])
        for side, seconds in found.items():
            ratios = [a / b for a, b in zip(first, seconds, strict=True)]
            median, spread = statistics.median(ratios), f"({min(ratios):.2f} to {max(ratios):.2f})"
            took = statistics.median(seconds)
            speed = f"{tokens / took:11,.0f} tokens/s {flops / took / rate:4.0%}"
            print(f"{name:<6}{precision} {side:<15}{took * 1000:9.1f} ms {median:5.2f} × {spread} {speed}", flush=True)


if __name__ == "__main__":
    main()
