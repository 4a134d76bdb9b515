"""Evaluate a model on data it was not trained on: its own held-out part, or a file.

Bits per byte, perplexity and accuracy for language models (the first also compares different tokenizers), accuracy and
F1 for classifiers, F1 of what is marked for taggers, exact match and F1 for answers; exact match, BLEU and chrF (with
sacrebleu's signatures) for translators, and for decoders that learned to complete prompts.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tfmcore.cli.arguments import add_json, add_model, chosen_model, whole
from tfmcore.cli.output import note, print_json, print_line
from tfmcore.cli.progress import Watch
from tfmcore.config import Config, ConfigError, DataConfig, SavedModel, TokenizerConfig, UserError, find_problems

if TYPE_CHECKING:
    from tfmcore.data import Progress, Split
    from tfmcore.inference.opened import OpenedModel

EXAMPLES = """
tfm evaluate first
tfm evaluate sentiment --data test.tsv --columns text=sentence label=label
tfm evaluate phrases --data test.en --target test.de --limit 500 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--data", metavar="FILE", type=Path, help="a file to evaluate on (default: the held-out data)")
    parser.add_argument(
        "--target", metavar="FILE", type=Path, help="if --data is a .txt: the file that translates it line by line"
    )
    parser.add_argument(
        "--columns",
        metavar="ROLE=NAME",
        nargs="+",
        type=column,
        default=[],
        help="which column of FILE has which role",
    )
    limit = "evaluate on the first N examples only (of running text: windows as long as the context)"
    parser.add_argument("--limit", metavar="N", type=whole(1), help=limit)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    folder = chosen_model(arguments)
    data = given_data(SavedModel.read(folder).data, arguments) if arguments.data else None
    from tfmcore.inference.opened import open_model
    from tfmcore.training.evaluation import measure

    opened = open_model(folder)
    with Watch(quiet=arguments.json) as watch:
        split = held_out(opened, data, watch.prepare)
        for sentence in split.warnings:
            note(sentence)
        facts = measure(opened, split, arguments.limit, watch.prepare)
    if arguments.json:
        print_json({"model": folder, "task": opened.saved.task, **facts})
    else:
        width = max(map(len, facts)) + 2
        for name, value in facts.items():
            shown = f"{value:.4f}" if isinstance(value, float) else value
            print_line(f"{name.replace('_', ' '):<{width}}{shown}")
    return 0


def column(pair: str) -> tuple[str, str]:
    role, separator, name = pair.partition("=")
    if not separator or not role:
        raise argparse.ArgumentTypeError(f"{pair!r} is not ROLE=NAME, such as text=sentence")
    return role, name


def given_data(learned: DataConfig, arguments: argparse.Namespace) -> DataConfig:
    """The file of --data in place of what the model learned from; raises ConfigError, UserError."""
    for path in (arguments.data, arguments.target):
        if path and not path.is_file():
            raise UserError(f"{path} is not a file")
    changes = {
        "source": "file",
        "path": str(arguments.data.absolute()),
        "target_path": str(arguments.target.absolute()) if arguments.target else "",
        "validation_path": "",
        "columns": dict(arguments.columns) or (learned.columns if learned.source == "file" else {}),
        "max_examples": None,
    }
    raw = {name: value for name, value in {**learned.model_dump(), **changes}.items() if value is not None}
    if problems := [problem for problem in find_problems({"data": raw}) if problem.field.startswith("data.")]:
        raise ConfigError(problems)
    return DataConfig.model_validate(raw)


def held_out(opened: "OpenedModel", data: DataConfig | None, progress: "Progress") -> "Split":
    """All of `data`, or what was held out when the model was trained; raises UserError."""
    from tfmcore.data import evaluation_split, prepare

    saved = opened.saved
    if data:
        return evaluation_split(data, opened.tokenizer, saved.labels, saved.model.context_length, progress)
    if saved.family and not saved.run:
        raise UserError(f"{opened.folder} was imported, so its training data is unknown: name a file with --data")
    tokenizer = TokenizerConfig(kind="file", path=str(opened.folder / "tokenizer.json"))
    dataset = prepare(Config(data=saved.data, tokenizer=tokenizer, model=saved.model), progress)
    if dataset.labels != saved.labels:
        raise UserError("the data no longer has the labels the model was trained with: name a file with --data")
    return dataset.validation
