"""Each fault that must do no harm, by its row, and that some test makes it happen: `@pytest.mark.fault(row, …)`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FAULTS = {
    1: "the trainer is killed in mid-checkpoint",
    2: "a step is saved again whose partial folder exists",
    3: "the disk is full",
    4: "the run's folder is read-only",
    5: "a checkpoint is truncated while it is viewed",
    6: "a bit of the weights flips",
    7: "the header of the weights is damaged",
    8: "the header of the weights names 300 000 tensors",
    9: "a tensor is missing, unknown or of another shape",
    10: "the weights are a malicious pickle",
    11: "a config is truncated, absurd or nested too deeply",
    12: "a model's shape cannot be",
    13: "the vocabulary has one token",
    14: "a token's id is beyond the vocabulary",
    15: "a text is longer than the context",
    16: "there is no data, or one token of it",
    17: "a batch has nothing to predict",
    18: "a row of attention is fully masked",
    19: "the loss or the gradient is no number",
    20: "the memory is too small",
    21: "the trainer is killed by the system",
    22: "the window is killed while a run trains",
    23: "Ctrl-C is pressed in the terminal",
    24: "a process id is used again",
    25: "a second window opens on the workspace",
    26: "runs have the same or impossible names",
    27: "the workspace's path has spaces and letters of all kinds",
    28: "the clock is set back",
    29: "the data has changed when a run is resumed",
    30: "a text is not UTF-8, or begins with a byte-order mark",
    31: "a table lacks columns, is ragged or has a giant field",
    32: "the settings are damaged",
    33: "a tokenizer panics or searches without an end",
    34: "attention of 4096 tokens is shown",
    35: "a slot of the window raises",
    36: "the last event is cut",
    37: "the trainer hangs",
    38: "the engine is killed in mid-answer",
}


def marks(path: Path) -> Iterator[tuple[str, list[int]]]:
    """The tests of a file that make faults happen, with their rows."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.fault":
                yield node.name, [ast.literal_eval(argument) for argument in decorator.args]


@pytest.fixture(scope="module")
def tests() -> dict[str, list[int]]:
    """Rows by the test that makes them happen, of the whole suite."""
    folder = Path(__file__).parent
    files = sorted(folder.rglob("test_*.py"))
    return {f"{path.relative_to(folder)}::{name}": rows for path in files for name, rows in marks(path)}


@pytest.mark.parametrize("row", FAULTS)
def test_every_fault_is_made_to_happen(tests: dict[str, list[int]], row: int) -> None:
    assert [name for name, rows in tests.items() if row in rows], f"no test for: {FAULTS[row]}"


def test_marks_name_faults_that_there_are(tests: dict[str, list[int]]) -> None:
    for name, rows in tests.items():
        assert name.rpartition("::")[2].startswith("test_"), name
        assert rows, name
        assert set(rows) <= FAULTS.keys(), name
