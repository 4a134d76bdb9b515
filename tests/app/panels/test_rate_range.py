"""The range test in the window: asked, drawn, taken over, cancelled, refused."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton

from app.panels.rate_range import RateRange
from tests.app.pages.conftest import told  # noqa: F401
from tfmcore.messages import FindRate, Progress, RateFound, Refused

FOUND = {"rates": [1e-5, 1e-4, 1e-3, 1e-2], "losses": [4.0, 3.0, 2.5, 5.0], "suggestion": 1.7e-4}


@pytest.fixture
def panel(qtbot, session, told) -> RateRange:  # noqa: F811
    panel = RateRange(session)
    qtbot.addWidget(panel)
    panel.show()
    return panel


def click(qtbot, panel, name):
    qtbot.mouseClick(panel.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def words(panel) -> str:
    return panel.findChild(QLabel, "rate_outcome").text()


def test_the_curve_is_drawn_and_the_rate_taken_over(qtbot, panel, session):
    click(qtbot, panel, "action_find_rate")
    (request,) = session.data_engine.requests(FindRate)
    assert request.config == session.draft.raw
    session.data_engine.answer(request, Progress, phase="raising the learning rate", done=1, total=9)
    assert words(panel) == "raising the learning rate"
    assert not panel.findChild(QPushButton, "action_find_rate").isVisible()
    session.data_engine.answer(request, RateFound, **FOUND)
    assert panel._plot.isVisible()
    assert panel._plot.curves["training"].series.x.tolist() == [-5, -4, -3, -2]
    assert panel._plot.curves["training"].series.y.tolist() == FOUND["losses"]
    assert words(panel) == "A learning rate of 0.00017 suits this design."
    panel.layout().activate()
    assert panel.findChild(QPushButton, "action_take_rate").y() < panel._plot.y(), "it is seen without scrolling"
    click(qtbot, panel, "action_take_rate")
    assert session.draft.value("training.learning_rate") == 1.7e-4
    assert not panel.findChild(QPushButton, "action_take_rate").isVisible()
    session.draft.set("model.d_model", 64)
    assert words(panel).startswith("Before the last change")


def test_it_can_be_cancelled_and_refused(qtbot, panel, session):
    click(qtbot, panel, "action_find_rate")
    click(qtbot, panel, "action_cancel_rate")
    assert words(panel) == "Cancelled."
    click(qtbot, panel, "action_find_rate")
    session.data_engine.answer(session.data_engine.requests(FindRate)[-1], Refused, sentence="The loss did not fall.")
    assert words(panel) == "The loss did not fall."
    assert not panel._plot.isVisible()


def test_a_design_with_problems_asks_nothing(qtbot, panel, session):
    session.draft.set("training.learning_rate", -1.0)
    click(qtbot, panel, "action_find_rate")
    assert not session.data_engine.requests(FindRate)
    assert "“Learning rate”" in words(panel)
