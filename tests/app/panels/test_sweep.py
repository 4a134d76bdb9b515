"""The sweep's window: options and values as they are typed, how many runs that makes, and their start."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app import run_queue
from app.panels.preset_bar import PresetBar
from app.panels.sweep import Sweep
from app.session import Session
from tests.app.conftest import until


@pytest.fixture
def sweep(session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweep]:
    monkeypatch.setattr(run_queue, "start_queue", lambda runs: None)
    parent = QWidget()
    qtbot.addWidget(parent)
    sweep = Sweep(session, parent)
    sweep.show()
    yield sweep
    assert parent


def type_in(sweep: Sweep, name: str, text: str) -> None:
    sweep.findChild(QLineEdit, name).setText(text)


def words(sweep: Sweep) -> str:
    return sweep.findChild(QLabel, "sweep_words").text()


def start(sweep: Sweep) -> QPushButton:
    return sweep.findChild(QPushButton, "action_start_sweep")


def test_values_make_runs_and_the_runs_wait(sweep: Sweep, session: Session, qtbot: QtBot) -> None:
    assert not start(sweep).isEnabled()
    assert "Write the values" in words(sweep)
    type_in(sweep, "sweep_values_0", "1e-3, 2e-3")
    assert start(sweep).text() == "Train 2 runs"
    assert words(sweep) == "2 runs, trained one after the other."
    type_in(sweep, "sweep_values_1", "0..2")
    assert start(sweep).text() == "Train 6 runs"
    qtbot.mouseClick(sweep.findChild(QPushButton, "action_add_axis"), Qt.MouseButton.LeftButton)
    assert sweep.findChild(QComboBox, "sweep_option_2").currentData() == "model.num_layers"
    type_in(sweep, "sweep_values_2", "1,2")
    assert start(sweep).text() == "Train 12 runs"
    qtbot.mouseClick(sweep.findChild(QPushButton, "sweep_remove_2"), Qt.MouseButton.LeftButton)
    qtbot.keyClicks(sweep.findChild(QLineEdit, "sweep_random"), "4,")  # digits alone: commas mean this or that
    assert start(sweep).text() == "Train 4 runs"
    with qtbot.waitSignals([session.page_wanted, session.notified]):
        qtbot.mouseClick(start(sweep), Qt.MouseButton.LeftButton)
    until(qtbot, session, lambda: len(session.runs.facts) == 4)
    assert sorted(facts.place for facts in session.runs.facts) == [1, 2, 3, 4]
    assert {facts.config.training.learning_rate for facts in session.runs.facts} <= {1e-3, 2e-3}
    assert all("learning_rate=" in facts.label for facts in session.runs.facts)


@pytest.mark.parametrize(
    ("option", "values", "said"),
    [
        ("model.num_heads", "3, 4", "“Heads”: “Width” 128 is not divisible by 3"),
        ("training.learning_rate", "fast", "“Learning rate”"),
        ("training.learning_rate", "1e-3..1e-1", "or draw them with “Draw at random”"),
        ("training.seed", "5..1", "must go up"),
        ("training.seed", "1,,2", "once, separated by commas"),
        ("training.seed", "0..999999", "too many"),
    ],
)
def test_what_cannot_be_is_said_and_not_started(sweep: Sweep, option: str, values: str, said: str) -> None:
    choice = sweep.findChild(QComboBox, "sweep_option_0")
    choice.setCurrentIndex(choice.findData(option))
    type_in(sweep, "sweep_values_0", values)
    assert said in words(sweep)
    assert "\n" not in words(sweep)
    assert not start(sweep).isEnabled()


def test_it_is_open_once(session: Session, qtbot: QtBot) -> None:
    bar = PresetBar(session)
    qtbot.addWidget(bar)
    for _ in range(2):
        qtbot.mouseClick(bar.findChild(QPushButton, "action_sweep"), Qt.MouseButton.LeftButton)
    (dialog,) = bar.findChildren(Sweep)
    assert dialog.isVisible()
    dialog.reject()
    qtbot.waitUntil(lambda: bar.findChild(Sweep) is None)
    qtbot.mouseClick(bar.findChild(QPushButton, "action_sweep"), Qt.MouseButton.LeftButton)
    assert bar.findChild(Sweep).isVisible()


def test_tab_goes_through_the_options_first(sweep: Sweep) -> None:
    assert sweep.focusWidget() is sweep.findChild(QLineEdit, "sweep_values_0")
    sweep.findChild(QPushButton, "action_add_axis").click()
    order = [sweep.findChild(QComboBox, "sweep_option_0")]
    while (after := order[-1].nextInFocusChain()) is not order[0]:
        order.append(after)
    parts = [f"sweep_{part}_{number}" for number in range(3) for part in ("option", "values", "remove")]
    expected = [*parts, "action_add_axis", "sweep_random", "action_start_sweep"]
    assert [widget.objectName() for widget in order if widget.objectName() in expected] == expected
