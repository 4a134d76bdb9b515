"""Import a Hugging Face folder as a model folder: config.json, safetensors and tokenizer; nothing in it is ever run."""

import argparse
from pathlib import Path

from tfmcore.cli.arguments import add_json
from tfmcore.cli.output import note, print_json, print_line
from tfmcore.units import count

EXAMPLES = """
tfm import bert-base-uncased -o bert
tfm import ~/models/t5-small -o t5 --json
"""
SHOWN = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="HF_FOLDER", type=Path, help="the folder, with config.json and *.safetensors")
    parser.add_argument(
        "-o",
        "--output",
        metavar="MODEL",
        type=Path,
        required=True,
        help="the model folder to make; it must not exist yet",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from tfmcore.families.importing import import_model

    target: Path = arguments.output
    found = import_model(arguments.source.expanduser(), target.expanduser().absolute())
    parameters = found.model.num_parameters()
    if arguments.json:
        lists = {"read": found.read, "ignored": found.ignored, "added": found.added, "notes": found.notes}
        facts = {"folder": str(target), "family": found.family.title, "task": found.saved.task}
        print_json(facts | {"parameters": parameters} | lists)
        return 0
    task = found.saved.task.replace("_", " ")
    print_line(f"{target}: {found.family.title} for {task}, {count(parameters)} parameters")
    for what, names in (("read", found.read), ("ignored", found.ignored), ("newly initialised", found.added)):
        if names:
            more = f" and {len(names) - SHOWN} more, which --json lists" if len(names) > SHOWN else ""
            note(f"{what} ({len(names)}): {', '.join(names[:SHOWN])}{more}")
    for sentence in found.notes:
        note(sentence)
    return 0
