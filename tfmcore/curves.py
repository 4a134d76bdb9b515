"""A run's curves as a table: a row for each step that says something, without what a restart has made void."""

import csv
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfmcore.config import UserError
from tfmcore.messages import AnyEvent, Evaluated, Examined, Started, Stepped

Row = dict[str, Any]
SUFFIXES = (".csv", ".jsonl")


def curves(events: Iterable[AnyEvent]) -> list[Row]:
    """Rows by step. Of a step: loss, learning_rate, gradient_norm, tokens, seconds; of a validation: validation_loss
    and the metrics; of a look at the layers: `decoder.layers.0.gradient_norm` and so on."""
    rows: dict[int, Row] = {}
    for event in events:
        row = rows.setdefault(event.step, {"step": event.step})
        match event:
            case Started():
                rows = {step: row for step, row in rows.items() if step <= event.step}
            case Stepped():
                for name in ("loss", "learning_rate", "gradient_norm", "tokens", "seconds"):
                    row[name] = getattr(event, name)
            case Evaluated():
                row |= {"validation_loss": event.loss, **event.metrics}
            case Examined():
                for layer, state in event.layers.items():
                    row |= {f"{layer}.{name}": value for name, value in state.model_dump().items()}
    return [rows[step] for step in sorted(rows) if len(rows[step]) > 1]


def write_curves(rows: list[Row], path: Path) -> None:
    """Write a .csv (a column for each name, empty where a row has no such value) or a .jsonl (an object a line, null
    for what is no number). Raises UserError for another ending, and where the file cannot be written."""
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: curves are written as {' or '.join(SUFFIXES)}")
    staged = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with open(staged, "w", encoding="utf-8", newline="") as file:
            if path.suffix == ".csv":
                names = list(dict.fromkeys(name for row in rows for name in row))
                writer = csv.DictWriter(file, names or ["step"])
                writer.writeheader()
                writer.writerows(rows)
            else:
                file.writelines(
                    json.dumps({name: _finite(value) for name, value in row.items()}) + "\n" for row in rows
                )
        staged.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
