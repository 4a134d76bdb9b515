"""Live plots: honest curves, gaps, logarithms, links, and a million points."""

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot

from app.bidirectional import isolated
from app.theme import DARK, LIGHT, apply_theme, theme
from app.widgets.curve import CurveStyle
from app.widgets.live_plot import LivePlot
from app.widgets.series import Series, decimate, exponential_average


@pytest.fixture
def plot(qtbot) -> LivePlot:
    widget = LivePlot(title="Loss", objectName="plot_loss")
    qtbot.addWidget(widget)
    widget.resize(500, 260)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


@pytest.mark.parametrize("smoothing", [0.0, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 1000])
def test_the_fast_average_is_the_plain_one(smoothing: float, length: int) -> None:
    y = np.random.default_rng(0).normal(size=length)
    y[length // 3 : length // 3 + length // 10] = np.nan
    expected, average, appended, extended = [], None, Series(smoothing), Series(smoothing)
    for x, value in enumerate(y):
        if np.isnan(value):
            expected.append(np.nan)
        else:
            average = value if average is None else smoothing * average + (1 - smoothing) * value
            expected.append(average)
        appended.append(x, value)
    assert np.allclose(exponential_average(y, smoothing), expected, equal_nan=True)
    assert np.allclose(appended.smoothed, expected, equal_nan=True)
    for start in range(0, length, 37):
        extended.extend(np.arange(start, min(start + 37, length)), y[start : start + 37])
    assert np.allclose(extended.smoothed, expected, equal_nan=True)
    assert np.array_equal(extended.y, y, equal_nan=True)


def test_decimation_keeps_every_peak_and_wide_gaps() -> None:
    y = np.zeros(100_000)
    y[12_345], y[54_321] = 9, -7
    y[70_000:80_000] = np.nan
    x, kept = decimate(np.arange(100_000.0), y, 0, 1e5, 300)
    assert len(x) == len(kept) <= 602
    assert (np.nanmax(kept), np.nanmin(kept)) == (9, -7)
    assert np.isnan(kept).any()
    few = decimate(np.arange(10.0), np.arange(10.0), 3, 5, 300)
    assert few[0].tolist() == [2, 3, 4, 5, 6]


def test_a_curve_over_a_part_of_the_range_has_its_part_of_the_columns() -> None:
    y = np.random.default_rng(0).random(10_000)
    assert len(decimate(np.arange(10_000.0), y, 0, 1e5, 300)[0]) <= 62
    assert len(decimate(np.arange(10_000.0), y, 0, 1e4, 300)[0]) > 500


def test_points_out_of_order_are_put_in_order() -> None:
    series = Series()
    for x in (5, 1, 3):
        series.append(x, x * 10)
    assert series.x.tolist() == [1, 3, 5]
    assert series.y.tolist() == [10, 30, 50]
    assert [series.nearest(x) for x in (-9, 1.9, 2.1, 99)] == [0, 0, 1, 2]
    assert Series().nearest(3) is None
    series.extend(np.array([2.0, 9.0]), np.array([20.0, 90.0]))
    assert series.y.tolist() == [10, 20, 30, 50, 90]
    with pytest.raises(ValueError, match="does not fit"):
        series.set(np.zeros(2), np.zeros(3))


def test_training_is_blue_with_its_raw_line_faint_and_validation_orange_with_points(plot: LivePlot, qapp) -> None:
    apply_theme(qapp, "light")
    plot.set_series("training", np.arange(100), np.random.default_rng(0).random(100))
    plot.append("validation", 50, 0.5)
    plot.redraw()
    training, validation = plot.curves["training"], plot.curves["validation"]
    assert training.line.opts["pen"].color().name() == LIGHT.training
    assert training.raw.opts["pen"].color().alphaF() < 0.5
    assert len(training.raw.xData) == 100
    assert validation.dots.data["x"].tolist() == [50]  # a single point shows
    apply_theme(qapp, "dark")
    assert validation.line.opts["pen"].color().name() == DARK.validation


def test_the_view_follows_until_moved_by_hand_and_again_after_reset(plot: LivePlot, qtbot) -> None:
    plot.set_series("training", [0, 10], [1, 2])
    plot.redraw()
    assert plot.chart.box.viewRange()[0][1] == pytest.approx(10.2)
    plot.chart.box.setXRange(2, 4, padding=0)
    plot.chart.moved.emit()
    plot.append("training", 100, 3)
    plot.redraw()
    assert plot.chart.box.viewRange()[0] == pytest.approx([2, 4])
    qtbot.mouseClick(plot.reset, Qt.MouseButton.LeftButton)
    plot.redraw()
    assert plot.chart.box.viewRange()[0][1] == pytest.approx(102)


def test_no_outlier_is_clipped(plot: LivePlot) -> None:
    y = np.ones(5000)
    y[2500] = 1e6
    plot.set_series("training", np.arange(5000), y)
    plot.redraw()
    assert plot.chart.box.viewRange()[1][1] >= 1e6


def test_logarithms_leave_out_what_has_none(plot: LivePlot, qtbot) -> None:
    plot.set_series("gradient", [0, 1, 2, 3], [100, 0, -5, 1])
    qtbot.keyClick(plot, Qt.Key.Key_L)
    plot.redraw()
    drawn = plot.curves["gradient"].line.yData
    assert drawn[[0, 3]].tolist() == [2, 0]
    assert np.isnan(drawn[1:3]).all()
    assert plot.chart.axes["left"].logMode


def test_logarithms_of_large_numbers_are_drawn_at_once(plot: LivePlot, qtbot) -> None:
    """Before the plot has found its range, a number may be taken for its logarithm."""
    plot.set_series("speed", [0, 1, 2], [20_000, 21_000, 22_000])
    plot.redraw()
    plot.chart.axes["left"].setLogMode(False, True)
    assert plot.chart.axes["left"].tickStrings([-400.0, 3.0, 21_000.0], 1.0, 1.0) == ["0", "1000", ""]
    plot.grab()


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.08, 0.9, [0.1, 0.2, 0.5]),
        (0.003, 0.04, [0.005, 0.01, 0.02]),
        (1.9, 8.5, [2, 3, 4, 5, 6, 8]),
        (0.0045, 0.0145, [0.005, 0.006, 0.007, 0.01]),
        (0.9, 110, [1, 2, 5, 10, 20, 50, 100]),
    ],
)
def test_of_a_decade_few_numbers_are_told(plot: LivePlot, low: float, high: float, ticks: list[float]) -> None:
    axis = plot.chart.axes["left"]
    axis.setLogMode(False, True)
    levels = axis.tickValues(np.log10(low), np.log10(high), 100)
    told = sorted({round(10**value, 6) for _, values in levels for value in values})
    assert told == ticks


