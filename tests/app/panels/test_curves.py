"""The live curves: what the history says, a restart, the plan, and a million steps."""

import time
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QSlider
from pytestqt.qtbot import QtBot

from app.history import MEASURES, Block, History, blocks
from app.panels.curves import Curves
from app.panels.metric_plot import MetricPlot
from app.session import Session
from app.widgets.live_plot import LivePlot
from tests.app.conftest import stepped_event
from tfmcore.config import Config
from tfmcore.messages import Changed, Evaluated, Event, Failed, Started, Warned

STARTED = Started(steps=2000, parameters=1, vocab_size=2, num_train=3, num_validation=4, device="cpu", threads=1)


@pytest.fixture
def curves(session: Session, qtbot: QtBot) -> Curves:
    curves = Curves(session)
    qtbot.addWidget(curves)
    qtbot.addWidget(curves.toolbar)
    curves.resize(860, 560)
    curves.show()
    return curves


def test_the_plots_below_are_as_wide_as_the_one_above(curves: Curves, qtbot: QtBot) -> None:
    curves.show_run(History(), None)
    qtbot.waitUntil(lambda: curves.plots["speed"].geometry().right() == curves.plots["loss"].geometry().right())


def advance(curves: Curves, history: History, events: list[Event]) -> None:
    items = list(blocks(events))
    history.extend(items)
    curves.advance(history, items)


def steps(curves: Curves, plot: str, name: str = "training") -> list[float]:
    return curves.plots[plot].curves[name].series.x.tolist()


def test_every_measure_has_its_plot_and_grows(curves: Curves) -> None:
    history = History()
    curves.show_run(history, Config())
    advance(curves, history, [STARTED, stepped_event(1), stepped_event(2), Evaluated(step=2, loss=1.0)])
    advance(curves, history, [stepped_event(3), Evaluated(step=3, loss=0.9), stepped_event(4)])
    for plot in curves.plots:
        assert steps(curves, plot) == [1, 2, 3, 4]
    assert steps(curves, "loss", "validation") == [2, 3]
    assert curves.plots["speed"].curves["training"].series.y.tolist() == [768 / 0.05] * 4


def test_a_restart_draws_what_is_trained_again_once(curves: Curves) -> None:
    history = History()
    curves.show_run(history, Config())
    advance(curves, history, [STARTED, *(stepped_event(n) for n in range(1, 8)), Evaluated(step=6, loss=1.0)])
    again = STARTED.model_copy(update={"step": 5})
    advance(curves, history, [again, stepped_event(6), Evaluated(step=6, loss=0.8)])
    assert steps(curves, "loss") == [1, 2, 3, 4, 5, 6]
    assert steps(curves, "loss", "validation") == [6]


def test_the_whole_plan_is_dashed_ahead_and_the_done_part_bold(curves: Curves) -> None:
    config = Config()
    curves.show_run(History(), config)
    planned = curves.plots["learning_rate"].curves["planned"]
    assert planned.style.planned
    assert planned.series.x[[0, -1]].tolist() == [1, config.training.steps]
    assert len(planned.series.x[planned.series.x <= 100]) > 50, "its beginning is drawn as it is"
    assert planned.series.y.max() == pytest.approx(config.training.learning_rate, rel=1e-3)
    assert curves.plots["learning_rate"].curves["training"].style.bold


def test_changes_warnings_and_failures_are_marked_and_go_with_their_run(curves: Curves) -> None:
    history = History()
    curves.show_run(history, None)
    advance(curves, history, [Changed(step=3, setting="learning_rate", value=0.01), Warned(step=4, sentence="careful")])
    advance(curves, history, [Failed(step=5, sentence="the loss is nan")])
    marks = [len(curves.plots[name].chart.markers) for name in ("learning_rate", "loss")]
    assert marks == [1, 2]
    advance(curves, history, [STARTED.model_copy(update={"step": 2})])
    marks = [len(curves.plots[name].chart.markers) for name in ("learning_rate", "loss")]
    assert marks == [0, 2], "the change is void: the run goes on from before it"
    curves.show_run(History(), None)
    assert not curves.plots["loss"].chart.markers
    curves.show_run(history, None)
    assert len(curves.plots["loss"].chart.markers) == 2


def test_fp16_has_a_plot_of_its_scale_whose_steps_down_are_steps_left_out(curves: Curves, qtbot: QtBot) -> None:
    scale = curves.findChild(LivePlot, "plot_loss_scale")
    curves.show()
    curves.show_run(History(), None)
    assert not scale.isVisible()
    history = History()
    advance(curves, history, [STARTED.model_copy(update={"loss_scale": 1024.0}), *(stepped_event(n) for n in (1, 2))])
    advance(curves, history, [Changed(step=3, setting="loss_scale", value=512.0), stepped_event(4)])
    assert scale.isVisible()
    drawn = scale.curves["scale"].series
    assert list(zip(drawn.x, drawn.y, strict=True)) == [(0, 1024), (3, 1024), (3, 512), (4, 512)]
    assert not curves.plots["learning_rate"].chart.markers
    advance(curves, history, [STARTED.model_copy(update={"step": 2, "loss_scale": 1024.0}), stepped_event(3)])
    assert list(zip(drawn.x, drawn.y, strict=True)) == [(0, 1024), (2, 1024), (2, 1024), (3, 1024)]
    curves.show_run(History(), None)
    assert not scale.isVisible()


