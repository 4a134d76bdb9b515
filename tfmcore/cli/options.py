"""Explain every option of a config: its name, type, default, bounds, unit, meaning and paper."""

import argparse
import json
import textwrap

from tfmcore.cli.output import print_json, print_line
from tfmcore.config import Config, Option, options

EXAMPLES = """
tfm options                 all of them
tfm options model           the section [model]
tfm options --json | jq -r 'select(.essential) | .name'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sections = list(Config.model_fields)
    parser.add_argument("section", metavar="SECTION", nargs="?", choices=sections, help=", ".join(sections))
    parser.add_argument("--json", action="store_true", help="print one JSON object per option, each on a line")


def run(arguments: argparse.Namespace) -> int:
    for option in options(arguments.section):
        if arguments.json:
            print_json(option)
        else:
            print_line(reference(option))
    return 0


def reference(option: Option) -> str:
    """The option's paragraph: a line of facts, then its meaning, indented."""
    values = ", ".join(option.choices) or option.kind
    if option.kind == "list":
        values = f"list of {values}" if option.choices else values
        values += f", up to {option.max_items}" if option.max_items else ""
    facts = [values, f"default {shown_default(option)}"]
    facts += [bounds] if (bounds := shown_bounds(option)) else []
    help_lines = textwrap.wrap(f"{option.title}. {option.help}", 96)
    lines = [f"{option.path}  ({'; '.join(facts)})", *help_lines, *([option.paper] if option.paper else [])]
    return "\n    ".join(lines) + "\n"


def shown_default(option: Option) -> str:
    return "empty" if option.default is None else json.dumps(option.default, ensure_ascii=False)


def shown_bounds(option: Option) -> str:
    """`1 to 512 layers`, `above 0, at most 0.1`, or the unit alone."""
    if option.minimum is None or option.maximum is None:
        return option.unit
    if option.exclusive_minimum:
        return f"above {option.minimum:g}, at most {option.maximum:g} {option.unit}".strip()
    return f"{option.minimum:.12g} to {option.maximum:.12g} {option.unit}".strip()
