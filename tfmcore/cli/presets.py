"""List the presets: what each is for, which `tfm new` and `tfm train` take by name; or one, with its reasons."""

import argparse
import json

from tfmcore.cli.output import print_json, print_line, print_table
from tfmcore.config import Preset, find_preset, presets

EXAMPLES = """
tfm presets
tfm presets bert-base     each option that differs from the defaults, and why
tfm presets --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("preset", metavar="PRESET", nargs="?", help="a preset's name (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per preset, each on a line")


def run(arguments: argparse.Namespace) -> int:
    shown = [find_preset(arguments.preset)] if arguments.preset else list(presets().values())
    if arguments.json:
        for preset in shown:
            print_json(preset)
        return 0
    if arguments.preset:
        describe(shown[0])
        return 0
    rows = ((preset.name, preset.config().model.architecture, preset.why) for preset in shown)
    print_table(("Preset", "Architecture", "Why"), rows)
    return 0


def describe(preset: Preset) -> None:
    """The preset's words, then its options with their values and, where it gives them, its reasons."""
    print_line("\n".join(filter(None, (f"{preset.title}: {preset.why}", preset.paper))))
    values = {
        f"{section}.{name}": value for section, options in preset.sections.items() for name, value in options.items()
    }
    rows = [(path, json.dumps(value), preset.reasons.get(path, "")) for path, value in values.items()]
    print_table(("Option", "Value", "Why"), rows)
