"""Change the learning rate of a run while it trains: from its next step on the value takes the schedule's place."""

import argparse

from tfmcore.cli.arguments import add_run, chosen_run, real
from tfmcore.cli.command import send

EXAMPLES = """
tfm learning-rate first 3e-4
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("value", metavar="VALUE", type=real(1e-12, 100), help="the new learning rate")


def run(arguments: argparse.Namespace) -> int:
    return send(chosen_run(arguments), "set_learning_rate", arguments.value)
