"""Runs side by side: the options in which they differ, sorting, the best one, and a file of them all."""

import csv
from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QLineEdit
from pytestqt.qtbot import QtBot

from app import run_queue
from app.panels import run_sheet
from app.panels.run_sheet import RunSheet
from app.run_rows import RIGHT
from app.session import Session
from app.sheet_rows import BITS, FIRST, LAST, OF_SEEDS, Column, differing, measure_of
from tests.app.conftest import add_checkpoint, until, write_status
from tfmcore.config import find_preset, options
from tfmcore.config.sweeps import combinations, label, parse_axis, swept
from tfmcore.runs import Exit, Run, RunState

LOSSES = [2.5, 1.5, None, 2.0]
"""Of the best validation of each run."""
RATES = ["0.001", "0.002", "0.003", "0.004"]


@pytest.fixture
def runs(own_folders: Path) -> list[Run]:
    """A sweep of four runs, one of which has not been validated."""
    made = []
    found = combinations([parse_axis("training.learning_rate=" + ",".join(RATES))])
    for combination, config, loss in zip(found, swept(find_preset("nano-decoder").raw([]), found), LOSSES, strict=True):
        run = Run.create(own_folders / "runs", config, label("my sweep", combination))
        write_status(run, RunState.RUNNING, step=20, loss=3.0)
        add_checkpoint(run, 20, loss)
        made.append(run)
    return made


@pytest.fixture
def sheet(session: Session, runs: list[Run], qtbot: QtBot) -> RunSheet:
    sheet = RunSheet(session)
    qtbot.addWidget(sheet)
    sheet.resize(900, 400)
    sheet.show()
    until(qtbot, session, lambda: len(sheet.rows.rows) == len(runs))
    return sheet


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
    unknown = sheet.rows.index(3, 1)
    assert (unknown.data(), unknown.data(Qt.ItemDataRole.TextAlignmentRole)) == ("–", RIGHT)


def test_no_two_headings_are_the_same() -> None:
    titles = [each.title for each in (*FIRST, BITS, *LAST)] + [title for _, title, _ in OF_SEEDS]
    titles += [option.title for option in options()]
    assert len(set(titles)) == len(titles)


def test_a_click_on_a_heading_sorts_by_it_either_way(sheet: RunSheet, qtbot: QtBot) -> None:
    click_heading(sheet, "Learning rate", qtbot)
    assert column(sheet, "Learning rate") == RATES
    click_heading(sheet, "Learning rate", qtbot)
    assert column(sheet, "Learning rate") == RATES[::-1]
    click_heading(sheet, "Validation loss", qtbot)
    click_heading(sheet, "Validation loss", qtbot)
    assert column(sheet, "Validation loss") == ["2.5", "2", "1.5", "–"], "what is not known comes last either way"


def test_none_is_the_best_where_losses_are_of_other_tokens(
    sheet: RunSheet, session: Session, own_folders: Path, qtbot: QtBot
) -> None:
    other = Run.create(own_folders / "runs", find_preset("nano-decoder").config(["data.max_examples=50"]), "fewer")
    write_status(other, RunState.RUNNING, step=20, loss=3.0)
    add_checkpoint(other, 20, 0.5)
    until(qtbot, session, lambda: sheet.rows.rowCount() == 5)
    assert column(sheet, "Validation loss")[0] == "0.5"
    assert sheet.rows.best == ""
    sheet.findChild(QLineEdit, "field_filter_sheet").setText("sweep")
    assert sheet.rows.best == sheet.rows.rows[0].id != ""


