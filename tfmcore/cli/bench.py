"""Measure how fast a config trains on this machine: some steps on random tokens, nothing is kept."""

import argparse

from tfmcore.cli.arguments import add_json, add_runs, add_set, chosen_config, whole
from tfmcore.cli.check import cost
from tfmcore.cli.output import print_json, print_line, print_table
from tfmcore.units import count, duration, size

EXAMPLES = """
tfm bench
tfm bench gpt2-mini --set training.precision=bf16
tfm bench run.toml --steps 20 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "config", metavar="CONFIG", nargs="?", default="nano-decoder", help="a config file or preset (nano-decoder)"
    )
    add_set(parser)
    add_runs(parser)
    parser.add_argument("--steps", metavar="N", type=whole(1, 1000), default=10, help="steps to time (default: 10)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    config, name = chosen_config(arguments)
    expected = cost(config)
    from tfmcore.training.measure import try_batch

    trial = try_batch(config, expected["vocab_size"], arguments.steps)
    sequences = config.training.batch_size * config.training.accumulation
    work = {
        part: 3 * flops * sequences * config.model.context_length  # the backward pass takes twice the forward one
        for part, flops in expected["flops_per_token"].items()
    }
    per_second = sum(work.values()) / trial.seconds
    if arguments.json:
        print_json({
            "config": name,
            "parameters": trial.parameters,
            "seconds_per_step": trial.seconds,
            "tokens_per_step": trial.tokens,
            "tokens_per_second": trial.tokens / trial.seconds,
            "bytes": trial.num_bytes,
            "flops_per_step": work,
            "flops_per_second": per_second,
        })  # fmt: skip
        return 0
    print_line(f"{name}: {count(trial.parameters)} parameters, {trial.tokens} tokens a step, {size(trial.num_bytes)}")
    print_line(f"{duration(trial.seconds)} a step, {count(trial.tokens / trial.seconds)} tokens/s, "
               f"{count(per_second)}FLOP/s")  # fmt: skip
    total = sum(work.values())
    rows = ((part, f"{count(flops)}FLOP", f"{flops / total:.0%}") for part, flops in work.items())
    print_table(("Part", "Compute a step", "Share"), rows, right=(1, 2))
    return 0
