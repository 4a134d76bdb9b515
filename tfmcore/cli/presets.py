"""List the presets: what each is for, which `tfm new` and `tfm train` take by name."""

import argparse

from tfmcore.cli.output import print_json, print_table
from tfmcore.config import presets

EXAMPLES = """
tfm presets
tfm presets --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object a preset, a line each")


def run(arguments: argparse.Namespace) -> int:
    if arguments.json:
        for preset in presets().values():
            print_json(preset)
        return 0
    rows = ((preset.name, preset.config().model.architecture, preset.why) for preset in presets().values())
    print_table(("Preset", "Architecture", "Why"), rows)
    return 0
