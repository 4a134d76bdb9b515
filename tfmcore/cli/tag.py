"""Tag what a model has learned to find in a text: names, dates, prices, parts of speech."""

import argparse

from tfmcore.cli.arguments import add_json, add_model, chosen_model, text
from tfmcore.cli.ask import ask
from tfmcore.cli.output import print_table
from tfmcore.messages import Tag, Tagged

EXAMPLES = """
tfm tag names "Ada Lovelace was born in London."
tfm tag names "Ada Lovelace was born in London." --json | jq -c .spans[]
cat report.txt | tfm tag names -
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("text", metavar="TEXT", type=text, help="the text; - reads it from stdin")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    return ask(Tag(id=0, model=str(chosen_model(arguments)), text=arguments.text), arguments, show)


def show(reply: Tagged) -> None:
    rows = [
        (" ".join(reply.text[span.start : span.end].split()), span.label, f"{span.probability:.1%}", f"{span.start}")
        for span in reply.spans
    ]
    print_table(("Text", "Label", "Probability", "At character"), rows, right=(2, 3))
