"""Takes a command line to its verb; says every error in one sentence on stderr and in the exit code."""

import argparse
import atexit
import difflib
import gc
import os
import shutil
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module, metadata
from types import ModuleType
from typing import Any, NoReturn

from tfmcore.config.problems import ConfigError, UserError

OK, FAILED, BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141

VERBS = {
    "presets": "list the presets a model can start from",
    "new": "write a preset as a config file to edit",
    "check": "check a config, and report the size of its model",
    "options": "explain every option of a config",
    "train": "train a model",
    "launch": "train a model on several machines",
    "sweep": "train many runs that differ in a few options",
    "branch": "start another run from a checkpoint of a run, with a changed config",
    "queue": "queue runs, and train those that are queued",
    "resume": "resume a paused, stopped or interrupted run",
    "status": "show the runs and their progress",
    "pause": "pause a run after its current step",
    "stop": "stop a run after saving",
    "save": "save a checkpoint of a run now",
    "learning-rate": "change the learning rate of a run while it trains",
    "generate": "continue a prompt",
    "classify": "choose the label of a text",
    "translate": "translate a text, or turn it into another",
    "fill": "fill the [MASK]s of a text",
    "tag": "tag the words of a text: people, places, dates",
    "answer": "find the answer to a question in a text",
    "evaluate": "evaluate a model on held-out data",
    "inspect": "draw or save what every head attends to",
    "import": "import a Hugging Face model",
    "export": "export a model for transformers or ONNX",
    "lr-range": "find a learning rate with a learning-rate range test",
    "bench": "measure how fast a config trains and generates on this machine",
    "engine": "answer requests on stdin with replies on stdout, as the window does",
}

EPILOG = """\
A first tour:
  tfm train nano-decoder --name first        train on the Python manual, a minute or two
  tfm generate first "The value of"          let it continue a prompt
  tfm inspect first "The value of" -o a.png  see what its heads attend to

MODEL and RUN are a run's folder, id or name; MODEL may be a model folder too. `tfm VERB --help` explains a verb.
Runs are kept in the workspace: "Transformer Playground" in your documents, or --workspace, or TFM_WORKSPACE."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of examples, and gives the names of arguments room."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=min(shutil.get_terminal_size().columns, 110) - 2)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code: 0, 1 a failure, 2 bad input, 130 after Ctrl-C."""
    argv = list(sys.argv[1:] if argv is None else argv)
    atexit.register(gc.freeze)  # to look through all of torch for garbage at the end takes half a second
    _speak_utf8()
    debug = "--debug" in argv
    try:
        return _run(argv)
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else FAILED
    except ConfigError as error:
        return _say(str(error), BAD_INPUT, debug)
    except UserError as error:
        return _say(f"tfm: {error}", BAD_INPUT, debug)
    except KeyboardInterrupt:
        return _say("tfm: interrupted", INTERRUPTED, debug)
    except BrokenPipeError:  # the reader of stdout went away, such as `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        return _say(f"tfm: {named}{error.strerror or error}", FAILED, debug)
    except Exception as error:
        first = f"{error}".partition("\n")[0]
        return _say(f"tfm: unexpected {type(error).__name__}: {first} (--debug shows where)", FAILED, debug)


def _run(argv: list[str]) -> int:
    name = next((word for word in argv if not word.startswith("-")), "")
    if name and name not in VERBS:
        near = difflib.get_close_matches(name, VERBS, n=1)
        raise UserError(f"there is no verb {name!r}" + (f", did you mean {near[0]}?" if near else " (see tfm --help)"))
    module = import_module(f"tfmcore.cli.{name.replace('-', '_')}") if name else None
    parser = build_parser(name, module)
    arguments = parser.parse_args(argv)
    if module is None:
        parser.print_help()
        return BAD_INPUT
    code: int = module.run(arguments)
    sys.stdout.flush()
    return code


def build_parser(name: str = "", module: ModuleType | None = None) -> argparse.ArgumentParser:
    """The parser of all verbs, of which only `name` knows its arguments: the other verbs' modules are not loaded."""
    looks: dict[str, Any] = {"formatter_class": HelpFormatter, "allow_abbrev": False}
    parser = Parser("tfm", description="Build, train and inspect transformers.", epilog=EPILOG, **looks)
    parser.add_argument("--version", action="version", version=f"Transformer Playground {_version()}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", parser_class=Parser)
    for verb, help_line in VERBS.items():
        if verb != name or module is None:
            verbs.add_parser(verb, help=help_line)
            continue
        examples = "Examples:\n" + "\n".join(f"  {line}" for line in module.EXAMPLES.strip().splitlines())
        chosen = verbs.add_parser(verb, help=help_line, description=module.__doc__, epilog=examples, **looks)
        module.add_arguments(chosen)
        chosen.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _say(sentence: str, code: int, debug: bool) -> int:
    """Say what went wrong on stderr, after the traceback where that is wanted; returns the exit code."""
    if debug:
        traceback.print_exc()
    print(sentence, file=sys.stderr)
    return code


def _speak_utf8() -> None:
    """Texts are in every language, whatever the terminal's locale says; what cannot be shown is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _version() -> str:
    try:
        return metadata.version("transformer-playground")
    except metadata.PackageNotFoundError:
        return "(not installed)"
