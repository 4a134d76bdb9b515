"""Branching in the window: from a point of the loss curve, and the curve that goes on from its parent's."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from app.history import History
from app.lineage import lineage
from app.panels.curves import Curves
from app.session import Session
from tests.app.conftest import add_checkpoint, stepped_event, until, write_events
from tfmcore.config import Config
from tfmcore.messages import Started
from tfmcore.runs import Run


def started(step: int) -> Started:
    return Started(
        step=step, steps=100, parameters=1, vocab_size=2, num_train=3, num_validation=4, device="cpu", threads=1
    )


@pytest.fixture
def curves(qtbot: QtBot, session: Session, run: Run) -> Curves:
    curves = Curves(session)
    qtbot.addWidget(curves)
    qtbot.addWidget(curves.toolbar)
    until(qtbot, session, lambda: session.runs.facts)
    session.choose_run(run.id)
    curves.show_run(History(), run.config())
    curves.show()
    return curves


def branch(parent: Run, checkpoint: Path, label: str) -> Run:
    return Run.create(parent.folder.parent, Config().replaced(training__branch_from=str(checkpoint)), label)


def test_the_loss_curve_offers_the_checkpoints_that_are_kept(
    qtbot: QtBot, session: Session, run: Run, curves: Curves
) -> None:
    for step in (5, 10, 20):
        add_checkpoint(run, step)
    curves.plots["loss"].asked.emit(12.4, QPoint(10, 10))
    qtbot.waitUntil(lambda: curves.findChild(QMenu, "branch_menu") is not None)
    menu = curves.findChild(QMenu, "branch_menu")
    offers = [action.text() for action in menu.actions() if not action.isSeparator()]
    assert offers[:3] == [f"Branch from step {step}…" for step in (10, 5, 20)]
    assert offers[3:6] == [f"Export as {kind}…" for kind in ("PNG image", "SVG drawing", "CSV table")]
    with qtbot.waitSignal(session.page_wanted):
        menu.actions()[1].trigger()
    assert session.draft.beginning.step == 5
    menu.close()


def test_a_run_without_checkpoints_says_so(qtbot: QtBot, session: Session, run: Run, curves: Curves) -> None:
    curves.plots["loss"].asked.emit(3.0, QPoint(10, 10))
    qtbot.waitUntil(lambda: curves.findChild(QMenu, "branch_menu") is not None)
    action = curves.findChild(QMenu, "branch_menu").actions()[0]
    assert not action.isEnabled()
    action.parent().close()


def test_the_menu_key_and_the_right_button_open_the_same_menu(curves: Curves) -> None:
    plot, asked = curves.plots["loss"], list[float]()
    plot.asked.connect(lambda x, _: asked.append(x))
    plot.set_series("training", [0, 10, 20], [3, 2, 1])
    plot.redraw()
    plot.point_at(10)
    middle, reasons = plot.chart.mapTo(plot, plot.chart.rect().center()), QContextMenuEvent.Reason
    for reason in (reasons.Keyboard, reasons.Mouse):
        QApplication.sendEvent(plot, QContextMenuEvent(reason, middle, plot.mapToGlobal(middle)))
    assert asked == [10, plot.chart.x_at(plot.chart.rect().center())]
    assert QApplication.activePopupWidget() is None, "the export menu would stand before it"


def test_the_curve_goes_on_from_that_of_its_ancestors(run: Run, curves: Curves) -> None:
    folder = add_checkpoint(run, 10)
    child = branch(run, folder, "child")
    write_events(child, started(10), *(stepped_event(step) for step in range(11, 31)))
    grandchild = branch(child, add_checkpoint(child, 25), "grandchild")
    found = lineage(grandchild)
    assert (found.label, found.step) == ("child", 25)
    assert found.training[0].tolist() == list(range(1, 26))
    assert found.training[1].tolist() == [4 / step for step in range(1, 26)]
    assert found.validation[0].tolist() == [], "the one at step 20 is not its own"
    curves.show_lineage(found)
    assert curves.plots["loss"].curves["parent training"].title == "child"
    assert curves.plots["loss"].curves["parent training"].series.length == 25
    assert lineage(run) is None
