"""The arguments that several verbs share, and what they mean: a model, a run, a config, a text."""

import argparse
import os
import sys
from pathlib import Path

from tfmcore.config import Config, UserError, find_preset, load_raw, with_base
from tfmcore.runs import Run, find_model, find_run
from tfmcore.workspace import find_workspace


def add_json(parser: argparse.ArgumentParser, what: str = "one JSON object") -> None:
    parser.add_argument("--json", action="store_true", help=f"print {what} on stdout and nothing else")


def add_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", metavar="DIR", type=Path, help="the folder of the runs (default: the workspace's)")
    parser.add_argument("--workspace", metavar="DIR", type=Path, help="the workspace folder (default: TFM_WORKSPACE)")


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's folder, id or name")
    add_runs(parser)


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model folder, or a run (its best checkpoint)")
    add_runs(parser)


def add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        metavar="a.b=VALUE",
        dest="overrides",
        action="append",
        default=[],
        help="change an option, such as model.d_model=256; `none` empties it; may be repeated",
    )


def runs_folder(arguments: argparse.Namespace) -> Path:
    """Where the runs are: --runs, else in the workspace."""
    chosen: Path | None = arguments.runs
    return chosen.absolute() if chosen else find_workspace(arguments.workspace) / "runs"


def chosen_run(arguments: argparse.Namespace) -> Run:
    return find_run(arguments.run, runs_folder(arguments))


def chosen_model(arguments: argparse.Namespace) -> Path:
    """The model folder that MODEL means."""
    return model_folder(arguments.model, arguments)


def model_folder(name: str, arguments: argparse.Namespace) -> Path:
    """A folder, one of the workspace's models, or the best checkpoint of a run; raises UserError."""
    kept = find_workspace(arguments.workspace) / "models" / name
    return kept if os.path.isfile(kept / "config.json") else find_model(name, runs_folder(arguments))


def chosen_config(arguments: argparse.Namespace) -> tuple[Config, str]:
    """The config that a file or a preset's name means, and what to call it; where it begins from a model, that one's
    shape and tokenizer are filled in. Raises UserError or ConfigError."""
    path, overrides = Path(arguments.config), arguments.overrides
    if path.suffix == ".toml" or path.is_file():
        raw, name, where = load_raw(path, overrides), path.stem, f"{path}: "
    elif path.is_dir():
        raise UserError(f"{path} is a folder: name a config file or a preset")
    else:
        raw, name, where = find_preset(arguments.config).raw(overrides), arguments.config, ""
    return Config.parse(with_base(raw, lambda base: model_folder(base, arguments), overrides), where), name


def text(value: str) -> str:
    """A text from the command line; `-` reads it from stdin."""
    if value == "-":
        value = sys.stdin.buffer.read().decode("utf-8-sig", errors="surrogateescape")
        value = value.replace("\r\n", "\n").removesuffix("\n")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise argparse.ArgumentTypeError(f"the text is not UTF-8 (at character {error.start})") from None
    return value


def whole(minimum: int, maximum: int = 2**31) -> "Bounded":
    return Bounded(int, minimum, maximum)


def real(minimum: float, maximum: float) -> "Bounded":
    return Bounded(float, minimum, maximum)


class Bounded:
    """An argument type: a number within bounds, which the error names."""

    def __init__(self, kind: type[int] | type[float], minimum: float, maximum: float) -> None:
        self._kind, self._minimum, self._maximum = kind, minimum, maximum

    def __call__(self, value: str) -> int | float:
        try:
            number = self._kind(value)
        except ValueError:
            number = self._kind(self._minimum - 1)
        if not self._minimum <= number <= self._maximum:
            noun = "a whole number" if self._kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{value!r} is not {noun} from {self._minimum} to {self._maximum}")
        return number