def test_the_crosshair_stops_at_steps_and_tells_their_values(plot: LivePlot, qtbot) -> None:
    plot.set_series("training", [0, 10, 20], [3, 2, 1])
    plot.set_series("planned", [0, 10, 20, 30], [1, 1, 1, 1])
    plot.show_crosshair(12)
    assert plot.chart.crosshair.value() == 10
    assert plot.chart.crosshair.label.toPlainText() == "step 10"
    assert plot.curves["training"].button.text() == "training 2"
    plot.show_crosshair(None)
    plot.redraw()
    assert plot.curves["training"].button.text() == "training 1"
    qtbot.keyClick(plot, Qt.Key.Key_Right)
    assert plot.chart.crosshair.isVisible()


def test_the_keys_go_from_point_to_point_however_far_apart_and_zoom(plot: LivePlot, qtbot: QtBot) -> None:
    plot.set_series("training", [0, 500, 600, 1000], [4, 3, 2, 1])
    plot.redraw()
    low, high = plot.chart.x_range
    left, right = Qt.Key.Key_Left, Qt.Key.Key_Right
    for key, step in ((right, 600), (right, 1000), (left, 600), (left, 500)):
        qtbot.keyClick(plot, key)
        assert plot.chart.crosshair.value() == step
    assert plot.accessibleDescription() == "step 500: training 3"
    qtbot.keyClick(plot, Qt.Key.Key_Plus)
    assert np.allclose(plot.chart.x_range, (500 - (500 - low) / 1.25, 500 + (high - 500) / 1.25))
    qtbot.keyClick(plot, Qt.Key.Key_Minus)
    assert np.allclose(plot.chart.x_range, (low, high))
    plot.point_at(None)
    plot.redraw()
    assert plot.accessibleDescription() == "training 1"


def test_a_plot_that_hears_the_keys_is_framed(plot: LivePlot, qtbot: QtBot) -> None:
    with qtbot.waitActive(plot):
        plot.activateWindow()
    for framed in (True, False):
        (plot if framed else plot.log).setFocus()
        assert (plot.chart.box.border.color().name() == theme().accent) == framed


