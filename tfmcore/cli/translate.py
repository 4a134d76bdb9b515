"""Turn a text into another with an encoder-decoder: translation, and whatever else it was trained to write."""

import argparse

from tfmcore.cli.arguments import add_json, add_model, chosen_model, real, text, whole
from tfmcore.cli.ask import ask, facts
from tfmcore.cli.output import note, print_json, print_line
from tfmcore.messages import Translate, Translated

EXAMPLES = """
tfm translate phrases "Tuesday, March 2, 2021"
tfm translate phrases "Tuesday, March 2, 2021" --beams 4
tfm translate phrases "Tuesday, March 2, 2021" --json | jq -r .hypotheses[0].text
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("text", metavar="TEXT", type=text, help="the source text; - reads it from stdin")
    parser.add_argument(
        "--beams", metavar="N", type=whole(1, 64), default=1, help="keep the N best while writing (default: 1, greedy)"
    )
    parser.add_argument(
        "--length-penalty", metavar="A", type=real(0, 5), default=1.0, help="score ÷ length ** A (default: 1)"
    )
    parser.add_argument(
        "--max-new-tokens", metavar="N", type=whole(1, 100_000), default=200, help="tokens at most (default: 200)"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    request = Translate(
        id=0,
        model=str(chosen_model(arguments)),
        text=arguments.text,
        beams=arguments.beams,
        length_penalty=arguments.length_penalty,
        max_new_tokens=arguments.max_new_tokens,
    )
    reply: Translated = ask(request)
    if arguments.json:
        print_json(facts(reply))
        return 0
    for hypothesis in reply.hypotheses:
        score = f"{hypothesis.score:8.3f}  " if len(reply.hypotheses) > 1 else ""
        print_line(score + hypothesis.text)
    if reply.notice:
        note(reply.notice)
    return 0
