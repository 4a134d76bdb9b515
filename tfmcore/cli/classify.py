"""Choose the label of a text, or of a pair of texts, with the probability of each label."""

import argparse

from tfmcore.cli.arguments import add_json, add_model, chosen_model, text
from tfmcore.cli.ask import ask
from tfmcore.cli.output import print_table
from tfmcore.messages import Classified, Classify

EXAMPLES = """
tfm classify languages "2021. március 2., kedd"
tfm classify languages "2 maart 2021" --json
tfm classify entailment "A man sleeps." --pair "Somebody is awake."
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("text", metavar="TEXT", type=text, help="the text; - reads it from stdin")
    parser.add_argument(
        "--pair", metavar="TEXT", type=text, default="", help="the second text, for a model trained on pairs"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    model = str(chosen_model(arguments))
    return ask(Classify(id=0, model=model, text=arguments.text, pair=arguments.pair), arguments, show)


def show(reply: Classified) -> None:
    ranked = sorted(zip(reply.probabilities, reply.labels, strict=True), reverse=True)
    print_table(("Label", "Probability"), [(label, f"{share:.1%}") for share, label in ranked], right=(1,))
