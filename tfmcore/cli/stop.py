"""Stop a run after saving; it can be resumed later. One that no longer responds is ended by force."""

import argparse

from tfmcore.cli.arguments import add_run, chosen_run
from tfmcore.cli.command import send
from tfmcore.cli.output import note
from tfmcore.runs import RunState

EXAMPLES = """
tfm stop first
tfm stop first --force      end its process at once; progress since its last checkpoint is lost
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--force", action="store_true", help="end its process at once, without saving")


def run(arguments: argparse.Namespace) -> int:
    run = chosen_run(arguments)
    if arguments.force or run.state() is RunState.SILENT:
        ended = run.kill()
        note(f"{run.label}: its process was ended" if ended else f"{run.label}: it has no process on this machine")
        return 0 if ended else 1
    return send(run, "stop")
