"""Queue runs: one per device trains at a time, in an order that can be changed.

`run` trains them here until the queue is empty; the window does the same by itself."""

import argparse
import time

from tfmcore.cli.arguments import add_json, add_runs, add_set, chosen_config, runs_folder, whole
from tfmcore.cli.output import note, print_json, print_line, print_table
from tfmcore.cli.train import with_whole_paths
from tfmcore.config import UserError
from tfmcore.queue import Queue, can_start, device_of, run_queue
from tfmcore.runs import Run, find_run

EXAMPLES = """
tfm queue add nano-decoder --set training.seed=1 --name second
tfm queue add --run first          a run that has not begun, was stopped or was interrupted
tfm queue list
tfm queue move second 1            it is next
tfm queue remove second            it stays, but is no longer queued
tfm queue run
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="WHAT", choices=("add", "list", "move", "remove", "run"),
                        help="add, list, move, remove or run")  # fmt: skip
    parser.add_argument("name", metavar="NAME", nargs="?", help="add: a config file or a preset; else a run")
    parser.add_argument("place", metavar="PLACE", nargs="?", type=whole(1), help="move: 1 is next")
    parser.add_argument("--run", metavar="RUN", help="add: an existing run, instead of a config")
    parser.add_argument("--name", dest="label", metavar="LABEL", help="add: name of the run")
    add_set(parser)
    add_runs(parser)
    add_json(parser, "one line of JSON per run (list and add)")


def run(arguments: argparse.Namespace) -> int:
    queue = Queue(runs_folder(arguments))
    match arguments.what:
        case "add":
            show([added(queue, arguments)], queue, arguments.json)
        case "list":
            show([Run(queue.runs / id) for id in queue.ids()], queue, arguments.json)
        case "move":
            if arguments.place is None:
                raise UserError("name the place: `tfm queue move RUN 1` makes it the next")
            queue.move(named(arguments.name, queue).id, arguments.place - 1)
        case "remove":
            queue.remove(named(arguments.name, queue).id)
        case "run":
            work(queue)
    return 0


def named(name: str | None, queue: Queue) -> Run:
    if not name:
        raise UserError("name a run, by its id or name (`tfm queue list` shows those in the queue)")
    return find_run(name, queue.runs)


def added(queue: Queue, arguments: argparse.Namespace) -> Run:
    """A run that waits from now on: the one that is named, or a new one."""
    if arguments.run:
        run = find_run(arguments.run, queue.runs)
        if not can_start(run):
            raise UserError(f"the run {run.label!r} is {run.state()}: it cannot be queued")
    else:
        if not arguments.name:
            raise UserError("name what to queue: a config file, a preset, or --run RUN")
        arguments.config = arguments.name
        config, name = chosen_config(arguments)
        run = Run.create(queue.runs, with_whole_paths(config), arguments.label or name)
    queue.add([run.id])
    return run


def show(runs: list[Run], queue: Queue, as_json: bool) -> None:
    """Each run with its place in the queue."""
    ids = queue.ids()
    facts = [
        {"place": ids.index(run.id) + 1, "id": run.id, "label": run.label, "device": device_of(run)}
        for run in runs
        if run.id in ids
    ]
    if as_json:
        for each in facts:
            print_json(each)
    elif facts:
        rows = [[str(each["place"]), str(each["id"]), str(each["label"]), str(each["device"])] for each in facts]
        print_table(("Place", "Run", "Name", "Device"), rows, right=[0])
    else:
        note("the queue is empty; `tfm queue add nano-decoder` adds a run")


def work(queue: Queue) -> None:
    """Start what waits, when its turn has come; Ctrl-C ends this, not the runs."""

    def said(words: str) -> None:
        print_line(f"{time.strftime('%H:%M:%S')}  {words}")

    note(f"runs in the queue: {len(queue.ids())}; each trains in its own process")
    run_queue(
        queue,
        lambda run: said(f"{run.label} starts ({run.id})"),
        lambda run, sentence: said(f"{run.label} cannot start: {sentence}"),
    )
