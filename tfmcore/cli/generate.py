"""Continue a prompt with a decoder, token by token, or many prompts at once."""

import argparse
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tfmcore.cli.arguments import add_json, add_model, chosen_model, text
from tfmcore.cli.ask import answers, facts, tell
from tfmcore.cli.output import print_json, print_line
from tfmcore.cli.writing import add_writing, writing
from tfmcore.config import SavedModel, UserError
from tfmcore.messages import Generate, Generated, Token

EXAMPLES = """
tfm generate first "The value of"
tfm generate first "The value of" --temperature 0 --max-new-tokens 50
tfm generate first "The value of" --top-p 0.9 --repetition-penalty 1.2 --seed 1 --json
tfm generate first "The value of" --beams 4
tfm generate first "The value of" --precision int8
cat prompt.txt | tfm generate first -
tfm generate first "The value of" "A class is" "If the" --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    help = "the prompt; - reads it from stdin; several are continued at once, in batches"
    parser.add_argument("prompts", metavar="PROMPT", type=text, nargs="+", help=help)
    separator = "put after each prompt (default: the separator of the training data)"
    parser.add_argument("--separator", metavar="TEXT", type=text, help=separator)
    add_writing(parser, temperature=0.8)
    parser.add_argument("--stream", action="store_true", help="with --json: one line per token, then the whole text")
    add_json(parser, "one JSON object per prompt, each on a line,")


def run(arguments: argparse.Namespace) -> int:
    if arguments.stream and len(arguments.prompts) > 1:
        raise UserError("--stream works with one prompt only: give one, or leave out --stream")
    folder = chosen_model(arguments)
    separator = SavedModel.read(folder).data.separator if arguments.separator is None else arguments.separator
    prompts = [prompt + separator for prompt in arguments.prompts]
    if len(prompts) > 1:
        return run_many(folder, prompts, arguments)
    [prompt] = prompts
    request = Generate(
        id=0,
        model=str(folder),
        prompt=prompt,
        separator="",
        alternatives=5 if arguments.stream else 0,
        **writing(arguments),
    )
    # A pipe gets the text at once, and so does who named a stop: a token may be half a letter, or the stop itself.
    live = sys.stdout.isatty() and not arguments.json and not arguments.stop
    if live:
        print(prompt, end="", flush=True)
    for reply in answers(request):
        match reply:
            case Token() if live:
                print(reply.token.text, end="", flush=True)
            case Token() if arguments.json and arguments.stream:
                print_json(facts(reply))
            case Generated():
                tell(reply, arguments, lambda reply: print_line("" if live else prompt + reply.text))
    return 0


def run_many(folder: Path, prompts: list[str], arguments: argparse.Namespace) -> int:
    """Each text in the order of the prompts, an empty line between two; as JSON, each on a line."""
    for number, (prompt, reply) in enumerate(zip(prompts, _written(folder, prompts, arguments), strict=True)):
        if number and not arguments.json:
            print_line()
        tell(reply, arguments, partial(_show, prompt))
    return 0


def _show(prompt: str, reply: Generated) -> None:
    print_line(prompt + reply.text)


def _written(folder: Path, prompts: list[str], arguments: argparse.Namespace) -> Iterator[Generated]:
    from tfmcore.engine.handlers.use import generated, manner
    from tfmcore.inference.generate import write_many
    from tfmcore.inference.opened import open_model

    opened, start = open_model(folder, arguments.precision), time.monotonic()
    opened.need("generate")
    request = Generate(id=0, model="", prompt="", **writing(arguments))
    for written in write_many(opened.model, opened.tokenizer, prompts, manner(request)):
        yield generated(0, written, opened, time.monotonic() - start)
