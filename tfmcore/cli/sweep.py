"""Train many runs that differ in a few options, one after the other: every combination, or some drawn at random.

Each is a run like any other. The same command again continues the sweep: what is finished is not repeated.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

from tfmcore.cli.arguments import add_json, add_runs, add_set, chosen_config, runs_folder, whole
from tfmcore.cli.output import note, print_json, print_line, print_table
from tfmcore.cli.train import with_whole_paths
from tfmcore.config import Config, ConfigError, Problem, UserError
from tfmcore.config.sweeps import Combination, combinations, label, parse_axis, short
from tfmcore.messages import Command
from tfmcore.queue import Queue
from tfmcore.runs import Run, RunState, list_runs, start_trainer
from tfmcore.units import duration

EXAMPLES = """
tfm sweep nano-decoder --over training.learning_rate=5e-4,1e-3,2e-3 --over model.num_layers=2,4
tfm sweep nano-decoder --over training.seed=0..4 --queue          only create them; `tfm queue run` trains them
tfm sweep run.toml --over training.learning_rate=1e-4..1e-2 --over model.dropout=0..0.3 --random 20
tfm sweep run.toml --over 'training.freeze=[],["embedding"],["embedding", "layers.0"]'
"""

POLL_SECONDS = 0.1
NUM_BEST = 10
SEED = "training.seed="


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="a config file (.toml) or a preset's name")
    parser.add_argument(
        "--over",
        metavar="a.b=VALUES",
        dest="axes",
        action="append",
        required=True,
        help="an option and its values: listed (1,2,3) or between bounds (1..3); lists and texts "
        'with commas as in TOML ([1,2],[3,4] or "a, b",c); may be repeated',
    )
    parser.add_argument("--random", metavar="N", type=whole(1, 10_000), help="number of combinations to draw at random")
    parser.add_argument("--seed", metavar="N", type=whole(0), default=0, help="random seed of the draws (default: 0)")
    parser.add_argument("--queue", action="store_true", help="queue the runs: `tfm queue run` trains them")
    add_set(parser)
    add_runs(parser)
    parser.add_argument("--name", metavar="LABEL", help="prefix of the runs' names (default: the config's name)")
    add_json(parser, "one line of JSON per run that ended")


def run(arguments: argparse.Namespace) -> int:
    axes = [parse_axis(text) for text in arguments.axes]
    swept = combinations(axes, arguments.random, arguments.seed)
    configs, name = checked(arguments, swept)
    folder, found = runs_folder(arguments), list[tuple[Combination, Run]]()
    known = defaultdict[str, list[Run]](list)
    for earlier in list_runs(folder):
        known[earlier.label].append(earlier)
    if arguments.queue:
        return let_wait(folder, configs, [label(name, combination) for combination in swept], arguments.json)
    note(f"{len(swept)} runs")
    for number, (combination, config) in enumerate(zip(swept, configs, strict=True), 1):
        begin = time.monotonic()
        named = label(name, combination)
        run = one(folder, config, named, known[named])
        found.append((combination, run))
        say(number, len(swept), combination, run, time.monotonic() - begin, arguments.json)
    if not arguments.json:
        show_best(found)
    return int(any(run.state() is not RunState.FINISHED for _, run in found))


def let_wait(folder: Path, configs: Sequence[Config], labels: Sequence[str], as_json: bool) -> int:
    """Make the runs of a sweep, and have them wait in the queue."""
    places = range(1, len(configs) + 1)
    runs = [Run.create(folder, *run) for run in zip(configs, labels, places, strict=True)]
    Queue(folder).add([run.id for run in runs])
    for run in runs if as_json else ():
        print_json({"run": run.id, "label": run.label, "state": str(run.state()), "folder": run.folder})
    note(f"runs put into the queue: {len(runs)}; `tfm queue run` trains them")
    return 0


def checked(arguments: argparse.Namespace, swept: Sequence[Combination]) -> tuple[list[Config], str]:
    """The config of each combination and what to call them, before anything is trained; raises ConfigError with the
    problems of all."""
    configs, problems, name = list[Config](), dict[str, Problem](), ""
    for combination in swept:
        each = copy(arguments)
        each.overrides = [*arguments.overrides, *combination]
        try:
            config, name = chosen_config(each)
            configs.append(with_whole_paths(config))
        except ConfigError as error:
            problems |= {str(problem): problem for problem in error.problems}
    if problems:
        raise ConfigError(list(problems.values()))
    return configs, arguments.name or name


def one(folder: Path, config: Config, label: str, known: list[Run]) -> Run:
    """Train this run to its end in a process of its own, unless that was done before; Ctrl-C stops it and the sweep."""
    run = next((run for run in known if run.config() == config), None) or Run.create(folder, config, label)
    if not run.state().alive and run.state() is not RunState.FINISHED:
        start_trainer(run)
    try:
        while run.state().alive:
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        run.command(Command(kind="stop"))
        raise UserError(f"stopped: {run.label} saves and ends; the same command again resumes from there") from None
    return run


def loss_of(run: Run) -> float | None:
    best = run.best()
    return best.manifest.validation_loss if best else None


def say(number: int, total: int, combination: Combination, run: Run, seconds: float, as_json: bool) -> None:
    state, loss = run.state(), loss_of(run)
    if as_json:
        values: dict[str, Any] = dict(assignment.split("=", 1) for assignment in combination)
        print_json({"run": run.id, "state": str(state), "loss": loss, "options": values, "folder": run.folder})
        return
    words = f"loss {loss:.4f}" if loss is not None and state is RunState.FINISHED else str(state)
    if state is RunState.FAILED and (ended := run.exit()):
        words = ended.sentence
    print_line(f"{number}/{total}  {'  '.join(map(short, combination))}  {words}  {duration(seconds)}")


def show_best(found: Sequence[tuple[Combination, Run]]) -> None:
    """The runs of lowest validation loss; then how those do on average that differ in nothing but the seed."""
    measured = [(loss, combination, run) for combination, run in found if (loss := loss_of(run)) is not None]
    measured.sort(key=lambda row: row[0])
    best = [[f"{loss:.4f}", *map(value, combination), run.id] for loss, combination, run in measured[:NUM_BEST]]
    seeds = defaultdict[Combination, list[float]](list)
    for loss, combination, _ in measured:
        seeds[tuple(each for each in combination if not each.startswith(SEED))].append(loss)
    means = sorted((statistics.mean(losses), losses, same) for same, losses in seeds.items() if len(losses) > 1)
    mean = [
        [f"{mean:.4f}", f"{statistics.stdev(losses):.4f}", f"{len(losses)}", *map(value, same)]
        for mean, losses, same in means[:NUM_BEST]
    ]
    for headings, rows, right in (
        (["Loss", *map(name, found[0][0]), "Run"], best, [0]),
        (["Mean", "±", "Seeds", *map(name, means[0][2] if means else ())], mean, [0, 1, 2]),
    ):
        if rows:
            print_line()
            print_table(headings, rows, right)


def name(assignment: str) -> str:
    return short(assignment.partition("=")[0])


def value(assignment: str) -> str:
    return assignment.partition("=")[2]
