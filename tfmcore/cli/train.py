"""Train a model from a config file or a preset. Ctrl-C saves and stops; `tfm resume` resumes it."""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from tfmcore.cli.arguments import add_json, add_runs, add_set, chosen_config, real, runs_folder, whole
from tfmcore.cli.output import note, print_json, print_line
from tfmcore.cli.progress import Watch
from tfmcore.config import Config, UserError
from tfmcore.runs import Exit, Run, RunState, start_trainer
from tfmcore.units import size

if TYPE_CHECKING:
    from tfmcore.data import Progress

EXAMPLES = """
tfm train nano-decoder --name first
tfm train nano-decoder --set data.source=file --set data.path=book.txt --set training.steps=5000
tfm train run.toml --set training.finetune_from=first       start from the weights of a model or a run
tfm train run.toml --epochs 3               as many steps as three passes over the training data take
tfm train run.toml --detach                 in the background; `tfm status --follow` watches it
tfm train run.toml --json | jq -c 'select(.kind == "evaluated")'
"""

FILES = (("data", "path"), ("data", "target_path"), ("data", "validation_path"), ("tokenizer", "path"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="a config file (.toml) or a preset's name")
    add_set(parser)
    add_runs(parser)
    parser.add_argument("--name", metavar="LABEL", help="name of the run (default: the config's)")
    parser.add_argument(
        "--epochs", metavar="N", type=real(1e-6, 1e6), help="passes over the training data, in place of training.steps"
    )
    add_conduct(parser)
    parser.add_argument("--continue", dest="folder", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--hosts", metavar="N", type=whole(1), default=1, help=argparse.SUPPRESS)


def add_conduct(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detach", action="store_true", help="train in the background, and return at once")
    add_json(parser, "one line of JSON per event (with --detach: the run)")


def run(arguments: argparse.Namespace) -> int:
    if arguments.folder and arguments.detach:
        from tfmcore.training.parallel.launch import start_launcher

        start_launcher(Run(arguments.folder), arguments.hosts)
        return 0
    if arguments.folder:
        return continue_detached(Run(arguments.folder), arguments.hosts)
    if not arguments.config:
        raise UserError("name a config file or a preset to train (`tfm presets` lists them)")
    config, name = chosen_config(arguments)
    if arguments.epochs:
        with Watch(quiet=arguments.json) as watch:
            config = of_epochs(config, arguments.epochs, watch.prepare)
    made = Run.create(runs_folder(arguments), with_whole_paths(config), arguments.name or name)
    return conduct(made, arguments)


def of_epochs(config: Config, epochs: float, progress: "Progress") -> Config:
    """The config with as many steps as so many passes over its training data take, once the data are prepared."""
    from tfmcore.data import prepare

    each = prepare(config, progress).train.steps_per_epoch(config.training.sequences_per_step)
    return config.replaced(training__steps=math.ceil(epochs * each))


def continue_detached(run: Run, num_hosts: int = 1) -> int:
    """What `tfmcore.runs.start_trainer` starts: train with no one watching."""
    from tfmcore.training.parallel.worker import is_worker, run_worker
    from tfmcore.training.process import run_trainer

    return run_worker(run) if is_worker() else exit_code(run_trainer(run, num_hosts=num_hosts), run)


def conduct(run: Run, arguments: argparse.Namespace) -> int:
    """Train here, in sight, or in the background; returns the exit code."""
    if arguments.detach:
        process = start_trainer(run)
        if arguments.json:
            print_json({"id": run.id, "label": run.label, "folder": run.folder, "pid": process.pid})
        else:
            print_line(run.id)
            note(f"trains in the background; `tfm status {run.id} --follow` watches it")
        return 0
    from tfmcore.training.process import run_trainer

    if arguments.json:
        return exit_code(run_trainer(run, print_json), run)
    note(f"run {run.id}")
    with Watch() as watch:
        ended = run_trainer(run, watch.show, watch.prepare)
    if ended.code == 0:
        taken = status.peak_memory if (status := run.status()) else None
        memory = f", in {size(taken)} of memory" if taken else ""
        note(f"{ended.sentence}{memory}; its folder is {run.folder}")
    return exit_code(ended, run)


def exit_code(ended: Exit, run: Run) -> int:
    """0 for a run that came to its end, 130 for one that was stopped before it, else what the trainer says."""
    if ended.code:
        note(f"tfm: {ended.sentence}")
    if ended.remedy:
        note(f"resume with: tfm resume {run.id} {' '.join(f'--set {option}' for option in ended.remedy)}")
    return 130 if ended.state is RunState.STOPPED else ended.code


def with_whole_paths(config: Config) -> Config:
    """The config with its files named from the root, so that the run can go on from anywhere; they must be there."""
    changes: dict[str, str] = {}
    for section, name in FILES:
        if given := getattr(getattr(config, section), name):
            path = Path(given).expanduser().absolute()
            if not path.is_file():
                raise UserError(f"{section}.{name}: {given} is not a file")
            changes[f"{section}__{name}"] = str(path)
    if config.training.branch_from:
        changes["training__branch_from"] = str(Path(config.training.branch_from).expanduser().absolute())
    return config.replaced(**changes) if changes else config
