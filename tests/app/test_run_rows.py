"""Runs as rows: which of them a filter finds."""

import pytest

from app.run_rows import matches
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
