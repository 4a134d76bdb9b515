"""Turn a text into another with an encoder-decoder: translation, and whatever else it was trained to write."""

import argparse

from tfmcore.cli.arguments import add_json, add_model, chosen_model, text
from tfmcore.cli.ask import ask
from tfmcore.cli.output import print_line
from tfmcore.cli.writing import add_writing, writing
from tfmcore.messages import Translate, Translated

EXAMPLES = """
tfm translate phrases "Tuesday, March 2, 2021"
tfm translate phrases "Tuesday, March 2, 2021" --beams 4
tfm translate writer "A long story." --prefix "summarize: " --max-new-tokens 60
tfm translate phrases "Tuesday, March 2, 2021" --json | jq -r .hypotheses[0].text
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("text", metavar="TEXT", type=text, help="the source text; - reads it from stdin")
    prefix = "put before the text, such as `summarize: ` (default: the prefix of the training data)"
    parser.add_argument("--prefix", metavar="TEXT", type=text, help=prefix)
    add_writing(parser, temperature=0.0)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    model, prefix = str(chosen_model(arguments)), arguments.prefix
    return ask(Translate(id=0, model=model, text=arguments.text, prefix=prefix, **writing(arguments)), arguments, show)


def show(reply: Translated) -> None:
    for hypothesis in reply.hypotheses:
        score = f"{hypothesis.score:8.3f}  " if len(reply.hypotheses) > 1 else ""
        print_line(score + hypothesis.text)