def shown(curves: Curves) -> list[LivePlot]:
    return [plot for plot in curves.findChildren(LivePlot) if plot.isVisible()]


def metrics_of(curves: Curves) -> MetricPlot:
    return curves.findChild(MetricPlot)


def test_the_metrics_that_are_shares_have_a_plot_beside_the_loss(curves: Curves, qtbot: QtBot) -> None:
    history, config = History(), Config()
    config = config.model_copy(update={"data": config.data.model_copy(update={"task": "token_tagging"})})
    curves.show_run(history, config)
    plot = metrics_of(curves)
    assert not plot.isVisible()
    found = {"accuracy": 0.9, "perplexity": 3.0, "entity_recall": 0.4, "entity_f1": 0.5}
    advance(curves, history, [STARTED, stepped_event(1), Evaluated(step=1, loss=2.0, metrics=found)])
    assert plot.isVisible()
    assert plot.names == ["entity_f1", "accuracy", "entity_recall"], "the task's own comes first"
    assert [curve.style.bold for curve in plot.curves.values()] == [True, False, False]
    assert [curve.short for curve in plot.curves.values()] == ["F1", "accuracy", "recall"]
    advance(curves, history, [Evaluated(step=2, loss=1.0, metrics=found | {"entity_f1": 0.6})])
    assert plot.curves["entity_f1"].series.y.tolist() == [0.5, 0.6]
    assert plot.chart.x_range == curves.plots["loss"].chart.x_range
    qtbot.waitUntil(lambda: plot.geometry().left() == curves.plots["speed"].geometry().left())
    qtbot.waitUntil(lambda: plot.geometry().right() == curves.plots["speed"].geometry().right())
    advance(curves, history, [STARTED])
    assert not plot.isVisible(), "what was validated is trained again"
    qtbot.waitUntil(lambda: curves.plots["loss"].geometry().right() == curves.plots["speed"].geometry().right())


def test_what_the_best_checkpoint_was_validated_with_is_ringed(curves: Curves, qtbot: QtBot) -> None:
    history = History()
    curves.show_run(history, None)
    curves.show_best(20)
    advance(curves, history, [STARTED, Evaluated(step=10, loss=2.0, metrics={"accuracy": 0.5})])
    assert "best" not in curves.plots["loss"].curves
    advance(curves, history, [Evaluated(step=20, loss=1.0, metrics={"accuracy": 0.75})])
    advance(curves, history, [Evaluated(step=30, loss=1.5, metrics={"accuracy": 0.7})])
    for plot, value in ((curves.plots["loss"], 1.0), (metrics_of(curves), 0.75)):
        best = plot.curves["best"]
        assert (best.series.x.tolist(), best.series.y.tolist(), best.style.ring) == ([20], [value], True)
    curves.show_best(30)
    assert steps(curves, "loss", "best") == [30]
    qtbot.waitUntil(lambda: curves.plots["loss"].curves["best"].button.text() == "best 1.5")
    curves.show_best(None)
    assert "best" not in curves.plots["loss"].curves
    assert "best" not in metrics_of(curves).curves


def test_four_plots_below_share_the_width(curves: Curves, qtbot: QtBot) -> None:
    history = History()
    curves.show_run(history, None)
    started = STARTED.model_copy(update={"loss_scale": 1024.0})
    advance(curves, history, [started, stepped_event(1), Evaluated(step=1, loss=2.0, metrics={"accuracy": 0.5})])
    assert len(shown(curves)) == 6
    scale, loss = curves.findChild(LivePlot, "plot_loss_scale"), curves.plots["loss"]
    qtbot.waitUntil(lambda: scale.geometry().left() == metrics_of(curves).geometry().left())
    assert loss.geometry().right() == curves.plots["speed"].geometry().right()


def test_the_slider_smooths_all_plots(curves: Curves) -> None:
    curves.toolbar.findChild(QSlider, "field_smoothing").setValue(50)
    assert {plot.smoothing for plot in curves.plots.values()} == {0.5}


def test_an_export_that_fails_is_said(curves: Curves, session: Session, qtbot: QtBot, tmp_path: Path) -> None:
    with qtbot.waitSignal(session.notified) as said:
        curves.plots["loss"].exporter._on_file_selected(str(tmp_path / "no" / "loss.csv"))
    assert "could not be written" in said.args[1]


def test_a_block_after_a_million_steps_takes_a_frame(curves: Curves) -> None:
    history = History()
    curves.show_run(history, None)
    noise = np.random.default_rng(0).random((1_000_000, len(MEASURES)))
    items: list[Block] = [Block(np.arange(1.0, 1_000_001), noise)]
    history.extend(items)
    curves.advance(history, items)
    times = []
    for number in range(5):
        first = 1_000_001 + number * 5000
        items = [Block(np.arange(first, first + 5000.0), noise[:5000])]
        start = time.thread_time()
        history.extend(items)
        curves.advance(history, items)
        for plot in curves.plots.values():
            plot.redraw()
        times.append(time.thread_time() - start)
    assert min(times) < 0.05
    assert len(curves.plots["loss"].curves["training"].series.x) == 1_025_000
