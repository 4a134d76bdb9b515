"""Pause a run after its current step; `tfm resume` resumes it."""

import argparse

from tfmcore.cli.arguments import add_run, chosen_run
from tfmcore.cli.command import send

EXAMPLES = """
tfm pause first
"""

add_arguments = add_run


def run(arguments: argparse.Namespace) -> int:
    return send(chosen_run(arguments), "pause")
