"""Compare: the curves of several runs by steps, tokens and time, live; their loss over an option; empty and full."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QTableView
from pytestqt.qtbot import QtBot

from app.pages.compare import ComparePage
from app.panels.loss_by_option import LossByOption
from app.panels.run_curves import LOSSES, TRAINING, RunCurves
from app.panels.run_sheet import RunSheet
from app.session import Session
from app.widgets.scatter import Scatter
from app.widgets.segments import Segments
from tests.app.conftest import add_checkpoint, until, write_events, write_status
from tfmcore.config import find_preset
from tfmcore.config.sweeps import combinations, label, parse_axis, swept
from tfmcore.messages import Evaluated, Started, Stepped
from tfmcore.runs import Run, RunState

RATES = (0.001, 0.003, 0.01, 0.03)
STARTED = Started(steps=9, parameters=10, vocab_size=8, num_train=9, num_validation=1, device="cpu", threads=2)


def stepped(step: int, seconds: float) -> Stepped:
    return Stepped(step=step, loss=4 / step, learning_rate=1e-3, gradient_norm=1.0, tokens=100 + step, seconds=seconds)


@pytest.fixture
def runs(own_folders: Path) -> list[Run]:
    """Four that differ in the learning rate, the later ones slower and better; of the last one nothing is validated."""
    made = []
    found = combinations([parse_axis(f"training.learning_rate={','.join(map(str, RATES))}")])
    configs = swept(find_preset("nano-decoder").raw([]), found)
    for number, (combination, config) in enumerate(zip(found, configs, strict=True)):
        run = Run.create(own_folders / "runs", config, label("rates", combination))
        last = number == len(RATES) - 1
        losses = [] if last else [Evaluated(step=3, loss=2.0 - number / 10, metrics={"macro_f1": number / 10})]
        write_events(run, STARTED, *(stepped(step, seconds=0.5 + number) for step in (1, 2, 3)), *losses)
        write_status(run, RunState.RUNNING, step=3, loss=3.0)
        for event in losses:
            add_checkpoint(run, event.step, event.loss)
        made.append(run)
    return made


@pytest.fixture
def page(session: Session, runs: list[Run], qtbot: QtBot) -> ComparePage:
    page = ComparePage(session)
    qtbot.addWidget(page)
    page.resize(1000, 700)
    page.show()
    curves = page.findChild(RunCurves)
    until(qtbot, session, lambda: sum(curve.series.length > 0 for curve in curves.plot.curves.values()) == 3)
    return page


def draw(page: ComparePage, what: str, by: str = "") -> None:
    page.findChild(QComboBox, "field_curves_what").setCurrentText(what)
    if by:
        page.findChild(Segments, "curves_by").buttons[by].click()


def points(page: ComparePage, run: Run) -> tuple[list[float], list[float]]:
    series = page.findChild(RunCurves).plot.curves[run.id].series
    return series.x.tolist(), series.y.tolist()


def test_curves_of_all_runs_by_steps_tokens_and_time(page: ComparePage, runs: list[Run]) -> None:
    assert points(page, runs[1]) == ([3], [1.9])
    draw(page, LOSSES[TRAINING])
    assert points(page, runs[1]) == ([1, 2, 3], [4, 2, 4 / 3])
    draw(page, LOSSES[TRAINING], "tokens")
    assert points(page, runs[1])[0] == [101, 203, 306]
    draw(page, LOSSES[TRAINING], "seconds")
    assert points(page, runs[1])[0] == [1.5, 3.0, 4.5]
    draw(page, "macro F1")
    assert points(page, runs[1]) == ([4.5], [0.1])
    draw(page, "Validation loss", "tokens")
    assert points(page, runs[1]) == ([306], [1.9])


def test_the_legend_tells_the_runs_apart_and_a_file_names_them(
    page: ComparePage, runs: list[Run], qtbot: QtBot
) -> None:
    curves = page.findChild(RunCurves).plot.curves
    legend = ["0.001: 2", "0.003: 1.9", "0.01: 1.8"]
    qtbot.waitUntil(lambda: [curves[run.id].button.text() for run in runs[:3]] == legend)
    heading, *_ = page.findChild(RunCurves).plot.table()
    assert heading[0] == "step"
    assert set(heading[1:]) == {run.label for run in runs[:3]}


def test_they_are_followed_while_they_are_seen(
    page: ComparePage, session: Session, runs: list[Run], qtbot: QtBot
) -> None:
    write_events(runs[3], Evaluated(step=3, loss=1.2))
    until(qtbot, session, lambda: points(page, runs[3]) == ([3], [1.2]))
    page.hide()
    qtbot.wait(200)  # what is being read is read to its end
    write_events(runs[3], stepped(4, 1.0), Evaluated(step=4, loss=1.1))
    qtbot.wait(600)
    assert points(page, runs[3]) == ([3], [1.2]), "nobody looks"
    page.show()
    until(qtbot, session, lambda: points(page, runs[3]) == ([3, 4], [1.2, 1.1]))
    write_events(runs[3], STARTED.model_copy(update={"step": 3}), stepped(4, 1.0), Evaluated(step=4, loss=1.0))
    until(qtbot, session, lambda: points(page, runs[3]) == ([3, 4], [1.2, 1.0]))


def test_seeds_as_one_are_drawn_as_their_mean_in_a_band(
    page: ComparePage, session: Session, runs: list[Run], qtbot: QtBot, tmp_path: Path
) -> None:
    again = Run.create(runs[1].folder.parent, runs[1].config().replaced(training__seed=7), runs[1].label + " seed=7")
    write_events(again, STARTED, stepped(1, 0.5), stepped(2, 0.5), Evaluated(step=2, loss=2.5), stepped(3, 0.5))
    write_events(again, Evaluated(step=3, loss=2.9))
    write_status(again, RunState.RUNNING, step=3, loss=3.0)
    add_checkpoint(again, 2, 2.5)
    plot = page.findChild(RunCurves).plot
    until(qtbot, session, lambda: again.id in plot.curves and plot.curves[again.id].series.length == 2)
    page.findChild(RunSheet)._join.trigger()
    name = "+".join(sorted([runs[1].id, again.id]))
    qtbot.waitUntil(lambda: set(plot.curves) == {name, *(run.id for run in runs if run is not runs[1])})
    curve = plot.curves[name]
    assert (curve.series.x.tolist(), curve.series.y.tolist()) == ([2, 3], [2.5, pytest.approx(2.4)])
    assert [border.tolist() for border in curve.band] == [[2.5, 1.9], [2.5, 2.9]]
    assert curve.title == runs[1].label
    plot.redraw()
    assert curve.area.yData.tolist() == [2.5, 1.9, 2.9, 2.5]
    assert plot.chart.box.viewRange()[1][1] > 2.9, "all of the band is on show"
    heading, *_ = plot.table()
    assert heading[-2:] == [f"{runs[1].label}, least", f"{runs[1].label}, greatest"]
    draw(page, LOSSES[TRAINING])
    assert plot.curves[name].series.y.tolist() == pytest.approx([4, 2, 4 / 3])
    assert plot.curves[name].band is None
    colours = {point.key: point.colour for point in page.findChild(Scatter).points}
    assert colours[again.id] == colours[runs[1].id] != colours[runs[0].id]
    assert page.findChild(Scatter).bars.getData()[1].tolist() == [pytest.approx(2.2)]
    write_events(again, stepped(4, 0.5))
    until(qtbot, session, lambda: plot.curves[name].series.y.tolist() == pytest.approx([4, 2, 4 / 3, 1]))


def test_what_was_being_read_of_a_run_that_is_gone_is_passed_over(page: ComparePage, runs: list[Run]) -> None:
    page.findChild(RunCurves)._on_advanced("gone")
    assert set(page.findChild(RunCurves).plot.curves) == {run.id for run in runs}


def test_a_run_that_goes_takes_its_curve_along(
    page: ComparePage, session: Session, runs: list[Run], qtbot: QtBot
) -> None:
    runs[0].folder.rename(runs[0].folder.parents[1] / "elsewhere")
    curves = page.findChild(RunCurves).plot.curves
    until(qtbot, session, lambda: set(curves) == {run.id for run in runs[1:]})
    assert [child.run.id for child in page.findChild(RunCurves)._followers.values()] == list(curves)


def test_those_chosen_are_drawn_and_a_single_one_in_bold(page: ComparePage, runs: list[Run], qtbot: QtBot) -> None:
    view, curves = page.findChild(QTableView, "sheet"), page.findChild(RunCurves).plot.curves
    view.selectRow(1)  # the second best
    qtbot.waitUntil(lambda: [run.id for run in runs if curves[run.id].style.bold] == [runs[1].id])
    rows = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    view.selectionModel().select(view.model().index(0, 0), rows)
    qtbot.waitUntil(lambda: set(curves) == {runs[1].id, runs[2].id})
    assert not any(curve.style.bold for curve in curves.values())


def test_where_none_is_validated_it_offers_the_training_loss(session: Session, own_folders: Path, qtbot: QtBot) -> None:
    run = Run.create(own_folders / "runs", find_preset("nano-decoder").config([]), "young")
    write_events(run, STARTED, stepped(1, 1.0))
    write_status(run, RunState.RUNNING, step=1, loss=4.0)
    page = ComparePage(session)
    qtbot.addWidget(page)
    page.show()
    button = page.findChild(QPushButton, "action_draw_training_loss")
    until(qtbot, session, button.isVisible)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert not button.isVisible()
    until(qtbot, session, lambda: points(page, run) == ([1], [4]))
    assert not page.findChild(LossByOption).isVisible(), "a single run differs from none"


def test_the_loss_over_the_option_in_which_they_differ(
    page: ComparePage, session: Session, runs: list[Run], qtbot: QtBot
) -> None:
    scatter = page.findChild(Scatter)
    qtbot.waitUntil(lambda: len(scatter.points) == 3)
    found = {point.key: (point.x, point.y) for point in scatter.points}  # not far enough apart for a logarithmic axis
    assert found == {run.id: (rate, 2.0 - n / 10) for n, (run, rate) in enumerate(zip(runs[:3], RATES, strict=False))}
    write_status(runs[3], RunState.RUNNING, step=3, loss=3.0)
    add_checkpoint(runs[3], 3, 2.5)
    until(qtbot, session, lambda: len(scatter.points) == 4)
    assert [point.x for point in sorted(scatter.points, key=lambda point: point.x)] == pytest.approx(np.log10(RATES))
    assert page.findChild(QLabel, "by_option_strength").text() == "ρ = 0.20"
    best = next(dot for dot in scatter.dots.points() if dot.data().key == runs[2].id)
    scatter.dots.sigClicked.emit(scatter.dots, [best], None)
    assert session.run_id == runs[2].id
    qtbot.waitUntil(lambda: scatter.marked == runs[2].id)
    assert best.data().words == f"{runs[2].label}\nLearning rate: 0.01\nValidation loss: 1.8"


def test_of_runs_that_do_not_learn_from_the_same_tokens_it_says_so(
    page: ComparePage, session: Session, own_folders: Path, qtbot: QtBot
) -> None:
    other = Run.create(own_folders / "runs", find_preset("nano-decoder").config(["data.max_examples=50"]), "fewer")
    write_status(other, RunState.RUNNING, step=20, loss=3.0)
    add_checkpoint(other, 20, 0.5)
    strength = page.findChild(QLabel, "by_option_strength")
    until(qtbot, session, lambda: strength.text() == "not the same tokens")
    assert "do not learn from the same tokens" in strength.toolTip()


def test_runs_with_different_tokenizers_are_drawn_by_their_bits_per_byte(
    page: ComparePage, session: Session, runs: list[Run], own_folders: Path, qtbot: QtBot
) -> None:
    other = Run.create(own_folders / "runs", find_preset("nano-decoder").config(["tokenizer.kind=byte"]), "bytes")
    write_status(other, RunState.RUNNING, step=20, loss=3.0)
    add_checkpoint(other, 20, 0.5, bits_per_byte=2.25)
    scatter = page.findChild(Scatter)
    until(qtbot, session, lambda: [(point.key, point.y) for point in scatter.points] == [(other.id, 2.25)])
    assert scatter.points[0].words.endswith("Bits per byte: 2.25")


def test_all_dots_are_on_show_until_the_view_is_moved(
    page: ComparePage, session: Session, runs: list[Run], qtbot: QtBot
) -> None:
    scatter = page.findChild(Scatter)
    shown = scatter.chart.box.viewRange
    qtbot.waitUntil(lambda: len(scatter.points) == 3)
    write_status(runs[2], RunState.RUNNING, step=3, loss=3.0)
    add_checkpoint(runs[2], 3, 0.5)
    until(qtbot, session, lambda: shown()[1][0] < 0.5)
    scatter.chart.box.setRange(yRange=(0, 1), padding=0)
    scatter.chart.moved.emit()
    write_status(runs[2], RunState.RUNNING, step=3, loss=3.0)
    add_checkpoint(runs[2], 3, -5.0)
    until(qtbot, session, lambda: any(point.y == -5 for point in scatter.points))
    assert shown()[1] == [0, 1]
    scatter.chart.reset_wanted.emit()
    assert shown()[1][0] < -5


def test_it_is_exported(page: ComparePage, qtbot: QtBot, tmp_path: Path) -> None:
    panel = page.findChild(LossByOption)
    qtbot.waitUntil(lambda: len(panel.scatter.points) == 3)
    lines = panel.exporter.save(tmp_path / "loss.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "id,run,training.learning_rate,validation_loss"
    assert len(lines) == 4
    assert b"Validation loss by Learning rate" in panel.exporter.save(tmp_path / "loss.svg").read_bytes()
    assert panel.exporter.save(tmp_path / "loss.png").stat().st_size > 1000


@pytest.mark.parametrize("what", [LOSSES[TRAINING], "macro F1"])
def test_what_is_drawn_is_remembered(page: ComparePage, session: Session, qtbot: QtBot, what: str) -> None:
    draw(page, what, "seconds")
    another = ComparePage(session)
    qtbot.addWidget(another)
    another.show()
    chosen = another.findChild(QComboBox, "field_curves_what")
    qtbot.waitUntil(lambda: chosen.currentText() == what)  # a metric, once a run is known to have it
    assert another.findChild(Segments, "curves_by").value == "seconds"


def test_without_runs_it_says_what_to_do(session: Session, qtbot: QtBot) -> None:
    page = ComparePage(session)
    qtbot.addWidget(page)
    page.show()
    with qtbot.waitSignal(session.page_wanted) as wanted:
        qtbot.mouseClick(page.findChild(QPushButton, "action_home_from_compare"), Qt.MouseButton.LeftButton)
    assert wanted.args == ["home"]


def test_its_acts_have_keys(page: ComparePage, qtbot: QtBot) -> None:
    with qtbot.waitActive(page):
        page.activateWindow()
    page.setFocus()
    qtbot.keyClick(page, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    line = page.findChild(QLineEdit, "field_filter_sheet")
    qtbot.waitUntil(line.hasFocus)
    qtbot.keyClicks(line, "=0.01")
    assert page.findChild(RunSheet).rows.rowCount() == 1
