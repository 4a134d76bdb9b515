"""Messages, empty pages, folded sections, bars, histograms, small curves."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from app.theme import DARK, LIGHT, apply_theme
from app.widgets.bars import ROW, ProbabilityBars
from app.widgets.combo import ElidedCombo
from app.widgets.elided_label import ElidedLabel
from app.widgets.empty_state import EmptyState
from app.widgets.error_bar import LEVELS, ErrorBar
from app.widgets.focus import show_instead
from app.widgets.histogram import Histogram
from app.widgets.section import FoldedSection
from app.widgets.spark_line import draw_spark_line


@pytest.mark.parametrize("level", LEVELS)
def test_a_message_unfolds_copies_and_goes(qtbot, level: str) -> None:
    bar = ErrorBar(objectName="notice")
    qtbot.addWidget(bar)
    assert bar.isHidden()
    bar.show_message(level, "The disk is full.", "Traceback …")
    assert bar.sentence.text() == bar.accessibleDescription() == "The disk is full."
    assert bar.details.isHidden()
    qtbot.mouseClick(bar.more, Qt.MouseButton.LeftButton)
    assert not bar.details.isHidden()
    qtbot.mouseClick(bar.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "The disk is full.\n\nTraceback …"
    with qtbot.waitSignal(bar.dismissed):
        qtbot.keyClick(bar, Qt.Key.Key_Escape)
    assert bar.isHidden()
    bar.show_message(level, "Again.")
    assert bar.more.isHidden()


def test_a_message_is_said_as_it_comes_up(qtbot, monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()
    monkeypatch.setattr("app.widgets.error_bar.announce", lambda widget, words: said.append(words))
    bar = ErrorBar()
    qtbot.addWidget(bar)
    bar.show_message("error", "The disk is full.")
    bar.offer("It was deleted.", "Undo", lambda: None)
    bar.dismiss()
    assert said == ["The disk is full.", "It was deleted.", "The disk is full."]


def test_markup_in_a_message_is_shown_as_it_is(qtbot) -> None:
    bar = ErrorBar()
    qtbot.addWidget(bar)
    bar.show_message("error", "<b>no.txt</b>")
    assert bar.sentence.textFormat() is Qt.TextFormat.PlainText
    with pytest.raises(ValueError, match="fatal"):
        bar.show_message("fatal", "x")


def test_a_message_offers_one_act_and_goes_with_it(qtbot) -> None:
    bar, done = ErrorBar(objectName="notice"), []
    qtbot.addWidget(bar)
    bar.offer("A run was deleted.", "Undo", lambda: done.append("undone"))
    assert bar.act.text() == "Undo"
    qtbot.mouseClick(bar.act, Qt.MouseButton.LeftButton)
    assert done == ["undone"]
    assert bar.isHidden()
    bar.offer("A run was deleted.", "Undo", lambda: done.append("again"))
    bar.show_message("error", "Another message.")
    assert bar.act.isHidden()


def test_a_long_line_ends_in_dots_and_needs_no_room(qtbot) -> None:
    label = ElidedLabel("a very long label " * 20)
    qtbot.addWidget(label)
    assert label.toolTip() == label.text()
    assert label.minimumSizeHint().width() < 80
    assert ElidedLabel("ab").minimumSizeHint().width() < label.minimumSizeHint().width()
    label.resize(100, 20)
    elided = label.grab().toImage()
    label.setText("a very long label that goes on in another way")
    assert label.grab().toImage() == elided
    label.setText("a very")
    assert label.grab().toImage() != elided


def test_an_empty_page_shows_its_whole_sentence(qtbot) -> None:
    page = EmptyState(icon_name="chart-line", heading="No run", sentence="A long sentence. " * 9, action="Start")
    qtbot.addWidget(page)
    for width in (260, 500, 1200):
        page.resize(width, 500)
        page.show()
        assert page.sentence.height() >= page.sentence.heightForWidth(page.sentence.width())
        assert page.sentence.geometry().bottom() < page.action.geometry().top()


def test_an_empty_page_offers_what_to_do(qtbot) -> None:
    page = EmptyState(icon_name="chart-line", heading="No run", sentence="Start one.", action="Start", action_name="go")
    qtbot.addWidget(page)
    with qtbot.waitSignal(page.action_triggered):
        qtbot.mouseClick(page.action, Qt.MouseButton.LeftButton)
    assert page.action.objectName() == "go"
    silent = EmptyState(icon_name="chart-line", heading="No run", sentence="Start one.")
    qtbot.addWidget(silent)
    assert silent.action.isHidden()


def test_a_section_folds_and_remembers(qtbot) -> None:
    section = FoldedSection("More", objectName="section_more")
    qtbot.addWidget(section)
    section.set_content(QLabel("inside"))
    assert section.folded
    assert section.body.isHidden()
    with qtbot.waitSignal(section.folded_changed) as caught:
        qtbot.mouseClick(section.button, Qt.MouseButton.LeftButton)
    assert caught.args == [False]
    assert not section.body.isHidden()
    section.set_folded(True)
    assert section.body.isHidden()


def test_bars_are_chosen_by_mouse_and_keyboard(qtbot) -> None:
    bars = ProbabilityBars()
    qtbot.addWidget(bars)
    bars.set_bars([("Hungarian", 0.9), ("Finnish", 0.1)], highlighted=0)
    bars.resize(300, 60)
    assert bars.accessibleDescription() == "Hungarian 90.0 %, Finnish 10.0 %"
    chosen: list[int] = []
    bars.clicked.connect(chosen.append)
    qtbot.mouseClick(bars, Qt.MouseButton.LeftButton, pos=QPoint(50, ROW + 5))
    qtbot.keyClick(bars, Qt.Key.Key_Down)
    qtbot.keyClick(bars, Qt.Key.Key_Down)
    qtbot.keyClick(bars, Qt.Key.Key_Return)
    assert chosen == [1, 1]
    assert not bars.grab().isNull()


@pytest.mark.parametrize("step", [1, 2, 5])
def test_what_just_fits_is_drawn_as_what_fits(qtbot, step) -> None:
    histogram = Histogram()
    qtbot.addWidget(histogram)
    limit = 60
    histogram.set_limit(limit)
    histogram.set_lengths([0, 1, limit, limit + 1])
    area = QRectF(0, 0, 6 * 70 / step, 100)
    _, width, bins = histogram._bins(area)
    assert width == step
    assert bins[: limit // step].sum() == 3
    assert bins[limit // step :].sum() == 1


def test_the_histogram_says_what_it_shows(qtbot) -> None:
    histogram = Histogram(noun="phrases", measure="characters")
    qtbot.addWidget(histogram)
    assert histogram.sentence == "No phrases yet."
    assert not histogram.grab().isNull()
    histogram.set_lengths(np.array([10] * 97 + [100] * 3))
    assert histogram.sentence == "100 phrases, half of them up to 10 characters."
    histogram.set_limit(64)
    assert histogram.sentence == "3.0 % of 100 phrases are longer than the context of 64 characters."
    histogram.set_limit(100)
    assert histogram.sentence == "All 100 phrases fit the context of 100 characters."


@pytest.mark.parametrize("lengths", [[0], [1], [5] * 9, range(100_000), [1, 1_000_000]])
def test_no_length_is_lost_between_the_bars(qtbot, lengths) -> None:
    histogram = Histogram()
    qtbot.addWidget(histogram)
    histogram.set_lengths(list(lengths))
    histogram.set_limit(64)
    _, step, bins = histogram._bins(QRectF(0, 0, 300, 100))
    assert bins.sum() == len(lengths)
    assert step * len(bins) > max(lengths)
    assert not histogram.grab().isNull()


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])
def test_a_small_curve_draws_each_line_in_its_colour(qapp, look) -> None:
    apply_theme(qapp, look.name)
    for training in (((), ()), ((1,), (2.0,)), (range(5000), [float("nan")] * 2500 + [1.0] * 2500)):
        image = QImage(100, 30, QImage.Format.Format_RGB32)
        image.fill(QColor(look.surface))
        painter = QPainter(image)
        draw_spark_line(painter, QRectF(image.rect()), training, ([2, 3], [1.0, 0.5]))
        painter.end()
        pixels = np.array([image.pixelColor(x, y).getRgb()[:3] for x in range(100) for y in range(30)])
        for colour, there in ((look.validation, True), (look.training, len(training[0]) > 0)):
            nearest = np.abs(pixels - QColor(colour).getRgb()[:3]).sum(1).min()
            assert (nearest < 150) == there  # smoothed edges are paler


def test_a_choice_without_room_ends_in_an_ellipsis(qtbot) -> None:
    combo = ElidedCombo(placeholderText="a placeholder that is far too long")
    qtbot.addWidget(combo)
    combo.setSizeAdjustPolicy(ElidedCombo.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.addItems(["short", "a choice whose words need far more room than there is"])
    combo.resize(160, 28)
    combo.show()
    combo.setCurrentIndex(0)
    assert combo.shown_text() == "short"
    combo.setCurrentIndex(1)
    assert combo.shown_text().startswith("a choice")
    assert combo.shown_text().endswith("…")
    combo.setCurrentIndex(-1)
    assert combo.shown_text().startswith("a place")
    combo.resize(600, 28)
    assert combo.shown_text() == "a placeholder that is far too long"
    assert not combo.grab().isNull()


def test_what_takes_the_place_of_a_button_hears_the_keys(qtbot) -> None:
    window = QWidget()
    row = QHBoxLayout(window)
    go, beside, stop = (QPushButton(name) for name in ("Go", "Beside", "Stop"))
    for button in (go, beside, stop):
        row.addWidget(button)
    stop.hide()
    qtbot.addWidget(window)
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    go.setFocus()
    show_instead([stop], [go])
    assert stop.hasFocus()
    show_instead([go], [stop])
    assert go.hasFocus()
    beside.setFocus()
    show_instead([stop], [go])
    assert (beside.hasFocus(), go.isVisible(), stop.isVisible()) == (True, False, True)
