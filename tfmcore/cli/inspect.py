"""Draw what every head of every layer attends to (.svg, .png), or save it all as numbers (.npz)."""

import argparse
from pathlib import Path

from tfmcore.cli.arguments import add_json, add_model, chosen_model, text
from tfmcore.cli.output import note, print_json
from tfmcore.config import UserError

EXAMPLES = """
tfm inspect first "The value of" -o attention.png
tfm inspect phrases "Tuesday, March 2, 2021" --target "2021. március 2., kedd" -o attention.svg
tfm inspect first "The value of" -o attention.npz     for numpy.load
"""

FIGURES = (".npz", ".svg", ".png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("text", metavar="TEXT", type=text, help="the text to read; - reads it from stdin")
    parser.add_argument(
        "--target",
        metavar="TEXT",
        type=text,
        default="",
        help="what the decoder writes (default: the model's own translation)",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, required=True, help=f"the file to write: {', '.join(FIGURES)}"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    path: Path = arguments.output
    if path.suffix.lower() not in FIGURES:
        raise UserError(f"{path} must end in {', '.join(FIGURES)}")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path.parent} is not a folder")
    model = chosen_model(arguments)
    from tfmcore.inference.opened import open_model
    from tfmcore.inspection.capture import capture
    from tfmcore.inspection.figures import write_figure

    found = capture(open_model(model), arguments.text, arguments.target)
    write_figure(found, path)
    if arguments.json:
        kinds = {
            kind: {
                "layers": each.weights.shape[0],
                "heads": each.weights.shape[1],
                "rows": each.rows.tokens,
                "columns": each.columns.tokens,
            }
            for kind, each in found.attentions.items()
        }
        print_json({"path": path, "attentions": kinds, "notice": found.notice})
        return 0
    if found.notice:
        note(found.notice)
    note(f"{path} written")
    return 0
