"""Measure how fast a config trains and generates on this machine, and what share that is of what the machine can do;
some steps are taken on the data's own batches, and nothing is kept."""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, get_args

from tfmcore.cli.arguments import add_json, add_runs, add_set, chosen_config, whole
from tfmcore.cli.check import cost
from tfmcore.cli.output import note, print_json, print_line, print_table
from tfmcore.config import TASKS, Config
from tfmcore.config.compute import step_flops
from tfmcore.config.estimate import likely_cost
from tfmcore.config.tasks import TOKEN_TASKS
from tfmcore.messages import WritingPrecision
from tfmcore.units import count, duration, size

EXAMPLES = """
tfm bench
tfm bench gpt2-mini --set training.precision=bf16
tfm bench gpt2-mini --set training.compile=always
tfm bench run.toml --largest-batch
tfm bench run.toml --steps 20 --random-tokens --json
"""
NUM_RECORDED = 200
"""So many steps are written down to see how long that takes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "config", metavar="CONFIG", nargs="?", default="nano-decoder", help="a config file or preset (nano-decoder)"
    )
    add_set(parser)
    add_runs(parser)
    parser.add_argument("--steps", metavar="N", type=whole(1, 1000), default=10, help="steps to time (default: 10)")
    random = "time full-length sequences of random tokens instead of the data's own batches"
    parser.add_argument("--random-tokens", action="store_true", help=random)
    fits = "find the largest batch that fits in memory, by estimate and then by trial"
    parser.add_argument("--largest-batch", action="store_true", help=fits)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    config, name = chosen_config(arguments)
    if arguments.largest_batch:
        return find_largest_batch(config, name, arguments.json)
    from tfmcore.training.waiting import choose_waiting

    choose_waiting()  # as the trainer does
    training = measured_training(config, arguments.steps, arguments.random_tokens)
    facts = {"config": name, **training, "writing": measured_writing(config, training)}
    if arguments.json:
        print_json(facts)
    else:
        show(facts)
    return 0


def find_largest_batch(config: Config, name: str, as_json: bool) -> int:
    """Say how many sequences a batch can have here, and what a step of it takes."""
    from tfmcore.training.largest_batch import largest_batch

    found = largest_batch(config, cost(config)["vocab_size"], lambda phase, *_: note(f"{phase} …"))
    trial = found.trial
    if as_json:
        print_json({
            "config": name, "batch_size": found.batch_size, "bytes": trial.num_bytes, "limit": found.limit,
            "seconds_per_step": trial.seconds, "tokens_per_step": trial.tokens,
        })  # fmt: skip
    else:
        print_line(f"training.batch_size={found.batch_size} fits: {size(trial.num_bytes)} of {size(found.limit)}, "
                   f"{duration(trial.seconds)} per step")  # fmt: skip
    return 0


def measured_training(config: Config, steps: int, random_tokens: bool) -> dict[str, Any]:
    """The speed of a step, what the machine can do, and where the time goes."""
    from tfmcore.training.devices import choose_device, choose_threads
    from tfmcore.training.machine import probe
    from tfmcore.training.measure import try_batch
    from tfmcore.training.precision import PRECISIONS

    expected, precision = cost(config), config.training.precision
    choose_threads(config.training.threads)
    device = choose_device(config.training.device)
    if caution := PRECISIONS[precision](device).caution:
        note(caution)
    machine = probe(device, precision)
    trial = try_batch(config, expected["vocab_size"] if random_tokens else 0, steps)
    both = 2 if config.model.architecture == "encoder_decoder" else 1  # its tokens are counted, its compute is by pairs
    length = max(1, round(trial.tokens / both / config.training.sequences_per_step))  # of the data's own sequences
    typical = config.model_copy(update={"model": config.model.model_copy(update={"context_length": length})})
    writes = config.data.task in TOKEN_TASKS  # what predicts tokens does so at labels only
    work = {
        part: flops * (trial.labels if part == "head" and writes else trial.tokens / both)
        for part, flops in step_flops(likely_cost(typical), config.training).items()
    }
    parts = {**trial.parts, "bookkeeping": seconds_of_bookkeeping(config)}
    seconds = sum(parts.values())
    per_second = sum(work.values()) / seconds
    return {
        "parameters": trial.parameters,
        "seconds_per_step": seconds,
        "tokens_per_step": trial.tokens,
        "tokens_per_second": trial.tokens / seconds,
        "compiled": config.training.compile == "always",
        "bytes": trial.num_bytes,
        "flops_per_step": work,
        "flops_per_second": per_second,
        "share_of_matrix_rate": per_second / machine.flops_per_second,
        "seconds_by_part": parts,
        "machine": {
            "precision": precision,
            "flops_per_second": machine.flops_per_second,
            "bytes_per_second": machine.bytes_per_second,
        },
    }


def seconds_of_bookkeeping(config: Config) -> float:
    """Of each step: to look for commands and to write down what happened."""
    from tfmcore.messages import Stepped
    from tfmcore.runs import Run
    from tfmcore.training.controls import Controls
    from tfmcore.training.record import Record

    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder), config, "bench")
        with Record(run, Controls(run.folder)) as record:
            begin = time.perf_counter()
            for step in range(NUM_RECORDED):
                record.controls.poll()
                event = Stepped(step=step, loss=1.25, learning_rate=1e-3, gradient_norm=0.5, tokens=768, seconds=0.05)
                record.take(event)
            return (time.perf_counter() - begin) / NUM_RECORDED


def measured_writing(config: Config, training: dict[str, Any]) -> dict[str, dict[str, float]]:
    """By precision: how fast the model writes one text; nothing for a model that does not write."""
    if TASKS[config.data.task].verb not in ("generate", "translate"):
        return {}
    from tfmcore.config import SavedModel
    from tfmcore.inference.quantization import writes
    from tfmcore.inference.speed import writing_speed
    from tfmcore.models import build
    from tfmcore.training.devices import choose_device

    device = choose_device(config.training.device)
    vocab_size = cost(config)["vocab_size"]
    model = build(SavedModel(task=config.data.task, vocab_size=vocab_size, model=config.model)).to(device).eval()
    assert writes(model)
    precisions = get_args(WritingPrecision) if device.type == "cpu" else ("fp32", "bf16")
    found = {}
    for precision in reversed(precisions):
        speed = writing_speed(model, precision)
        per_second = speed.tokens_per_second * speed.bytes_per_token
        found[precision] = {
            "tokens_per_second": speed.tokens_per_second,
            "bytes_per_token": speed.bytes_per_token,
            "bytes_per_second": per_second,
            "share_of_bandwidth": per_second / training["machine"]["bytes_per_second"],
        }
    return {precision: found[precision] for precision in precisions}


def show(facts: dict[str, Any]) -> None:
    machine, seconds = facts["machine"], facts["seconds_per_step"]
    print_line(f"{facts['config']}: {count(facts['parameters'])} parameters, {facts['tokens_per_step']} tokens per "
               f"step, {size(facts['bytes'])}")  # fmt: skip
    print_line(f"This machine: {count(machine['flops_per_second'])}FLOP/s of matrix products in "
               f"{machine['precision']}, {count(machine['bytes_per_second'])}B/s of memory bandwidth")  # fmt: skip
    step = "compiled step" if facts["compiled"] else "uncompiled step"
    print_line(f"Training: {duration(seconds)} per {step}, {count(facts['tokens_per_second'])} tokens/s, "
               f"{count(facts['flops_per_second'])}FLOP/s, {facts['share_of_matrix_rate']:.0%} of that")  # fmt: skip
    print_line()
    parts = facts["seconds_by_part"].items()
    rows = ((part, f"{1000 * each:.2f} ms", f"{each / seconds:.0%}") for part, each in parts)
    print_table(("Step", "Time", "Share"), rows, right=(1, 2))
    print_line()
    total = sum(facts["flops_per_step"].values())
    work = facts["flops_per_step"].items()
    print_table(
        ("Part", "Compute per step", "Share"),
        ((part, f"{count(flops)}FLOP", f"{flops / total:.0%}") for part, flops in work),
        right=(1, 2),
    )
    if facts["writing"]:
        print_line()
        print_table(
            ("Generation", "Speed", "Weights read", "Share of bandwidth"),
            (
                (
                    precision,
                    f"{count(each['tokens_per_second'])} tokens/s",
                    f"{count(each['bytes_per_second'])}B/s",
                    f"{each['share_of_bandwidth']:.0%}",
                )
                for precision, each in facts["writing"].items()
            ),
            right=(1, 2, 3),
        )
