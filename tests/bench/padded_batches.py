"""Training on pairs of real lengths: ours, in batches of like lengths and in packed rows, beside transformers' T5 of
the same size on batches that are padded as the pairs come.

    OMP_NUM_THREADS=2 python -m tests.bench.padded_batches SOURCE_FILE TARGET_FILE [--precision bf16] [--rounds 9]

A round is a few batches of each side; printed are useful tokens a second (padding is none) and the median ratios.
"""

import argparse
import statistics
import time
from itertools import islice
from typing import Any

import numpy as np
import torch

from tests.bench.peers import hugging_face
from tests.bench.training_speed import SETTINGS, our_config, our_step, peer_step
from tfmcore.data import Batch, Split, prepare
from tfmcore.training.batches import to_device

BATCHES = 6
"""Of a round."""


def as_they_come(split: Any, size: int, count: int) -> list[Batch]:
    """Batches of pairs in an order of chance."""
    order = np.random.default_rng(0).permutation(len(split))
    return [split._examples(order[start : start + size], 0) for start in range(0, size * count, size)]


def as_we_take_them(split: Split, size: int, count: int) -> list[Batch]:
    return list(islice(split.batches(size, seed=0), count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    s = SETTINGS["S2S"]
    data = {"data__source": "file", "data__path": arguments.source, "data__target_path": arguments.target}
    tokens = {"tokenizer__kind": "bpe", "tokenizer__vocab_size": s.vocab_size}
    config = our_config(s, arguments.precision).replaced(**data, **tokens)
    dataset, dense = prepare(config), prepare(config.replaced(data__packing=True))
    s = s._replace(vocab_size=dataset.tokenizer.vocab_size)
    count = BATCHES * (arguments.rounds + 1)
    made = {
        "transformers": as_they_come(dataset.train, s.batch, count),
        "ours": as_we_take_them(dataset.train, s.batch, count),
        "ours, packed": as_we_take_them(dense.train, s.batch, count),
    }
    batches = {name: [to_device(batch, torch.device("cpu")) for batch in side] for name, side in made.items()}
    steps = {
        "transformers": peer_step(hugging_face(s), arguments.precision, iter(batches["transformers"])),
        **{name: our_step(s, config, iter(batches[name])) for name in ("ours", "ours, packed")},
    }
    speeds: dict[str, list[float]] = {name: [] for name in steps}
    for first in range(0, count, BATCHES):
        for name, step in steps.items():
            begin = time.perf_counter()
            for _ in range(BATCHES):
                step()
            seconds = time.perf_counter() - begin
            speeds[name].append(sum(batch.num_tokens for batch in batches[name][first:][:BATCHES]) / seconds)
    for name, side in batches.items():
        cells = sum(batch.inputs[ids].numel() for batch in side for ids in ("input_ids", "decoder_input_ids"))
        share = sum(batch.num_tokens for batch in side) / cells
        print(f"{name:<14}{statistics.median(speeds[name]):8.0f} useful tokens/s, {share:.0%} of a batch are tokens")
    for name in ("ours", "ours, packed"):
        ratios = [a / b for a, b in zip(speeds[name][1:], speeds["transformers"][1:], strict=True)]  # 1: warm by then
        spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{arguments.precision}: {name} ÷ transformers {statistics.median(ratios):.2f} {spread}")


if __name__ == "__main__":
    main()
