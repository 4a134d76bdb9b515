"""Check a config, with one line per problem; if there is none, report the size of its model and what training needs."""

import argparse
from collections.abc import Iterator
from typing import Any

from tfmcore.cli.arguments import add_json, add_runs, add_set, chosen_config
from tfmcore.cli.output import print_json, print_line
from tfmcore.config import Config, ConfigError
from tfmcore.config.compute import step_flops
from tfmcore.config.estimate import likely_cost
from tfmcore.config.memory import training_memory
from tfmcore.config.placement import held_by, layout_words, num_processes, share_of
from tfmcore.units import count, size

MOST_PROCESSES = 16
"""So many processes have a line each."""
EXAMPLES = """
tfm check run.toml
tfm check nano-decoder --set model.num_heads=3
tfm check nano-decoder --set 'training.parallel=["data", "tensor"]' --set training.num_processes=4
tfm check run.toml --json | jq .problems
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="a config file (.toml) or a preset's name")
    add_set(parser)
    add_runs(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    try:
        config, _ = chosen_config(arguments)
    except ConfigError as error:
        if arguments.json:
            print_json({"ok": False, "problems": error.problems})
            return 2
        raise
    if arguments.json:
        print_json({"ok": True, "problems": [], **cost(config), "processes": processes(config)})
    else:
        print_line(summary(config))
    return 0


def cost(config: Config) -> dict[str, Any]:
    """The model's parameters and forward compute by part, and the bytes that a training step needs on each device."""
    expected = likely_cost(config)
    needed = training_memory(expected, config.training)
    return {
        "vocab_size": expected.vocab_size,
        "total_parameters": expected.total,
        "parameters": expected.parameters,
        "flops_per_token": expected.flops_per_token,
        "total_training_bytes": sum(needed.values()),
        "training_bytes": needed,
    }


def summary(config: Config) -> str:
    """What a person wants to know before training."""
    facts, model, training = cost(config), config.model, config.training
    layers = f"{model.num_layers} + {model.decoder_layers}" if model.num_decoder_layers else f"{model.num_layers}"
    tokens = training.sequences_per_step * model.context_length
    compute = sum(step_flops(likely_cost(config), training).values()) * tokens
    lines = [
        f"{config.data.task} on {config.data.source}",
        f"{model.architecture}: {layers} layers, {model.num_heads} heads, width {model.d_model}, "
        f"context {model.context_length}",
        f"{count(facts['total_parameters'])} parameters, with a vocabulary of about {facts['vocab_size']} tokens",
        f"{training.steps} steps, each {count(compute)}FLOP in {size(facts['total_training_bytes'])} of memory"
        + (" on each device" if training.parallel else ""),
    ]
    return "\n".join([*(line.replace("_", " ") for line in lines), *placement(config)])


def placement(config: Config) -> Iterator[str]:
    """What each process holds, where several share the training, a line each."""
    if not config.training.parallel:
        return
    yield layout_words(config.training)
    number = num_processes(config.training)
    shown = number if number <= MOST_PROCESSES else MOST_PROCESSES // 2
    for process in processes(config, shown):
        yield f"  process {process['rank'] + 1}: {', '.join(process['holds'])}"
    if shown < number:
        yield f"  … {number - shown:,} more"


def processes(config: Config, most: int | None = None) -> list[dict[str, Any]]:
    """Of each process, or of the first ones: which one it is among those of each kind, and what it holds, in words."""
    if not config.training.parallel:
        return []
    number = num_processes(config.training)
    shares = (share_of(config, rank) for rank in range(min(number, most or number)))
    return [
        {"rank": share.rank, "place": share.place, "holds": [each.sentence for each in held_by(config, share)]}
        for share in shares
    ]
