"""The Inspect page: thumbnails, map, lines and the pinned row, for every kind of attention and for long texts."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.pages.inspect import InspectPage
from app.session import Session
from app.widgets.attention_arcs import AttentionArcs
from app.widgets.bars import ProbabilityBars
from app.widgets.heat_map import HeatMap
from app.widgets.thumbnails import ThumbnailGrid
from app.widgets.token_strip import TokenStrip
from tests.app.fake_engine import FakeEngine, connect, edges, open_preset
from tfmcore.messages import Inspect, Thumbnails, ViewAttention

TEXT = "on Tuesday at noon in town"
LONG = " ".join(f"w{number}" for number in range(4095))


@pytest.fixture
def engine(session: Session) -> FakeEngine:
    return connect(session, FakeEngine(("encoder", "decoder", "cross")))


@pytest.fixture
def page(session: Session, engine: FakeEngine, qtbot: QtBot) -> InspectPage:
    page = InspectPage(session)
    qtbot.addWidget(page)
    page.resize(1196, 720)
    page.show()
    qtbot.waitExposed(page)
    return page


@pytest.fixture
def inspected(page: InspectPage, session: Session, engine: FakeEngine, qtbot: QtBot) -> InspectPage:
    """A translator whose TEXT has been inspected."""
    open_preset(session, "translate-phrases")
    page._pinned.show_text(TEXT, "délben a városban")
    qtbot.mouseClick(page.findChild(QPushButton, "action_inspect"), Qt.MouseButton.LeftButton)
    settle(page, engine, qtbot)
    return page


@pytest.fixture
def long(page: InspectPage, session: Session, engine: FakeEngine, qtbot: QtBot) -> InspectPage:
    """A decoder with one layer that has read 4,096 tokens."""
    engine.kinds, engine.layers, engine.heads = ("decoder",), 1, 2
    open_preset(session, "write-manual")
    session.pin(LONG)
    settle(page, engine, qtbot)
    return page


def settle(page: InspectPage, engine: FakeEngine, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: bool(engine.asked) and not engine.busy)


def heat_map(page: InspectPage) -> HeatMap:
    return page.findChild(HeatMap, "attention")


def wheel(widget: QWidget, at: QPointF, delta: int) -> None:
    none = Qt.MouseButton.NoButton
    event = QWheelEvent(
        at, widget.mapToGlobal(at), QPoint(), QPoint(0, delta), none, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)


def test_without_a_model_and_without_a_text_it_says_what_to_do(
    page: InspectPage, session: Session, engine: FakeEngine, qtbot: QtBot
) -> None:
    assert page.findChild(QWidget, "no_model_inspect").isVisible()
    open_preset(session, "translate-phrases")
    assert page.findChild(QWidget, "inspect_empty").isVisible()
    assert not engine.asked
    qtbot.mouseClick(page.findChild(QPushButton, "action_inspect_first"), Qt.MouseButton.LeftButton)
    assert session.pinned_text == "Tuesday, March 2, 2021", "an example stands in the field"
    page._pinned.show_text("")
    page._pinned.act()
    assert page.findChild(QWidget, "refusal_inspect").isVisible()


def test_text_and_target_are_pinned_and_drawn(inspected: InspectPage, session: Session, engine: FakeEngine) -> None:
    assert (session.pinned_text, session.pinned_second) == (TEXT, "délben a városban")
    assert engine.last(Inspect).second == "délben a városban"
    assert heat_map(inspected).values.shape == (4, 7), "cross-attention first: target rows, source columns"
    assert inspected.findChild(ThumbnailGrid, "thumbnails").maps.shape[:2] == (3, 4)
    assert inspected.minimumSizeHint().width() <= 1196
    assert inspected.minimumSizeHint().height() <= 720


@pytest.mark.parametrize(("kind", "shape"), [("encoder", (7, 7)), ("decoder", (4, 4)), ("cross", (4, 7))])
def test_every_kind_of_attention_has_its_views(
    inspected: InspectPage, engine: FakeEngine, session: Session, qtbot: QtBot, kind: str, shape: tuple[int, int]
) -> None:
    qtbot.mouseClick(inspected.findChild(QPushButton, f"kind_{kind}"), Qt.MouseButton.LeftButton)
    settle(inspected, engine, qtbot)
    assert engine.last(Thumbnails).attention == kind
    assert heat_map(inspected).values.shape == shape
    assert session.settings.get("inspect.kind", kind) == kind


def test_only_the_kinds_that_exist_are_offered(long: InspectPage) -> None:
    assert list(long._heads.kinds.buttons) == ["decoder"]
    assert not long.findChild(QWidget, "field_inspect_second").isVisible()


def test_a_question_is_inspected_with_its_text(
    page: InspectPage, session: Session, engine: FakeEngine, qtbot: QtBot
) -> None:
    """As the model reads them; each stands in a field of its own, in an example too."""
    engine.kinds = ("encoder",)
    open_preset(session, "answer-questions")
    question, context = (page.findChild(QPlainTextEdit, f"field_inspect_{name}") for name in ("text", "second"))
    assert (question.accessibleName(), context.accessibleName()) == ("Question", "Text")
    assert (question.toPlainText(), context.toPlainText()[:25]) == (
        "When was the meeting?",
        "The meeting was on Tuesda",
    )
    page._pinned.examples.chosen.emit("Who?\nAnna did.")
    assert (engine.last(Inspect).text, engine.last(Inspect).second) == ("Who?", "Anna did.")
    settle(page, engine, qtbot)
    open_preset(session, "tell-languages")
    assert not context.isVisible(), "it learned from single texts"
    assert engine.last(Inspect).second == ""
    open_preset(session, "bert-mini")
    assert (context.isVisible(), context.accessibleName()) == (True, "Second text")


def test_a_thumbnail_chooses_the_head_for_all(
    inspected: InspectPage, session: Session, engine: FakeEngine, qtbot: QtBot
) -> None:
    assert session.head is None, "the mean over heads comes first"
    mean = heat_map(inspected).values.copy()
    inspected.findChild(ThumbnailGrid, "thumbnails").select(2, 3)
    settle(inspected, engine, qtbot)
    assert (session.layer, session.head) == (2, 3)
    assert (engine.last(ViewAttention).layer, engine.last(ViewAttention).heads) == (2, [3])
    assert not np.allclose(heat_map(inspected).values, mean)
    toggle = inspected.findChild(QWidget, "action_mean_over_heads")
    assert not toggle.isChecked()
    toggle.click()
    assert session.head is None
    toggle.click()
    assert (session.layer, session.head) == (2, 3), "back to the head of before"


def test_a_pinned_row_shows_where_it_looks_in_all_views(
    inspected: InspectPage, engine: FakeEngine, qtbot: QtBot
) -> None:
    heat_map(inspected).pin_row(2)
    settle(inspected, engine, qtbot)
    bars = inspected.findChild(ProbabilityBars, "row_bars")
    strip = inspected.findChild(TokenStrip, "row_tokens")
    assert engine.last(ViewAttention).rows == (2, 3)
    assert bars.isVisible()
    shares = [share for _, share in bars.bars]
    assert shares == sorted(shares, reverse=True)
    assert sum(piece.value for piece in strip.pieces) == pytest.approx(1.0, abs=1e-4)
    inspected._lines.arcs.lock(("row", 1))
    settle(inspected, engine, qtbot)
    assert heat_map(inspected).pinned == 1
    heat_map(inspected).pin_row(None)
    assert not bars.isVisible()


def test_lines_show_the_layer_with_the_chosen_head(
    inspected: InspectPage, session: Session, engine: FakeEngine, qtbot: QtBot
) -> None:
    session.choose_head(1, 2)
    qtbot.mouseClick(inspected.findChild(QPushButton, "view_lines"), Qt.MouseButton.LeftButton)
    settle(inspected, engine, qtbot)
    arcs = inspected.findChild(AttentionArcs, "arcs")
    assert arcs.isVisible()
    assert arcs.weights.shape == (4, 4, 7)
    assert arcs.active.tolist() == [False, False, True, False]
    arcs.set_heads([0, 2])
    assert arcs.active.sum() == 2
    assert session.settings.get("inspect.view", "") == "lines"


@pytest.mark.fault(34)
def test_4096_tokens_are_shown_coarsely_and_in_full_where_one_zooms(
    long: InspectPage, engine: FakeEngine, qtbot: QtBot
) -> None:
    shown = heat_map(long)
    cells = shown.values.shape[0]
    assert shown.values.shape == (cells, cells)
    assert 128 <= cells <= min(shown.width(), shown.height()), "a cell a pixel, no mean over several"
    assert "a cell shows the largest of" in long._map._part.text()
    for _ in range(5):
        wheel(shown, shown.view.shown.center(), 600)
    qtbot.waitUntil(lambda: engine.last(ViewAttention).rows != (0, 4096))
    settle(long, engine, qtbot)
    rows, columns = engine.last(ViewAttention).rows, engine.last(ViewAttention).columns
    assert rows is not None
    assert columns is not None
    assert rows[1] - rows[0] < cells
    assert shown.values.shape == (rows[1] - rows[0], columns[1] - columns[0]), "every weight of the part"
    assert shown.describe((0, 0)).startswith(f"{rows[0]} ␣w{rows[0] - 1} → {columns[0]} ")
    wheel(shown, shown.view.shown.center(), -120)
    settle(long, engine, qtbot)
    wider = engine.last(ViewAttention).rows
    assert wider is not None
    assert wider[1] - wider[0] == 2 * (rows[1] - rows[0])
    qtbot.mouseClick(long.findChild(QPushButton, "action_whole_map"), Qt.MouseButton.LeftButton)
    settle(long, engine, qtbot)
    assert engine.last(ViewAttention).rows == (0, 4096)
    assert not long.findChild(QPushButton, "action_whole_map").isVisible()


def test_a_row_of_a_coarse_map_is_one_token_in_full(long: InspectPage, engine: FakeEngine, qtbot: QtBot) -> None:
    cells = heat_map(long).values.shape[0]
    heat_map(long).pin_row(cells // 2)
    settle(long, engine, qtbot)
    token = int(edges((0, 4096), cells)[cells // 2])
    assert engine.last(ViewAttention).rows == (token, token + 1)
    assert len(long.findChild(TokenStrip, "row_tokens").pieces) == 4096
    assert long._profile.bars.bars[0][0].startswith(f"{token:,} ")


def test_lines_of_a_long_text_come_200_tokens_at_a_time(long: InspectPage, engine: FakeEngine, qtbot: QtBot) -> None:
    long._show_view("lines")
    settle(long, engine, qtbot)
    assert long._lines.arcs.weights.shape == (1, 200, 200)
    assert "0–199 of 4,096" in long._lines._part.text()
    qtbot.mouseClick(long.findChild(QPushButton, "action_further_tokens"), Qt.MouseButton.LeftButton)
    settle(long, engine, qtbot)
    assert long._lines.arcs.tokens["row"][0] == "␣w199"


def test_exports_write_files(
    inspected: InspectPage, session: Session, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    inspected._show_view("lines")
    settle(inspected, engine, qtbot)
    for exporter in (inspected._map.map.exporter, inspected._lines.arcs.exporter, inspected._heads.grid.exporter):
        for suffix in exporter.formats:
            assert exporter.save(tmp_path / f"{exporter.name}.{suffix}").stat().st_size > 50
    with qtbot.waitSignal(session.notified) as notified:
        inspected.export(str(tmp_path / "all.npz"))
    assert "all.npz" in notified.args[1]
    assert np.load(tmp_path / "all.npz")["decoder"].shape == (3, 4, 2, 2)
    engine.faults["export_attention"] = "all.npz cannot be written: no space left on device"
    with qtbot.waitSignal(session.notified) as notified:
        inspected.export(str(tmp_path / "all.npz"))
    assert notified.args[:2] == ["error", engine.faults["export_attention"]]


def test_a_hidden_page_waits_until_it_is_seen(
    inspected: InspectPage, session: Session, engine: FakeEngine, qtbot: QtBot
) -> None:
    inspected.hide()
    before = len(engine.asked)
    open_preset(session, "reverse")
    session.pin("abc")
    assert len(engine.asked) == before
    inspected.show()
    assert isinstance(engine.asked[before], Inspect)
    settle(inspected, engine, qtbot)
    assert inspected._pinned.text.toPlainText() == "abc"


def test_another_model_is_inspected_by_itself_while_one_looks(
    inspected: InspectPage, session: Session, engine: FakeEngine, qtbot: QtBot
) -> None:
    session.choose_head(2, 3)
    settle(inspected, engine, qtbot)
    engine.layers, engine.heads = 1, 2
    open_preset(session, "reverse")
    settle(inspected, engine, qtbot)
    assert engine.last(Inspect).model.endswith("reverse")
    assert (session.layer, session.head) == (0, 1), "a head that there is not gives way to the last one"


def test_a_refusal_stands_beside_the_text_and_a_notice_too(
    inspected: InspectPage, engine: FakeEngine, qtbot: QtBot
) -> None:
    engine.faults["inspect"] = "the attention of this text needs 9.0 GB and 2.0 GB are free: use a shorter text"
    inspected._pinned.act()
    settle(inspected, engine, qtbot)
    assert inspected.findChild(QWidget, "refusal_inspect").text() == engine.faults["inspect"]
    engine.faults = {"notice": "The text has 5,000 tokens: the first 4,096 are shown."}
    inspected._pinned.act()
    settle(inspected, engine, qtbot)
    assert not inspected.findChild(QWidget, "refusal_inspect").isVisible()
    assert "5,000" in inspected.findChild(QWidget, "notice_inspect").text()


def test_it_can_be_stopped_and_an_engine_that_dies_does_no_harm(
    inspected: InspectPage, session: Session, engine: FakeEngine, qtbot: QtBot
) -> None:
    inspected._pinned.act()
    stop = inspected.findChild(QPushButton, "action_stop_inspect")
    assert stop.isVisible()
    stop.click()
    settle(inspected, engine, qtbot)
    assert not stop.isVisible()
    inspected._pinned.act()
    engine.kill()
    assert "was killed" in inspected.findChild(QWidget, "refusal_inspect").text()
    session.choose_head(1, 1)
    settle(inspected, engine, qtbot)
    assert engine.last(ViewAttention).heads == [1]
    assert heat_map(inspected).values.size


def test_the_colours_end_where_one_says_and_do_so_again(
    inspected: InspectPage, session: Session, engine: FakeEngine, qtbot: QtBot
) -> None:
    choice, grid, shown = inspected._heads.scale, inspected._heads.grid, heat_map(inspected)
    session.choose_head(2, 0)
    settle(inspected, engine, qtbot)
    own, everywhere = float(shown.values.max()), float(grid.maps.max())
    assert own < everywhere < 1
    for scale, end in (("one", 1.0), ("all", everywhere), ("own", own)):
        choice.setCurrentIndex(choice.findData(scale))
        assert shown._high == end
        assert choice.shown_text() == choice.currentText()
        assert grid._levels[2, 0].max() == round(255 * float(grid.maps[2, 0].max()) / end)
    session.choose_head(1, 0)
    settle(inspected, engine, qtbot)
    assert shown._high == float(shown.values.max())
    another = InspectPage(session)
    qtbot.addWidget(another)
    assert another._heads.scale.currentData() == "own"