def test_language_models_with_different_tokenizers_are_compared_by_bits_per_byte(
    session: Session, own_folders: Path, qtbot: QtBot
) -> None:
    sheet = RunSheet(session)
    qtbot.addWidget(sheet)
    sheet.show()
    for kind, loss, bits in (("char", 1.2, 1.9), ("bpe", 2.9, 1.7)):
        run = Run.create(own_folders / "runs", find_preset("nano-decoder").config([f"tokenizer.kind={kind}"]), kind)
        add_checkpoint(run, 20, loss, bits_per_byte=bits)
    until(qtbot, session, lambda: sheet.rows.rowCount() == 2)
    assert (column(sheet, "Run"), column(sheet, "Bits per byte")) == (["char", "bpe"], ["1.9", "1.7"])
    assert sheet.rows.best == sheet.rows.rows[1].id
    assert measure_of(sheet.rows.rows, [Column("tokenizer.lowercase", "", str)]) is None


def test_the_keys_sort_as_clicks_on_the_headings_do(sheet: RunSheet) -> None:
    header = sheet.view.horizontalHeader()
    for name in ("sort_by_next", "sort_by_next"):
        sheet.findChild(QAction, f"action_{name}").trigger()
    assert sheet.rows.columns[header.sortIndicatorSection()].title == "Training loss"
    sheet.findChild(QAction, "action_sort_by_previous").trigger()
    assert column(sheet, "Learning rate") == RATES
    sheet.findChild(QAction, "action_sort_other_way").trigger()
    assert column(sheet, "Learning rate") == RATES[::-1]


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


def test_a_run_that_goes_on_with_another_config_differs_in_more(
    sheet: RunSheet, session: Session, runs: list[Run], qtbot: QtBot
) -> None:
    Exit(state=RunState.STOPPED, step=20).write(runs[0].folder / "exit.json")
    runs[0].change(["training.batch_size=6", "training.accumulation=2"])
    until(qtbot, session, lambda: words(sheet) == "4 runs differ in 3 options")
    assert "Batch size" in " ".join(each.title for each in sheet.rows.columns)


def test_a_row_chooses_its_run_and_the_chosen_run_its_row(sheet: RunSheet, session: Session, runs: list[Run]) -> None:
    sheet.view.selectRow(1)
    assert session.run_id == runs[3].id
    session.choose_run(runs[2].id)
    assert sheet.view.selectionModel().selectedRows()[0].row() == 3


def test_it_follows_what_becomes_of_the_runs(sheet: RunSheet, session: Session, runs: list[Run], qtbot: QtBot) -> None:
    session.choose_run(runs[2].id)
    write_status(runs[2], RunState.RUNNING, step=40, loss=1.2)
    add_checkpoint(runs[2], 40, 1.1)
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
    assert not sheet.findChild(QAction, "action_save_sheet").isEnabled()
    line.clear()
    assert words(sheet) == "4 runs differ in 1 option"


def test_where_no_run_matches_all_headings_stay(sheet: RunSheet, qtbot: QtBot) -> None:
    sheet.findChild(QLineEdit, "field_filter_sheet").setText("no such run")
    assert not sheet.rows.rows
    assert sheet.view.columnWidth(0) >= sheet.view.horizontalHeader().sectionSizeHint(0) > 0


def test_without_runs_it_says_so(session: Session, qtbot: QtBot) -> None:
    sheet = RunSheet(session)
    qtbot.addWidget(sheet)
    sheet.show()
    assert words(sheet) == "No runs"


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
    broken = Run.create(own_folders / "made", find_preset("nano-encoder").config([]), "broken")
    (broken.folder / "run.toml").write_text("[model", encoding="utf-8")
    broken.folder.rename(own_folders / "runs" / broken.id)
    until(qtbot, session, lambda: len(sheet.rows.rows) == 5)
    assert sorted(column(sheet, "Learning rate")) == [*RATES, "–"]
    assert [option.path for option in differing(session.runs.facts)] == ["training.learning_rate"]


def choose(sheet: RunSheet, *rows: int) -> None:
    sheet.view.clearSelection()
    for row in rows:
        index = sheet.rows.index(row, 0)
        flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        sheet.view.selectionModel().setCurrentIndex(index, flags)


def act(sheet: RunSheet, name: str) -> QAction:
    return sheet.findChild(QAction, f"action_{name}_chosen")


def end(runs: list[Run]) -> None:
    for run in runs:
        Exit(state=RunState.FINISHED, step=20).write(run.folder / "exit.json")


