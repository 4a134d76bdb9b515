"""Write a model as a Hugging Face folder that `transformers` loads and that gives the same answers there."""

import argparse
from pathlib import Path

from tfmcore.cli.arguments import add_json, add_model, chosen_model
from tfmcore.cli.output import print_json, print_line

EXAMPLES = """
tfm export first -o first-hf
tfm export bert -o ~/models/my-bert --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "-o", "--output", metavar="HF_FOLDER", type=Path, required=True, help="the folder to write, not there yet"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from tfmcore.families.exporting import export_model

    target: Path = arguments.output
    written = export_model(chosen_model(arguments), target.expanduser().absolute())
    if arguments.json:
        facts = {"folder": str(target), "family": written.family.title, "architecture": written.architecture}
        print_json(facts | {"files": written.files, "notes": written.notes})
    else:
        print_line(f"{target}: {written.family.title}, {written.architecture}; {', '.join(written.files)}")
    return 0
