"""The list of runs: what it shows, filters, renames, and that many of them cost little."""

import shutil
import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QFontMetrics
from PySide6.QtWidgets import QLineEdit, QListView
from pytestqt.qtbot import QtBot

from app.panels.run_table import RunTable, fitting
from app.run_actions import RunActions
from app.run_rows import FACTS, TONES, steps_words
from app.session import Session
from app.theme import apply_theme, body_font
from tests.app.conftest import add_run, facts_of, until
from tfmcore.runs import Exit, Run, RunState


@pytest.fixture
def actions(session: Session) -> RunActions:
    return RunActions(session, session)


@pytest.fixture
def table(session: Session, actions: RunActions, qtbot: QtBot) -> RunTable:
    table = RunTable(session, actions)
    qtbot.addWidget(table)
    table.resize(280, 600)
    table.show()
    return table


def labels(table: RunTable) -> list[str]:
    model = table.list.model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def test_a_click_chooses_a_run_for_everybody(
    table: RunTable, session: Session, qtbot: QtBot, run: Run, own_folders: Path
) -> None:
    add_run(own_folders / "runs", "another", RunState.PAUSED)
    until(qtbot, session, lambda: len(session.runs.facts) == 2)
    first = table.list.visualRect(table.list.model().index(labels(table).index("A first run"), 0))
    qtbot.mouseClick(table.list.viewport(), Qt.MouseButton.LeftButton, pos=first.center())
    assert session.run_id == run.id
    qtbot.keyClick(table.list, Qt.Key.Key_Up if first.top() else Qt.Key.Key_Down)
    assert session.run_id != run.id


def test_a_new_run_and_a_new_value_keep_the_selection(
    table: RunTable, session: Session, qtbot: QtBot, run: Run, own_folders: Path
) -> None:
    until(qtbot, session, lambda: session.runs.facts)
    session.choose_run(run.id)
    add_run(own_folders / "runs", "another", RunState.PAUSED)
    Exit(state=RunState.FAILED, step=21).write(run.folder / "exit.json")
    until(qtbot, session, lambda: [f.state for f in session.runs.facts if f.id == run.id] == [RunState.FAILED])
    assert session.run_id == run.id
    assert table.list.currentIndex().data(FACTS).state == RunState.FAILED


def test_f2_renames_in_place(table: RunTable, session: Session, actions: RunActions, qtbot: QtBot, run: Run) -> None:
    until(qtbot, session, lambda: session.runs.facts)
    session.choose_run(run.id)
    actions.findChild(QAction, "action_rename_run").trigger()
    editor = table.list.findChild(QLineEdit)
    assert editor.text() == "A first run"
    editor.setText("Ein Lauf: Übung 1")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    until(qtbot, session, lambda: labels(table) == ["Ein Lauf: Übung 1"])
    assert not table.list.model().setData(table.list.currentIndex(), "  ")


def test_a_run_that_the_filter_leaves_out_is_renamed_too(
    table: RunTable, session: Session, actions: RunActions, qtbot: QtBot, run: Run, own_folders: Path
) -> None:
    add_run(own_folders / "runs", "another", RunState.PAUSED)
    until(qtbot, session, lambda: len(session.runs.facts) == 2)
    session.choose_run(run.id)
    line = table.findChild(QLineEdit, "field_filter_runs")
    line.setText("another")
    assert labels(table) == ["another"]
    actions.findChild(QAction, "action_rename_run").trigger()
    assert table.list.findChild(QLineEdit).text() == "A first run"
    assert line.text() == ""


def test_a_run_that_is_out_of_sight_is_renamed_in_sight(
    table: RunTable, session: Session, actions: RunActions, qtbot: QtBot, own_folders: Path
) -> None:
    for number in range(20):
        add_run(own_folders / "runs", f"Lauf {number}", step=1)
    until(qtbot, session, lambda: len(session.runs.facts) == 20)
    session.choose_run(session.runs.facts[0].id)
    table.list.scrollToBottom()
    actions.findChild(QAction, "action_rename_run").trigger()
    assert table.list.viewport().rect().contains(table.list.findChild(QLineEdit).geometry())