def test_the_tab_key_comes_to_the_legend_before_the_next_plot(plot: LivePlot, qtbot: QtBot) -> None:
    other = LivePlot(plot)
    for name in ("training", "validation"):
        plot.add_series(name)
    widgets = [plot.export]
    while widgets[-1] is not other:
        widgets.append(widgets[-1].nextInFocusChain())
    buttons = [plot.curves[name].button for name in ("training", "validation")]
    assert [widget for widget in widgets if widget in buttons] == buttons


def test_a_small_plot_has_room_for_its_title(qtbot: QtBot) -> None:
    plot = LivePlot(title="Gradient norm")
    qtbot.addWidget(plot)
    plot.resize(190, 140)
    plot.show()
    qtbot.waitUntil(lambda: plot.heading.width() >= plot.heading.sizeHint().width())
    next(action for action in plot.actions() if "Logarithmic" in action.text()).trigger()
    assert plot.log.isChecked()
    plot.resize(400, 140)
    assert plot.log.isVisible()


def test_a_legend_button_hides_its_curve(plot: LivePlot, qtbot) -> None:
    plot.set_series("training", [0, 1], [3, 2])
    button = plot.curves["training"].button
    assert button.objectName() == "plot_loss_legend_training"
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    plot.redraw()
    assert not len(plot.curves["training"].line.xData)


def test_an_ampersand_in_a_title_is_shown_and_is_no_key(plot: LivePlot) -> None:
    button = plot.add_series("run", title="Q&A").button
    assert (button.text(), button.accessibleName(), button.shortcut().isEmpty()) == ("Q&&A", "Q&A", True)
    plot.set_series("run", [0, 1], [3, 2])
    plot.redraw()
    assert button.text() == "Q&&A 2"


def test_linked_plots_share_steps_and_crosshair(plot: LivePlot, qtbot) -> None:
    other, third = LivePlot(title="Rate"), LivePlot(title="Speed")
    for linked in (other, third):
        qtbot.addWidget(linked)
        linked.link_x(plot)
    plot.set_series("training", [0, 100], [1, 2])
    other.set_series("planned", [0, 200], [1, 2])
    third.set_series("speed", [0, 50], [1, 2])
    for each in (plot, other, third):
        each.redraw()
    ends = {round(each.chart.box.viewRange()[0][1]) for each in (plot, other, third)}
    assert ends == {204}
    other.point_at(100)
    assert plot.chart.crosshair.value() == 100
    assert third.chart.crosshair.value() == 50


def test_of_a_long_plan_no_more_is_shown_than_lets_the_curve_be_seen(plot: LivePlot, qtbot: QtBot) -> None:
    rate = LivePlot(title="Rate")
    qtbot.addWidget(rate)
    rate.link_x(plot)
    rate.set_series("planned", [0, 100_000], [1, 2])
    plot.redraw()
    assert plot.chart.x_range[1] > 100_000, "before the first step it is the whole plan"
    plot.set_series("training", [0, 100], [1, 2])
    plot.redraw()
    assert plot.chart.x_range == (-8, 408)
    plot.set_series("training", [0, 50_000], [1, 2])
    plot.redraw()
    assert plot.chart.x_range[1] == 102_000


@pytest.mark.parametrize("width", [240, 330, 480])
@pytest.mark.parametrize("last", [120, 40_000, 100_000])
def test_the_numbers_below_a_plot_stand_at_equal_steps_and_do_not_touch(plot: LivePlot, last: int, width: int) -> None:
    plot.resize(width, 160)
    plot.set_series("training", [0, last], [1, 2])
    plot.redraw()
    picture = plot.grab()
    painter = QPainter(picture)
    _, _, told = plot.chart.axes["bottom"].generateDrawSpecs(painter)
    painter.end()
    numbers = [float(text.replace(",", "")) for _, _, text in told if text]
    assert len({after - before for before, after in pairwise(numbers)}) == 1
    places = [rect for rect, _, text in told if text]
    assert all(before.right() < after.left() for before, after in pairwise(places))


def test_of_numbers_that_would_stand_upon_each_other_the_first_is_told(plot: LivePlot) -> None:
    axis = plot.chart.axes["bottom"]
    axis.setTicks([[(float(text), text) for text in ("60", "2000", "2001", "2900")]])
    for low, high, expected in ((0, 3000, ["60", "2000", "2900"]), (1999, 2002, ["2000", "2001"])):
        plot.chart.show_x(low, high)
        picture = plot.grab()
        painter = QPainter(picture)
        _, _, told = axis.generateDrawSpecs(painter)
        painter.end()
        assert [text for *_, text in told] == expected


