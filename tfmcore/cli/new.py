"""Write a preset as a config file, every option with its meaning, to be edited and then trained."""

import argparse
from pathlib import Path

from tfmcore.cli.arguments import add_set
from tfmcore.cli.output import note
from tfmcore.config import UserError, find_preset, to_toml

EXAMPLES = """
tfm new nano-decoder -o run.toml
tfm new nano-decoder --set data.source=file --set data.path=book.txt --set training.steps=5000 -o book.toml
tfm new nano-encoder                        print it
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("preset", metavar="PRESET", help="a preset's name (see tfm presets)")
    add_set(parser)
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="the file to write (default: stdout)")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def run(arguments: argparse.Namespace) -> int:
    text = to_toml(find_preset(arguments.preset).config(arguments.overrides), comments=True)
    if arguments.output is None:
        print(text, end="")
        return 0
    try:
        with open(arguments.output, "w" if arguments.force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"{arguments.output} exists already: name another file, or add --force") from None
    except OSError as error:
        raise UserError(f"{arguments.output} cannot be written: {error.strerror}") from None
    note(f"{arguments.output} written; `tfm train {arguments.output}` trains it")
    return 0
