"""The last runs on Home: a row each with its curve, opened by click or Enter."""

from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, Qt
from pytestqt.qtbot import QtBot

from app.panels.recent_runs import SHOWN, RecentRuns
from app.run_rows import COLUMNS
from app.session import Session
from app.theme import DARK, LIGHT, apply_theme
from tests.app.conftest import add_run, stepped_event, until, write_events, write_status
from tfmcore.runs import Run, RunState


@pytest.fixture
def recent(session: Session, qtbot: QtBot, run: Run) -> RecentRuns:
    recent = RecentRuns(session)
    qtbot.addWidget(recent)
    recent.resize(800, 300)
    recent.show()
    until(qtbot, session, lambda: session.runs.facts)
    return recent


def cell(recent: RecentRuns, row: int, column: str) -> QModelIndex:
    return recent.model().index(row, COLUMNS.index(column))


def test_a_row_tells_state_steps_and_loss(recent: RecentRuns) -> None:
    words = [cell(recent, 0, column).data() for column in COLUMNS]
    assert words == ["A first run", "running", "20 / 1,000", "", "train 0.2"]


def test_its_curve_is_read_and_read_again_as_the_run_goes_on(
    recent: RecentRuns, session: Session, qtbot: QtBot, run: Run
) -> None:
    outlines = recent._curves.outlines
    qtbot.waitUntil(lambda: run.id in outlines)
    assert outlines[run.id][0].tolist() == list(range(1, 21))
    write_events(run, stepped_event(21))
    write_status(run, RunState.RUNNING, step=21)
    until(qtbot, session, lambda: len(outlines[run.id][0]) == 21)


def test_a_click_and_enter_open_a_run(recent: RecentRuns, qtbot: QtBot, run: Run) -> None:
    with qtbot.waitSignal(recent.chosen) as chosen:
        qtbot.mouseClick(
            recent.viewport(), Qt.MouseButton.LeftButton, pos=recent.visualRect(cell(recent, 0, "State")).center()
        )
    assert chosen.args == [run.id]
    with qtbot.waitSignal(recent.chosen):
        qtbot.keyClick(recent, Qt.Key.Key_Return)


def test_only_the_newest_are_shown_and_none_is_cut(
    recent: RecentRuns, session: Session, qtbot: QtBot, own_folders: Path
) -> None:
    for number in range(SHOWN + 2):
        add_run(own_folders / "runs", f"run {number}", step=1)
    until(qtbot, session, lambda: recent.model().rowCount() == SHOWN)
    last = recent.visualRect(cell(recent, SHOWN - 1, "Run"))
    assert last.bottom() <= recent.viewport().height()


def test_colours_follow_the_theme(recent: RecentRuns, qapp: object) -> None:
    colours = []
    for look in (LIGHT, DARK):
        apply_theme(qapp, look.name)  # type: ignore[arg-type]
        colours.append(cell(recent, 0, "State").data(Qt.ItemDataRole.ForegroundRole).name())
    assert colours == [LIGHT.training, DARK.training]


def test_without_runs_there_is_no_table(session: Session, qtbot: QtBot) -> None:
    recent = RecentRuns(session)
    qtbot.addWidget(recent)
    assert recent.isHidden()