def test_those_chosen_stay_chosen_when_the_order_changes(
    sheet: RunSheet, session: Session, runs: list[Run], qtbot: QtBot
) -> None:
    choose(sheet, 0, 2)
    kept = {facts.id for facts in sheet.chosen}
    assert kept == {runs[1].id, runs[0].id}
    assert words(sheet).endswith("· 2 chosen")
    write_status(runs[2], RunState.RUNNING, step=40, loss=1.2)
    add_checkpoint(runs[2], 40, 1.1)
    until(qtbot, session, lambda: column(sheet, "Validation loss")[0] == "1.1")
    assert {facts.id for facts in sheet.chosen} == kept
    click_heading(sheet, "Learning rate", qtbot)
    assert {facts.id for facts in sheet.chosen} == kept
    session.choose_run(runs[3].id)
    assert [facts.id for facts in sheet.chosen] == [runs[3].id], "what is chosen elsewhere is chosen here"


def test_many_are_deleted_and_come_back(sheet: RunSheet, session: Session, runs: list[Run], qtbot: QtBot) -> None:
    choose(sheet, 0, 1, 2, 3)
    assert not act(sheet, "delete").isEnabled(), "they are training"
    assert not act(sheet, "delete").isVisible(), "nothing is grey"
    end(runs[:3])
    until(qtbot, session, lambda: sum(facts.state.alive for facts in sheet.chosen) == 1)
    sheet.view.setFocus()
    with qtbot.waitSignal(session.offered) as offered:
        qtbot.keyClick(sheet.view, Qt.Key.Key_Delete)
    sentence, word, undo, _ = offered.args
    assert "3 runs were deleted" in sentence
    assert word == "Undo"
    until(qtbot, session, lambda: [facts.id for facts in session.runs.facts] == [runs[3].id])
    assert words(sheet) == "1 run"
    undo()
    until(qtbot, session, lambda: len(session.runs.facts) == 4)
    assert words(sheet) == "4 runs differ in 1 option"


def test_many_wait_in_the_queue_and_leave_it(
    sheet: RunSheet, session: Session, runs: list[Run], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_queue, "start_queue", lambda runs: None)
    for run in runs[:2]:
        Exit(state=RunState.STOPPED, step=20).write(run.folder / "exit.json")
    choose(sheet, 0, 1, 2, 3)
    waiting = {runs[0].id, runs[1].id}
    until(qtbot, session, lambda: {facts.id for facts in session.runs.facts if facts.may_wait} == waiting)
    assert not act(sheet, "unqueue").isEnabled()
    act(sheet, "queue").trigger()
    until(qtbot, session, lambda: {facts.id for facts in session.runs.facts if facts.place} == waiting)
    assert not act(sheet, "queue").isEnabled(), "the others are training"
    act(sheet, "unqueue").trigger()
    until(qtbot, session, lambda: not any(facts.place for facts in session.runs.facts))


def test_the_first_ones_are_drawn_or_those_that_are_chosen(
    sheet: RunSheet, session: Session, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_sheet, "MOST_DRAWN", 2)
    best = [runs[number].id for number in (1, 3, 0, 2)]
    assert [facts.id for (facts,) in sheet.drawn] == best[:2]
    choose(sheet, 3)
    assert [facts.id for (facts,) in sheet.drawn] == [best[0], best[3]], "the chosen one has a place among them"
    choose(sheet, 1, 2)
    assert [facts.id for (facts,) in sheet.drawn] == [best[1], best[2]]
    choose(sheet, 0, 1, 2)
    assert [facts.id for (facts,) in sheet.drawn] == best[:2]


