"""Change the learning rate of a run while it trains, from its next step on; "schedule" goes back to its schedule."""

import argparse

from tfmcore.cli.arguments import add_run, chosen_run, real
from tfmcore.cli.command import send

EXAMPLES = """
tfm learning-rate first 3e-4
tfm learning-rate first schedule
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("value", metavar="VALUE", type=rate, help='the new learning rate, or "schedule"')


def rate(text: str) -> float | None:
    """A learning rate; None for "schedule"."""
    return None if text == "schedule" else real(1e-12, 100)(text)


def run(arguments: argparse.Namespace) -> int:
    return send(chosen_run(arguments), "set_learning_rate", arguments.value)
