"""Draw what every head of every layer attends to (.svg, .png), or save it all as numbers (.npz)."""

import argparse
from pathlib import Path

from tfmcore.cli.arguments import add_json, add_model, chosen_model, text
from tfmcore.cli.output import note, print_json
from tfmcore.config import TASKS, UserError

EXAMPLES = """
tfm inspect first "The value of" -o attention.png
tfm inspect phrases "Tuesday, March 2, 2021" --target "2021. március 2., kedd" -o attention.svg
tfm inspect answers "When was the meeting?" --pair "The meeting was on Tuesday." -o attention.png
tfm inspect first "The value of" -o attention.npz     for numpy.load
"""

FIGURES = (".npz", ".svg", ".png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("text", metavar="TEXT", type=text, help="the text to read; - reads it from stdin")
    second = parser.add_mutually_exclusive_group()
    second.add_argument(
        "--target",
        metavar="TEXT",
        type=text,
        default="",
        help="what the decoder writes (default: the model's own translation)",
    )
    second.add_argument(
        "--pair",
        metavar="TEXT",
        type=text,
        default="",
        help="the text that an encoder reads after the first, such as the one that answers a question",
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

    opened = open_model(model)
    role = TASKS[opened.saved.task].second
    if arguments.target and role != "target":
        raise UserError("--target: this model has no decoder that reads an encoder")
    if arguments.pair and role in ("", "target"):
        raise UserError("--pair: this model reads one text")
    found = capture(opened, arguments.text, arguments.target or arguments.pair)
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