def test_a_run_keeps_its_colour_while_it_has_one(sheet: RunSheet) -> None:
    first, second, third, fourth = (facts.id for facts in sheet.rows.rows)
    sheet.rows.colour([])
    sheet.rows.colour([[first], [second], [third]])
    assert sheet.rows.colours == {first: 0, second: 1, third: 2}
    sheet.rows.colour([[fourth], [third]])
    assert sheet.rows.colours == {fourth: 0, third: 2}
    sheet.rows.colour([[second], [fourth], [third]])
    assert sheet.rows.colours == {second: 1, fourth: 0, third: 2}
    dots = [sheet.rows.index(row, 0).data(Qt.ItemDataRole.DecorationRole).pixmap(20, 20).toImage() for row in range(4)]
    assert [dot.pixelColor(10, 10).alpha() for dot in dots] == [0, 255, 255, 255]


def test_runs_of_one_colour_come_apart_again(sheet: RunSheet) -> None:
    first, second, third, _ = (facts.id for facts in sheet.rows.rows)
    sheet.rows.colour([])
    sheet.rows.colour([[first], [second, third]])
    assert sheet.rows.colours == {first: 0, second: 1, third: 1}
    sheet.rows.colour([[first], [second], [third]])
    assert sheet.rows.colours == {first: 0, second: 1, third: 2}


def repeat(runs: list[Run], loss: float | None) -> Run:
    """The second run once more, from another seed."""
    again = runs[1].config().replaced(training__seed=7)
    run = Run.create(runs[1].folder.parent, again, "again")
    write_status(run, RunState.RUNNING, step=20, loss=3.0)
    add_checkpoint(run, 20, loss)
    return run


def test_beside_a_loss_is_the_mean_of_all_seeds(
    sheet: RunSheet, session: Session, runs: list[Run], qtbot: QtBot
) -> None:
    join = next(act for act in sheet.acts if act.objectName() == "action_join_seeds")
    assert "Mean of seeds" not in [each.title for each in sheet.rows.columns]
    assert not join.isVisible()
    again = repeat(runs, None)
    until(qtbot, session, lambda: sheet.rows.rowCount() == 5)
    assert column(sheet, "Mean of seeds") == ["–"] * 5, "of one loss there is none"
    add_checkpoint(again, 20, 2.6)
    until(qtbot, session, lambda: column(sheet, "Mean of seeds") == ["2.05", "–", "–", "2.05", "–"])
    assert column(sheet, "± of seeds") == ["0.7778", "–", "–", "0.7778", "–"]
    assert words(sheet) == "5 runs differ in 2 options"
    assert sheet.rows.table()[0][3:5] == ["validation_loss_mean", "validation_loss_deviation"]
    assert join.isVisible()


def test_seeds_as_one_have_a_curve_and_a_colour(
    sheet: RunSheet, session: Session, runs: list[Run], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = repeat(runs, 2.6)
    until(qtbot, session, lambda: sheet.rows.rowCount() == 5)
    join = next(act for act in sheet.acts if act.objectName() == "action_join_seeds")
    assert [len(group) for group in sheet.drawn] == [1] * 5
    join.trigger()
    assert [{facts.id for facts in group} for group in sheet.drawn] == [
        {runs[1].id, again.id}, {runs[3].id}, {runs[0].id}, {runs[2].id}
    ]  # fmt: skip
    assert sheet.rows.colours[runs[1].id] == sheet.rows.colours[again.id]
    choose(sheet, 3, 4)
    assert [len(group) for group in sheet.drawn] == [2, 1], "with one of them, all that are one with it"
    monkeypatch.setattr(run_sheet, "MOST_FOLLOWED", 2)
    assert [len(group) for group in sheet.drawn] == [2]
    assert RunSheet(session)._join.isChecked(), "it is remembered"
    join.trigger()
    assert len(set(sheet.rows.colours.values())) == 2


def test_a_sheet_that_nobody_sees_does_nothing(
    sheet: RunSheet, session: Session, own_folders: Path, qtbot: QtBot
) -> None:
    sheet.hide()
    Run.create(own_folders / "runs", find_preset("nano-encoder").config([]), "another")
    until(qtbot, session, lambda: len(session.runs.facts) == 5)
    assert sheet.rows.rowCount() == 4
    sheet.show()
    assert sheet.rows.rowCount() == 5
