"""Fill the [MASK]s of a text with an encoder, each with its most likely tokens."""

import argparse

from tfmcore.cli.arguments import add_json, add_model, chosen_model, text, whole
from tfmcore.cli.ask import ask
from tfmcore.cli.output import print_line
from tfmcore.messages import Fill, Filled

EXAMPLES = """
tfm fill reader "the [MASK] of an object"
tfm fill reader "the [MASK] of an [MASK]" --candidates 3 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("text", metavar="TEXT", type=text, help="a text with one or more [MASK]; - reads it from stdin")
    parser.add_argument(
        "--candidates", metavar="N", type=whole(1, 50), default=5, help="candidates per [MASK] (default: 5)"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    model = str(chosen_model(arguments))
    return ask(Fill(id=0, model=model, text=arguments.text, candidates=arguments.candidates), arguments, show)


def show(reply: Filled) -> None:
    print_line(reply.text)
    for number, mask in enumerate(reply.masks, start=1):
        shown = "  ".join(f"{each.text.strip() or repr(each.text)} {each.probability:.1%}" for each in mask.candidates)
        print_line(f"  [MASK] {number}:  {shown}")
