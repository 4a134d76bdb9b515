"""Runs side by side: the options in which they differ, sorting, the best one, and a file of them all."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from app.panels.run_sheet import RunSheet, differing
from app.panels.run_table import RunTable
from app.run_actions import RunActions
from app.session import Session
from tests.app.conftest import until, write_status
from tfmcore.config import find_preset
from tfmcore.config.sweeps import combinations, label, parse_axis, swept
from tfmcore.runs import Run, RunState

LOSSES = [2.5, 1.5, None, 2.0]
"""Of the last validation of each run."""
RATES = ["0.001", "0.002", "0.003", "0.004"]


@pytest.fixture
def runs(own_folders: Path) -> list[Run]:
    """A sweep of four runs, one of which has not been validated."""
    made = []
    found = combinations([parse_axis("training.learning_rate=" + ",".join(RATES))])
    for combination, config, loss in zip(found, swept(find_preset("nano-decoder").raw([]), found), LOSSES, strict=True):
        run = Run.create(own_folders / "runs", config, label("my sweep", combination))
        write_status(run, RunState.RUNNING, step=20, loss=3.0, validation_loss=loss)
        made.append(run)
    return made


@pytest.fixture
def sheet(session: Session, runs: list[Run], qtbot: QtBot) -> Iterator[RunSheet]:
    table = RunTable(session, RunActions(session, session))
    qtbot.addWidget(table)
    until(qtbot, session, lambda: len(session.runs.facts) == len(runs))
    table.comparing.trigger()
    sheet = table.findChild(RunSheet)
    assert sheet.isVisible()
    table.comparing.trigger()
    assert table.findChildren(RunSheet) == [sheet], "there is one"
    yield sheet
    assert table


def column(sheet: RunSheet, title: str) -> list[str]:
    titles = [each.title for each in sheet.rows.columns]
    return [sheet.rows.index(row, titles.index(title)).data() for row in range(sheet.rows.rowCount())]


def click_heading(sheet: RunSheet, title: str, qtbot: QtBot) -> None:
    header = sheet.view.horizontalHeader()
    place = header.sectionViewportPosition([each.title for each in sheet.rows.columns].index(title))
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place + 20, 8))


def words(sheet: RunSheet) -> str:
    return sheet.findChild(QLabel, "sheet_words").text()


def test_the_best_stands_first_and_the_unknown_last(sheet: RunSheet) -> None:
    assert words(sheet) == "4 runs differ in 1 option"
    assert column(sheet, "Validation loss") == ["1.5", "2", "2.5", "–"]
    assert column(sheet, "Learning rate") == ["0.002", "0.004", "0.001", "0.003"]
    fonts = [sheet.rows.index(row, 0).data(Qt.ItemDataRole.FontRole) for row in range(4)]
    assert [bool(font and font.bold()) for font in fonts] == [True, False, False, False]


def test_a_click_on_a_heading_sorts_by_it_either_way(sheet: RunSheet, qtbot: QtBot) -> None:
    click_heading(sheet, "Learning rate", qtbot)
    assert column(sheet, "Learning rate") == RATES
    click_heading(sheet, "Learning rate", qtbot)
    assert column(sheet, "Learning rate") == RATES[::-1]
    click_heading(sheet, "Validation loss", qtbot)
    click_heading(sheet, "Validation loss", qtbot)
    assert column(sheet, "Validation loss") == ["2.5", "2", "1.5", "–"], "what is not known comes last either way"


def test_what_is_sorted_by_stays_though_other_columns_come(sheet: RunSheet, qtbot: QtBot) -> None:
    click_heading(sheet, "Training loss", qtbot)
    line, header = sheet.findChild(QLineEdit, "field_filter_sheet"), sheet.view.horizontalHeader()
    for text, column_number in (("=0.002", 2), ("", 3)):
        line.setText(text)
        assert header.sortIndicatorSection() == column_number
        assert sheet.rows.columns[column_number].title == "Training loss"
    click_heading(sheet, "Learning rate", qtbot)
    line.setText("=0.002")
    assert header.sortIndicatorSection() == 1, "where nothing differs, by the loss again"


def test_a_row_chooses_its_run_and_the_chosen_run_its_row(sheet: RunSheet, session: Session, runs: list[Run]) -> None:
    sheet.view.selectRow(1)
    assert session.run_id == runs[3].id
    session.choose_run(runs[2].id)
    assert sheet.view.selectionModel().selectedRows()[0].row() == 3


def test_it_follows_what_becomes_of_the_runs(sheet: RunSheet, session: Session, runs: list[Run], qtbot: QtBot) -> None:
    session.choose_run(runs[2].id)
    write_status(runs[2], RunState.RUNNING, step=40, loss=1.2, validation_loss=1.1)
    until(qtbot, session, lambda: column(sheet, "Validation loss") == ["1.1", "1.5", "2", "2.5"])
    assert session.run_id == runs[2].id
    assert sheet.view.selectionModel().selectedRows()[0].row() == 0


def test_a_filter_leaves_some_and_their_differences(sheet: RunSheet) -> None:
    line = sheet.findChild(QLineEdit, "field_filter_sheet")
    line.setText("learning_rate=0.002")
    assert column(sheet, "Run") == ["my sweep learning_rate=0.002"]
    assert words(sheet) == "1 run"
    assert "Learning rate" not in [each.title for each in sheet.rows.columns]
    line.setText("nothing of that name")
    assert words(sheet) == "No run matches"
    assert not sheet.findChild(QPushButton, "action_save_sheet").isEnabled()
    line.clear()
    assert words(sheet) == "4 runs differ in 1 option"


def test_it_is_written_to_a_file(sheet: RunSheet, session: Session, runs: list[Run], tmp_path: Path) -> None:
    sheet.save(str(tmp_path / "runs.csv"))
    with open(tmp_path / "runs.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [runs[n].id for n in (1, 3, 0, 2)]
    assert [row["training.learning_rate"] for row in rows] == ["0.002", "0.004", "0.001", "0.003"]
    assert [row["validation_loss"] for row in rows] == ["1.5", "2.0", "2.5", ""]
    said = []
    session.notified.connect(lambda kind, sentence, *_: said.append((kind, sentence)))
    sheet.save(str(tmp_path / "no such folder" / "runs.csv"))
    assert said[0][0] == "error"
    assert "could not be written" in said[0][1]


def test_a_run_whose_config_cannot_be_read_has_no_options(
    sheet: RunSheet, session: Session, own_folders: Path, qtbot: QtBot
) -> None:
    broken = Run.create(own_folders / "runs", find_preset("nano-encoder").config([]), "broken")
    (broken.folder / "run.toml").write_text("[model", encoding="utf-8")
    until(qtbot, session, lambda: len(sheet.rows.rows) == 5)
    assert column(sheet, "Learning rate")[-1] == "–"
    assert [option.path for option in differing(session.runs.facts)] == ["training.learning_rate"]
