"""Curves as a table: by step, without what is void, as CSV and JSONL."""

import csv
import json
import math

import pytest

from tfmcore.config import UserError
from tfmcore.curves import curves, write_curves
from tfmcore.messages import Evaluated, Examined, LayerState, Sampled, Started, Stepped


def stepped(step: int, loss: float) -> Stepped:
    return Stepped(step=step, loss=loss, learning_rate=0.1, gradient_norm=2.0, tokens=7, seconds=0.5)


def started(step: int) -> Started:
    return Started(
        step=step, steps=9, parameters=1, vocab_size=2, num_train=3, num_validation=4, device="cpu", threads=1
    )


EVENTS = [
    started(0), stepped(1, 4.0), stepped(2, 3.0), Sampled(step=2, prompt="a", text="b"), stepped(3, 99.0),
    Evaluated(step=3, loss=98.0), started(2), Evaluated(step=2, loss=2.5, metrics={"accuracy": 0.5}),
    stepped(3, math.inf), Examined(step=3, layers={"decoder.layers.0": LayerState(gradient_norm=1, update_ratio=2,
    activation_scale=3)}),
]  # fmt: skip


def test_a_row_a_step_without_what_was_trained_again():
    rows = curves(EVENTS)
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert rows[0] == {
        "step": 1, "loss": 4.0, "learning_rate": 0.1, "gradient_norm": 2.0, "tokens": 7, "seconds": 0.5,
    }  # fmt: skip
    assert (rows[1]["validation_loss"], rows[1]["accuracy"]) == (2.5, 0.5)
    assert rows[2]["loss"] == math.inf
    assert "validation_loss" not in rows[2]
    assert rows[2]["decoder.layers.0.update_ratio"] == 2
    assert curves([]) == []


def test_csv_and_jsonl_hold_the_same(tmp_path):
    rows = curves(EVENTS)
    write_curves(rows, tmp_path / "été 🙂.csv")
    write_curves(rows, tmp_path / "curves.jsonl")
    with open(tmp_path / "été 🙂.csv", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "curves.jsonl").read_text().splitlines()]
    assert [row["step"] for row in table] == ["1", "2", "3"]
    assert (table[0]["accuracy"], table[1]["accuracy"], table[2]["loss"]) == ("", "0.5", "inf")
    assert lines[:2] == rows[:2]
    assert lines[2]["loss"] is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.jsonl", "été 🙂.csv"]


def test_another_ending_and_no_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"written as .csv or .jsonl"):
        write_curves([], tmp_path / "a.xlsx")
    with pytest.raises(UserError, match="cannot be written"):
        write_curves([], tmp_path / "none" / "a.csv")
