"""Resume a run: a paused one trains on; one that was stopped, failed or was interrupted starts again from its newest
checkpoint."""

import argparse

from tfmcore.cli.arguments import add_run, add_set, chosen_run
from tfmcore.cli.command import send
from tfmcore.cli.train import add_conduct, conduct
from tfmcore.config import UserError
from tfmcore.runs import RunState

EXAMPLES = """
tfm resume first
tfm resume first --detach
tfm resume first --set training.batch_size=8 --set training.accumulation=4      the same steps in less memory
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_set(parser)
    add_conduct(parser)


def run(arguments: argparse.Namespace) -> int:
    run = chosen_run(arguments)
    state = run.state()
    if not (state.resumable or state in (RunState.PAUSED, RunState.WAITING)):
        longer = " (`tfm branch` trains it for longer)" if state is RunState.FINISHED else ""
        raise UserError(f"the run {run.label!r} is {state}: there is nothing to resume{longer}")
    if arguments.overrides:
        run.change(arguments.overrides)
    return send(run, "resume") if state is RunState.PAUSED else conduct(run, arguments)
