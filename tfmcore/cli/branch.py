"""Start a new run from a checkpoint of a run, with a changed config; the first run stays as it is."""

import argparse
from typing import Any

from tfmcore.cli.arguments import add_run, add_set, chosen_run, whole
from tfmcore.cli.train import add_conduct, conduct, with_whole_paths
from tfmcore.config import Config, load_raw
from tfmcore.runs import Run

EXAMPLES = """
tfm branch first --set training.learning_rate=3e-4            from its newest checkpoint
tfm branch first --step 500 --set training.schedule=wsd --name cooled
tfm branch first --set training.steps=2000 --detach           train a finished run for longer
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--step",
        metavar="N",
        type=whole(0),
        help="from the newest checkpoint at or before this step (default: the newest of all)",
    )
    add_set(parser)
    parser.add_argument("--name", metavar="LABEL", help="name of the new run (default: the first one's, and the step)")
    add_conduct(parser)


def run(arguments: argparse.Namespace) -> int:
    parent = chosen_run(arguments)
    checkpoint = parent.checkpoint_before(arguments.step)
    raw: dict[str, Any] = load_raw(parent.folder / "run.toml", arguments.overrides)
    raw.setdefault("training", {})["branch_from"] = str(checkpoint.folder.absolute())
    config = with_whole_paths(Config.parse(raw))
    label = arguments.name or f"{parent.label} from step {checkpoint.step}"
    return conduct(Run.create(parent.folder.parent, config, label), arguments)
