"""Runs as rows: which of them a filter finds, and what a view hears of those that come and go."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QPersistentModelIndex, Qt

from app.run_rows import RunRows, distinct, loss_of, matches, shorter
from app.session import Session
from tests.app.conftest import facts_of
from tfmcore.runs import Run, RunState


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("", True), ("FIRST a", True), ("running", True), ("language", True), ("second", False), ("first failed", False)],
)
def test_every_word_must_be_found(run: Run, wanted: str, found: bool) -> None:
    assert matches(facts_of(run, RunState.RUNNING), wanted) == found


def test_an_id_is_found_whole_or_by_its_beginning(run: Run) -> None:
    facts = facts_of(run, RunState.RUNNING)
    assert matches(facts, run.id)
    assert matches(facts, run.id[:8])
    assert not matches(facts, run.id[2:8])
    assert matches(facts_of(run, RunState.RUNNING, config=None), "first")


def test_the_validation_loss_is_shown_where_it_is_known_and_else_the_training_loss(run: Run) -> None:
    facts = facts_of(run, RunState.RUNNING)
    assert loss_of(facts).words == "train 0.2"
    assert "Training loss 0.2" in loss_of(facts).tip
    validated = replace(facts, best_loss=1.832)
    assert loss_of(validated).words == "val 1.832"
    assert "Validation loss 1.832" in loss_of(validated).tip
    assert loss_of(replace(facts, status=None)).words == "–"


def test_who_hears_the_list_hears_what_is_painted_beside_a_label(session: Session, run: Run) -> None:
    rows = RunRows(session, session)
    rows.show([facts_of(run, RunState.RUNNING)])
    said = rows.index(0, 0).data(Qt.ItemDataRole.AccessibleDescriptionRole)
    assert said == "running, 20 / 1,000, train 0.2"


@pytest.mark.parametrize(
    ("label", "others", "shown"),
    [
        (
            "sweep rate=1e-3 seed=2",
            ["sweep rate=1e-3 seed=1", "sweep rate=2e-3 seed=2"],
            ["…rate=1e-3 seed=2", "…1e-3 seed=2", "…1e-3 2", "…seed=2"],
        ),
        (
            "sweep rate=1e-3 seed=2",
            ["sweep rate=1e-4 seed=2", "another"],
            ["…rate=1e-3 seed=2", "…1e-3 seed=2", "…1e-3 2"],
        ),
        ("sweep rate=1e-3", ["sweep rate=1e-3"], ["sweep 1e-3"]),
        ("sweep", ["sweep rate=1e-3"], []),
        ("a name", [], []),
    ],
)
def test_of_a_long_label_what_its_neighbours_have_too_is_shortened(
    label: str, others: list[str], shown: list[str]
) -> None:
    assert list(shorter(label, others)) == [label, *shown]


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (["sweep rate=1e-3 seed=1 d=64", "sweep rate=1e-3 seed=2 d=64"], ["1", "2"]),
        (
            ["sweep rate=1e-3 seed=1", "sweep rate=2e-3 seed=1", "sweep rate=2e-3 seed=2"],
            ["1e-3, 1", "2e-3, 1", "2e-3, 2"],
        ),
        (["write manual", "tell languages"], ["write manual", "tell languages"]),
        (["sweep rate=1e-3 seed=1", "another"], ["sweep 1e-3 1", "another"]),
        (["sweep", "sweep 2"], ["sweep", "sweep 2"]),
        (["a name=x", "a other=x"], ["a name=x", "a other=x"]),
        (["the same", "the same"], ["the same", "the same"]),
        (["alone seed=1"], ["alone seed=1"]),
        ([], []),
    ],
)
def test_in_a_legend_labels_are_told_apart_by_what_differs(labels: list[str], shown: list[str]) -> None:
    assert distinct(labels) == shown


@pytest.mark.parametrize(
    ("ids", "then", "keeps"),
    [
        ("abc", "xabc", True),
        ("abc", "axbcy", True),
        ("abc", "ac", True),
        ("abcd", "xbyd", True),
        ("abc", "xyb", True),
        ("abc", "cba", False),
        ("abc", "xba", False),
    ],
)
def test_a_view_keeps_its_place_while_runs_come_and_go_in_the_same_order(
    session: Session, run: Run, ids: str, then: str, keeps: bool
) -> None:
    rows, resets = RunRows(session, session), []
    facts = {id: facts_of(run, RunState.RUNNING, id=id) for id in ids + then}
    rows.show([facts[id] for id in ids])
    places = [QPersistentModelIndex(rows.index(row, 0)) for row in range(len(ids))]
    rows.modelReset.connect(lambda: resets.append(True))
    rows.show([facts[id] for id in then])
    assert "".join(each.id for each in rows.rows) == then
    assert bool(resets) != keeps
    for id, place in zip(ids, places, strict=True):
        assert place.row() == (then.find(id) if keeps else -1)
