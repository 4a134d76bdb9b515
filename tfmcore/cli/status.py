"""Show the runs and their progress; or one run, once or until it ends."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfmcore.cli.arguments import add_json, add_runs, runs_folder
from tfmcore.cli.output import note, print_json, print_line, print_table
from tfmcore.cli.progress import follow
from tfmcore.config import UserError
from tfmcore.curves import curves, write_curves
from tfmcore.messages import Noticed
from tfmcore.runs import Run, find_run, list_runs
from tfmcore.units import duration, size

EXAMPLES = """
tfm status                  all runs of the workspace
tfm status first --follow   watch one until it ends; Ctrl-C stops watching, not the run
tfm status first --export curves.csv
tfm status --json | jq -r 'select(.state == "interrupted") | .id'
"""


NUM_NOTICED = 20
WORDS: dict[str, Callable[[float], str]] = {
    "epoch": "{:.3g}".format,
    "loss": "{:.4f}".format,
    "validation_loss": "{:.4f}".format,
    "peak_memory": size,
    "seconds_left": duration,
}
"""How facts that are not shown as they are are said."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run's folder, id or name (default: all)")
    parser.add_argument("--follow", action="store_true", help="show the run's progress until it ends")
    parser.add_argument("--export", metavar="FILE", type=Path, help="write the run's curves (.csv or .jsonl)")
    add_runs(parser)
    add_json(parser, "one JSON object per run, each on a line")


def run(arguments: argparse.Namespace) -> int:
    folder = runs_folder(arguments)
    found = [find_run(arguments.run, folder)] if arguments.run else list_runs(folder)
    if arguments.follow:
        if not arguments.run:
            raise UserError("--follow needs a RUN")
        follow(found[0])
    if arguments.export:
        if not arguments.run:
            raise UserError("--export needs a RUN")
        table = curves(found[0].events())
        write_curves(table, arguments.export)
        note(f"{len(table)} steps of {found[0].label} in {arguments.export}")
    facts = [describe(each) for each in found]
    if arguments.run and arguments.json and (signs := noticed(found[0])):
        facts[0]["noticed"] = signs
    if arguments.json:
        for each in facts:
            print_json(each)
    elif arguments.run:
        for name, value in facts[0].items():
            print_line(f"{name:<16}{WORDS.get(name, str)(value) if value not in (None, '') else '–'}")
        for event in noticed(found[0]):
            print_line(f"\nstep {event.step}: {event.what.replace('_', ' ')}: {event.sentence}")
            print_line(f"  examples of the batch: {', '.join(map(str, event.example_ids)) or '–'}")
            for text in event.texts:
                print_line(f"  | {' '.join(text.split())}")
    elif facts:
        rows = [
            [each["id"], each["label"], each["state"], progress(each), number(each["loss"]),
             number(each["validation_loss"]), left(each)]
            for each in facts
        ]  # fmt: skip
        headings = ("Run", "Name", "State", "Step", "Training loss", "Best validation", "Time left")
        print_table(headings, rows, right=(3, 4, 5, 6))
    else:
        note(f"there are no runs in {folder}; `tfm train nano-decoder` makes one")
    return 0


def describe(run: Run) -> dict[str, Any]:
    """What the run's folder says, as plain values."""
    status, ended, best = run.status(), run.exit(), run.best()
    return {
        "id": run.id,
        "label": run.label,
        "state": str(run.state()),
        "step": ended.step if ended else status.step if status else 0,
        "steps": status.steps if status else None,
        "epoch": status.epoch if status else None,
        "phase": status.phase if status and not ended else "",
        "loss": status.loss if status else None,
        "seconds_left": status.seconds_left if status and not ended else None,
        "peak_memory": status.peak_memory if status else None,
        "sentence": ended.sentence if ended else "",
        "best_step": best.step if best else None,
        "validation_loss": best.manifest.validation_loss if best else None,
        "folder": str(run.folder),
    }


def noticed(run: Run) -> list[Noticed]:
    """The last signs that the training goes wrong."""
    return [event for event in run.events() if isinstance(event, Noticed)][-NUM_NOTICED:]


def progress(facts: dict[str, Any]) -> str:
    return f"{facts['step']}/{facts['steps']}" if facts["steps"] else str(facts["step"])


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def left(facts: dict[str, Any]) -> str:
    return "–" if facts["seconds_left"] is None else duration(facts["seconds_left"])