def test_a_name_that_is_being_typed_stays_while_other_runs_come_and_go(
    table: RunTable, session: Session, actions: RunActions, qtbot: QtBot, run: Run, own_folders: Path
) -> None:
    gone = add_run(own_folders / "runs", "about to go", RunState.RUNNING)
    until(qtbot, session, lambda: len(session.runs.facts) == 2)
    session.choose_run(run.id)
    actions.findChild(QAction, "action_rename_run").trigger()
    editor = table.list.findChild(QLineEdit)
    editor.selectAll()
    qtbot.keyClicks(editor, "a better nam")
    add_run(own_folders / "runs", "new", RunState.RUNNING)
    shutil.rmtree(gone.folder)
    until(qtbot, session, lambda: sorted(labels(table)) == ["A first run", "new"])
    assert table.list.findChildren(QLineEdit) == [editor]
    qtbot.keyClicks(editor, "e")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    until(qtbot, session, lambda: sorted(labels(table)) == ["a better name", "new"])
    assert run.label == "a better name"


def test_where_the_chosen_run_goes_the_list_chooses_no_other(
    table: RunTable, session: Session, qtbot: QtBot, run: Run, own_folders: Path
) -> None:
    add_run(own_folders / "runs", "another", RunState.RUNNING)
    until(qtbot, session, lambda: len(session.runs.facts) == 2)
    session.choose_run(run.id)
    shutil.rmtree(run.folder)
    until(qtbot, session, lambda: labels(table) == ["another"])
    assert session.run_id == run.id
    assert not table.list.selectionModel().hasSelection()


def test_the_filter_appears_with_many_runs_and_takes_every_word(
    table: RunTable, session: Session, qtbot: QtBot, own_folders: Path
) -> None:
    field = table.findChild(QLineEdit, "field_filter_runs")
    assert not field.isVisible()
    for number in range(9):
        add_run(own_folders / "runs", f"Lauf {number}", step=1)
    until(qtbot, session, lambda: len(session.runs.facts) == 9)
    assert field.isVisible()
    qtbot.keyClicks(field, "LAUF 7 not started")
    assert labels(table) == ["Lauf 7"]
    field.clear()
    assert len(labels(table)) == 9


@pytest.mark.parametrize("look", ["light", "dark"])
def test_every_state_paints_in_its_colour(table: RunTable, session: Session, run: Run, qapp: object, look: str) -> None:
    apply_theme(qapp, look)  # type: ignore[arg-type]
    table._rows.show([facts_of(run, state) for state in RunState])
    assert not table.grab().isNull()
    model = table.list.model()
    for row, state in enumerate(RunState):
        assert model.index(row, 1).data(Qt.ItemDataRole.ForegroundRole).isValid()
        assert str(run.id) in model.index(row, 0).data(Qt.ItemDataRole.ToolTipRole)
        assert model.index(row, 1).data() == ("not started" if state == RunState.WAITING else str(state))
    assert set(TONES) < set(RunState)


def test_steps_without_a_config_are_only_those_done(run: Run) -> None:
    assert steps_words(facts_of(run, RunState.RUNNING)) == "20 / 1,000"
    assert steps_words(facts_of(run, RunState.RUNNING, config=None)) == "20"


def test_three_hundred_runs_redraw_within_a_frame(table: RunTable, run: Run) -> None:
    rows = [facts_of(run, RunState.RUNNING, id=str(number)) for number in range(300)]
    table._rows.show(rows)
    table.grab()
    times = []
    for _ in range(3):
        rows = [facts_of(run, RunState.RUNNING, id=facts.id, label="new") for facts in rows]
        start = time.thread_time()
        table._rows.show(rows)
        table.list.viewport().repaint()
        times.append(time.thread_time() - start)
    assert min(times) < 0.05


def test_a_label_is_as_short_as_it_has_to_be(qapp: object) -> None:
    metrics = QFontMetrics(body_font())
    label, beside = "sweep rate=1e-3 seed=1", ["sweep rate=1e-3 seed=2"]
    for shown in ("sweep rate=1e-3 seed=1", "…rate=1e-3 seed=1", "…1e-3 seed=1", "…1e-3 1"):
        assert fitting(label, beside, metrics, metrics.horizontalAdvance(shown)) == shown
    assert fitting(label, beside, metrics, metrics.horizontalAdvance("…see")).startswith("…s")


def test_the_list_has_its_menu(table: RunTable) -> None:
    view = table.findChild(QListView, "run_list")
    assert view.contextMenuPolicy() == Qt.ContextMenuPolicy.ActionsContextMenu
    assert "Delete" in [action.text() for action in view.actions()]
