"""Write on after a prompt with a decoder, token by token."""

import argparse
import sys

from tfmcore.cli.arguments import add_json, add_model, chosen_model, text
from tfmcore.cli.ask import answers, facts, tell
from tfmcore.cli.output import print_json, print_line
from tfmcore.cli.writing import add_writing, writing
from tfmcore.messages import Generate, Generated, Token

EXAMPLES = """
tfm generate first "The value of"
tfm generate first "The value of" --temperature 0 --max-new-tokens 50
tfm generate first "The value of" --top-p 0.9 --repetition-penalty 1.2 --seed 1 --json
tfm generate first "The value of" --beams 4
cat prompt.txt | tfm generate first -
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("prompt", metavar="PROMPT", type=text, help="the beginning; - reads it from stdin")
    add_writing(parser, temperature=0.8)
    parser.add_argument("--stream", action="store_true", help="with --json: each token a line, then the whole")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    request = Generate(
        id=0,
        model=str(chosen_model(arguments)),
        prompt=arguments.prompt,
        alternatives=5 if arguments.stream else 0,
        **writing(arguments),
    )
    # A pipe gets the text at once, and so does who named a stop: a token may be half a letter, or the stop itself.
    live = sys.stdout.isatty() and not arguments.json and not arguments.stop
    if live:
        print(arguments.prompt, end="", flush=True)
    for reply in answers(request):
        match reply:
            case Token() if live:
                print(reply.token.text, end="", flush=True)
            case Token() if arguments.json and arguments.stream:
                print_json(facts(reply))
            case Generated():
                tell(reply, arguments, lambda reply: print_line("" if live else arguments.prompt + reply.text))
    return 0
