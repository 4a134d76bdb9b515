"""Find a learning rate with a range test: train while it rises, and see up to where the loss falls. Nothing is kept."""

import argparse

from tfmcore.cli.arguments import add_json, add_runs, add_set, chosen_config, real, whole
from tfmcore.cli.output import note, print_json, print_line, print_table
from tfmcore.cli.progress import Watch
from tfmcore.cli.train import with_whole_paths

EXAMPLES = """
tfm lr-range nano-decoder
tfm lr-range run.toml --from 1e-5 --to 0.1 --steps 300
tfm lr-range run.toml --json | jq .suggestion
"""

NUM_SHOWN = 20
WIDTH = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="a config file (.toml) or a preset's name")
    rate = real(1e-12, 100)
    parser.add_argument(
        "--from",
        dest="lowest",
        metavar="RATE",
        type=rate,
        default=1e-6,
        help="the lowest learning rate (default: 1e-6)",
    )
    parser.add_argument(
        "--to", dest="highest", metavar="RATE", type=rate, default=1.0, help="the highest learning rate (default: 1)"
    )
    parser.add_argument(
        "--steps", metavar="N", type=whole(10, 10_000), default=120, help="number of steps (default: 120)"
    )
    add_set(parser)
    add_runs(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    config = with_whole_paths(chosen_config(arguments)[0])
    from tfmcore.training.rate_range import rate_range

    with Watch() as watch:
        found = rate_range(config, watch.prepare, arguments.lowest, arguments.highest, arguments.steps)
    suggestion = found.suggestion
    if arguments.json:
        print_json({"rates": found.rates, "losses": found.losses, "suggestion": suggestion})
        return 0
    every = max(1, len(found.rates) // NUM_SHOWN)
    low, high = min(found.losses), max(found.losses)
    rows = [
        (f"{rate:.2e}", f"{loss:.4f}", "▪" * round(WIDTH * (loss - low) / (high - low or 1.0)))
        for rate, loss in list(zip(found.rates, found.losses, strict=True))[::every]
    ]
    print_table(("Learning rate", "Loss", ""), rows, right=(0, 1))
    print_line(f"\nsuggested: training.learning_rate={suggestion:g} (now {config.training.learning_rate:g})")
    note(f"try it with --set training.learning_rate={suggestion:g}")
    return 0
