"""Home: every card trains, the last runs open, a model folder opens, and it fits windows of all widths."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QFileDialog, QFrame, QLabel, QPushButton, QTableView
from pytestqt.qtbot import QtBot

from app import session as session_module
from app.pages.home import MOST_COLUMNS, HomePage
from app.session import Session
from app.theme import GRID
from tests.app.conftest import add_checkpoint, until
from tests.app.pages.conftest import ToldEngine
from tfmcore.config import presets
from tfmcore.runs import Run

CARDS = [preset.name for preset in presets().values() if preset.card]


@pytest.fixture
def page(session: Session, told: ToldEngine, qtbot: QtBot) -> HomePage:
    page = HomePage(session)
    qtbot.addWidget(page)
    page.resize(1200, 740)
    page.show()
    return page


def click(qtbot: QtBot, page: HomePage, name: str) -> None:
    qtbot.mouseClick(page.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("name", CARDS)
def test_one_click_trains_a_card_and_two_clicks_no_more(
    page: HomePage, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    started: list[Run] = []
    pages: list[str] = []
    monkeypatch.setattr(session_module, "start_trainer", started.append)
    session.page_wanted.connect(pages.append)
    click(qtbot, page, f"action_train_{name}")
    click(qtbot, page, f"action_train_{name}")
    until(qtbot, session, lambda: session.runs.facts and pages)
    assert len(started) == 1
    assert pages == ["train"]
    assert session.run_id == started[0].id == session.runs.facts[0].id
    assert session.runs.facts[0].config == session.draft.config


@pytest.mark.parametrize("name", CARDS)
def test_open_shows_the_design_of_a_card(page: HomePage, session: Session, qtbot: QtBot, name: str) -> None:
    with qtbot.waitSignal(session.page_wanted) as wanted:
        click(qtbot, page, f"action_open_{name}")
    assert wanted.args == ["model"]
    assert session.draft.config is not None
    assert session.draft.config.data.task == presets()[name].config().data.task


def test_a_run_opens_with_a_click(page: HomePage, session: Session, qtbot: QtBot, run: Run) -> None:
    until(qtbot, session, lambda: session.runs.facts)
    table = page.findChild(QTableView, "recent_runs")
    with qtbot.waitSignal(session.page_wanted) as wanted:
        qtbot.mouseClick(
            table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualRect(table.model().index(0, 0)).center()
        )
    assert wanted.args == ["train"]
    assert session.run_id == run.id


def test_own_text_begins_on_the_data_page(page: HomePage, session: Session, qtbot: QtBot) -> None:
    with qtbot.waitSignal(session.page_wanted) as wanted:
        click(qtbot, page, "action_own_data")
    assert wanted.args == ["data"]


def test_a_model_folder_opens(page: HomePage, session: Session, qtbot: QtBot, run: Run) -> None:
    folder = add_checkpoint(run)
    click(qtbot, page, "action_open_model_folder")
    dialog = page.findChild(QFileDialog)
    with qtbot.waitSignal(session.model_changed):
        dialog.fileSelected.emit(str(folder))
    dialog.reject()
    assert Path(session.model_path) == folder


@pytest.mark.parametrize("width", [880, 1200, 1840, 3000])
def test_cards_are_of_one_size_and_lie_within_the_page(page: HomePage, qtbot: QtBot, width: int) -> None:
    page.resize(width, 800)
    cards = [page.findChild(QFrame, f"card_{name}") for name in CARDS]

    def even() -> bool:
        widths, left = [card.width() for card in cards], [card.mapTo(page, QPoint(0, 0)).x() for card in cards]
        inside = min(left) >= 0 and max(left) + max(widths) <= width
        same = len({card.height() for card in cards}) == 1 and max(widths) - min(widths) <= 1
        return inside and same and len(set(left)) <= MOST_COLUMNS

    qtbot.waitUntil(even)
    for text in (text for card in cards for text in card.findChildren(QLabel)):
        needed = text.heightForWidth(text.width()) if text.wordWrap() else text.sizeHint().height()
        assert text.height() >= needed, text.text()


def test_no_room_is_left_below_the_cards_after_a_narrower_window(
    page: HomePage, session: Session, qtbot: QtBot, run: Run
) -> None:
    until(qtbot, session, lambda: session.runs.facts)
    cards, heading = [page.findChild(QFrame, f"card_{name}") for name in CARDS], page._runs_heading

    def shown() -> tuple[int, int]:
        """How many cards stand in a row, and the room below them."""
        return len({card.x() for card in cards}), heading.y() - max(card.geometry().bottom() for card in cards)

    for width, columns in ((1200, 3), (960, 2), (1200, 3)):
        page.resize(width, 740)
        qtbot.waitUntil(lambda columns=columns: shown() == (columns, 2 * GRID + 1), timeout=5000)


def test_templates_are_measured_only_while_nothing_trains(
    page: HomePage, session: Session, told: ToldEngine, qtbot: QtBot, run: Run
) -> None:
    until(qtbot, session, lambda: session.runs.facts)
    page._timings._known.clear()  # of what other tests of this process have measured
    page._timings.ask(page._templates)
    assert not told.asked
    (run.folder / "status.json").unlink()
    until(qtbot, session, lambda: told.asked)
