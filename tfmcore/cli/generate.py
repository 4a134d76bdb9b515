"""Write on after a prompt with a decoder, token by token."""

import argparse
import sys

from tfmcore.cli.arguments import add_json, add_model, chosen_model, real, text, whole
from tfmcore.cli.ask import answers, facts
from tfmcore.cli.output import note, print_json, print_line
from tfmcore.messages import Generate, Generated, Token

EXAMPLES = """
tfm generate first "The value of"
tfm generate first "The value of" --temperature 0 --max-new-tokens 50
tfm generate first "The value of" --top-p 0.9 --seed 1 --json
cat prompt.txt | tfm generate first -
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("prompt", metavar="PROMPT", type=text, help="the beginning; - reads it from stdin")
    parser.add_argument(
        "--max-new-tokens", metavar="N", type=whole(1, 100_000), default=200, help="tokens at most (default: 200)"
    )
    parser.add_argument(
        "--temperature", metavar="T", type=real(0, 10), default=0.8, help="0: always the likeliest (default: 0.8)"
    )
    parser.add_argument("--top-k", metavar="K", type=whole(0), default=0, help="only of the K likeliest; 0: of all")
    parser.add_argument(
        "--top-p", metavar="P", type=real(1e-9, 1), default=1.0, help="only of the likeliest that sum to P"
    )
    parser.add_argument("--beams", metavar="N", type=whole(1, 64), default=1, help="beam search with N beams")
    parser.add_argument("--seed", metavar="N", type=whole(0), help="the same seed writes the same text again")
    parser.add_argument("--stop", metavar="TEXT", type=text, action="append", default=[], help="end before this text")
    parser.add_argument("--stream", action="store_true", help="with --json: each token a line, then the whole")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    request = Generate(
        id=0,
        model=str(chosen_model(arguments)),
        prompt=arguments.prompt,
        max_new_tokens=arguments.max_new_tokens,
        temperature=arguments.temperature,
        top_k=arguments.top_k,
        top_p=arguments.top_p,
        beams=arguments.beams,
        seed=arguments.seed,
        stop=arguments.stop,
        alternatives=5 if arguments.stream else 0,
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
                report(reply, arguments, live)
    return 0


def report(reply: Generated, arguments: argparse.Namespace, live: bool) -> None:
    """Print the whole, or end the line of what was printed token by token."""
    if arguments.json:
        print_json(facts(reply))
        return
    print_line("" if live else arguments.prompt + reply.text)
    if reply.notice:
        note(reply.notice)