def test_labels_of_markers_never_stand_upon_each_other(plot: LivePlot, qtbot: QtBot) -> None:
    plot.chart.show_x(0, 1000)
    for x, words in ((300, "loss spike"), (305, "warning"), (310, "loss spike"), (800, "failed")):
        plot.add_marker(x, words, "bad")
    labels = [line.label for line, _ in plot.chart.markers]
    qtbot.waitUntil(lambda: not all(label.isVisible() for label in labels))
    assert [label.isVisible() for label in labels] == [True, True, False, True], "the same words are there once"
    places = [
        label.mapRectToScene(label.boundingRect()).adjusted(1, 1, -1, -1) for label in labels if label.isVisible()
    ]
    assert not any(place.intersects(other) for place, other in combinations(places, 2))
    plot.chart.show_x(299, 311)
    assert [label.isVisible() for label in labels][:3] == [True, True, True]
    assert len({label.orthoPos for label in labels}) == 1, "there is room beside each other"


def test_markers_series_and_the_table_come_and_go(plot: LivePlot) -> None:
    plot.add_marker(5, "resumed", "warning")
    plot.add_series("head 1", CurveStyle(colour="#123456"), title="Head 1")
    plot.set_series("head 1", [1, 2], [5, 6])
    plot.append("training", 2, 7)
    assert list(plot.table()) == [["step", "Head 1", "training"], (1.0, 5.0, ""), (2.0, 6.0, 7.0)]
    assert len({plot.add_series(f"run {i}").colour.name() for i in range(8)}) == 8
    plot.clear()
    plot.redraw()
    assert list(plot.table()) == [["step"]]


def test_curves_of_the_same_title_have_columns_of_their_own(plot: LivePlot) -> None:
    for name, title in (("one", "nano"), ("two", "nano"), ("three", "other")):
        plot.add_series(name, title=title)
        plot.append(name, 1, 5)
    assert next(iter(plot.table())) == ["step", "nano (one)", "nano (two)", "other"]


def test_of_a_million_points_no_more_are_drawn_than_the_plot_has_columns(plot: LivePlot) -> None:
    plot.set_series("training", np.arange(1e6), np.random.default_rng(0).random(1_000_000))
    plot.set_smoothing(0.95)
    plot.redraw()
    for step in range(5):
        plot.append("training", 1e6 + step, 0.5)
        plot.redraw()
        assert 50 < len(plot.curves["training"].line.xData) <= plot.chart.box.width() + 2


def test_the_legend_cuts_a_long_title_and_tells_it_when_asked(plot: LivePlot) -> None:
    title = "a title that says " + "very " * 20 + "much"
    curve = plot.add_series("long", title=title)
    assert curve.button.sizeHint().width() < 300
    assert curve.button.text().startswith(isolated("a title that")[:8])
    assert title in curve.button.toolTip()


def test_an_exported_legend_has_as_many_lines_as_it_needs(plot: LivePlot, tmp_path: Path) -> None:
    plot.resize(600, 300)
    for number in range(6):
        plot.add_series(f"run {number}", title=f"a run of a sweep with a long name, seed={number}")
    image = QImage(str(plot.exporter.save(tmp_path / "runs.png"))).convertToFormat(QImage.Format.Format_RGBA8888)
    pixels = np.asarray(image.constBits()).reshape(image.height(), image.width(), 4).astype(int)[..., :3]
    for curve in plot.curves.values():  # none has a point: only its title has its colour
        assert (np.abs(pixels - curve.colour.getRgb()[:3]).max(axis=2) < 30).any(), curve.title


def test_a_narrow_plot_wraps_its_legend(plot: LivePlot, qtbot) -> None:
    for name in ("training", "validation", "planned", "another one", "and another"):
        plot.set_series(name, [0, 1], [0.123456, 1.23456])
    plot.redraw()
    assert plot.minimumSizeHint().width() < 260
    qtbot.waitUntil(lambda: plot.legend.heightForWidth(200) > plot.legend.heightForWidth(2000))
    plot.remove_series("and another")
    assert plot.legend.count() == 4


def test_a_plot_that_nobody_sees_draws_only_when_shown(qtbot) -> None:
    plot = LivePlot(title="Loss")
    qtbot.addWidget(plot)
    plot.append("training", 0, 1.0)
    plot._on_frame()
    assert not len(plot.curves["training"].line.xData)
    plot.show()
    qtbot.waitUntil(lambda: len(plot.curves["training"].line.xData) == 1)
