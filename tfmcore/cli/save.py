"""Save a checkpoint of a run now."""

import argparse

from tfmcore.cli.arguments import add_run, chosen_run
from tfmcore.cli.command import send

EXAMPLES = """
tfm save first
"""

add_arguments = add_run


def run(arguments: argparse.Namespace) -> int:
    return send(chosen_run(arguments), "save_now")
