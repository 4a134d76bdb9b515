"""Write a model as a folder that other programs open, with the same results.

huggingface: what `transformers` loads. onnx: what onnxruntime runs, compared with the model as soon as it is written.
"""

import argparse
from pathlib import Path

from tfmcore.cli.arguments import add_json, add_model, chosen_model
from tfmcore.cli.output import print_json, print_line

EXAMPLES = """
tfm export first -o first-hf
tfm export bert -o ~/models/my-bert --json
tfm export first -o first-onnx --format onnx
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", type=Path, required=True, help="the folder to write; it must not exist yet"
    )
    parser.add_argument("--format", choices=FORMATS, default="huggingface", help="the program it is for")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    target: Path = arguments.output
    facts, words = FORMATS[arguments.format](chosen_model(arguments), target.expanduser().absolute())
    if arguments.json:
        print_json({"folder": str(target), **facts})
    else:
        print_line(f"{target}: {words}")
    return 0


def to_hugging_face(model: Path, target: Path) -> tuple[dict[str, object], str]:
    """The facts of what was written, and the same in words."""
    from tfmcore.families.exporting import export_model

    written = export_model(model, target)
    facts = {"family": written.family.title, "architecture": written.architecture}
    words = f"{written.family.title}, {written.architecture}; {', '.join(written.files)}"
    return {**facts, "files": written.files, "notes": written.notes}, words


def to_onnx(model: Path, target: Path) -> tuple[dict[str, object], str]:
    """The same of ONNX files."""
    from tfmcore.families.onnx import export_onnx

    written = export_onnx(model, target)
    facts = {"files": written.files, "notes": written.notes, "difference": written.difference}
    return facts, "; ".join([", ".join(written.files), *written.notes])


FORMATS = {"huggingface": to_hugging_face, "onnx": to_onnx}
