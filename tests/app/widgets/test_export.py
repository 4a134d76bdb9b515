"""Every exporting widget writes every one of its formats, whole or not at all."""

import csv
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage

from app.theme import apply_theme
from app.widgets import export
from app.widgets.attention_arcs import AttentionArcs
from app.widgets.bars import ProbabilityBars
from app.widgets.block_layout import Block, Column
from app.widgets.diagram import BlockDiagram
from app.widgets.export import write_atomically
from app.widgets.heat_map import HeatMap
from app.widgets.histogram import Histogram
from app.widgets.live_plot import LivePlot
from app.widgets.thumbnails import ThumbnailGrid
from app.widgets.token_strip import TokenStrip
from tfmcore.config import UserError

TOKENS = ["[CLS]", " é", "日本,", '"q"\n']


def heat_map() -> HeatMap:
    widget = HeatMap()
    widget.set_matrix(np.eye(4), TOKENS, TOKENS)
    return widget


def thumbnails() -> ThumbnailGrid:
    widget = ThumbnailGrid()
    widget.set_maps(np.random.default_rng(0).random((2, 3, 4, 4)))
    return widget


def arcs() -> AttentionArcs:
    widget = AttentionArcs()
    widget.set_weights(np.full((2, 4, 4), 0.25), TOKENS, TOKENS)
    return widget


def strip() -> TokenStrip:
    widget = TokenStrip()
    widget.set_tokens(TOKENS, values=[0.1, 0.5, 0.9, 1.0], ids=[1, 2, 3, 4])
    return widget


def plot() -> LivePlot:
    widget = LivePlot(title="Loss")
    widget.set_series("training", [0, 1, 2], [3.0, float("nan"), 1.0])
    widget.append("validation", 2, 1.5)
    return widget


def histogram() -> Histogram:
    widget = Histogram()
    widget.set_lengths([1, 2, 2, 9])
    return widget


def bars() -> ProbabilityBars:
    widget = ProbabilityBars()
    widget.set_bars([("one", 0.7), ("two", 0.3)])
    return widget


def diagram() -> BlockDiagram:
    widget = BlockDiagram()
    widget.set_columns([Column("Decoder", (Block("a", "A", kind="norm", shape="B × T"), Block("b", "B")))])
    return widget


WIDGETS: list[Callable] = [heat_map, thumbnails, arcs, strip, plot, histogram, bars, diagram]


@pytest.mark.parametrize("look", ["dark", "light"])
@pytest.mark.parametrize("make", WIDGETS, ids=lambda make: make.__name__)
def test_every_format_of_every_widget(qtbot, qapp, tmp_path: Path, make: Callable, look: str) -> None:
    apply_theme(qapp, look)
    widget = make()
    qtbot.addWidget(widget)
    widget.resize(420, 320)
    exports = [action for action in widget.actions() if action.text().startswith("Export")]
    assert len(exports) == len(widget.exporter.formats) >= 2
    for suffix in widget.exporter.formats:
        path = widget.exporter.save(tmp_path / f"figure.{suffix}")
        if suffix == "png":
            image = QImage(str(path))
            assert image.width() >= 400
            assert len({image.pixel(x, y) for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}) > 1
        elif suffix == "svg":
            tags = [element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()]
            assert {"text", "path", "rect", "polyline"} & set(tags)
        elif suffix == "csv":
            with path.open(encoding="utf-8-sig", newline="") as stream:
                rows = list(csv.reader(stream))
            assert len(rows) >= 3
            assert all(len(row) == len(rows[0]) for row in rows)
        else:
            assert np.load(path, allow_pickle=False).files
    assert sorted(p.suffix[1:] for p in tmp_path.iterdir()) == sorted(widget.exporter.formats)


def test_tokens_survive_the_table_and_the_arrays(qtbot, tmp_path: Path) -> None:
    widget = heat_map()
    qtbot.addWidget(widget)
    with widget.exporter.save(tmp_path / "m.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0][1:] == TOKENS
    assert [float(value) for value in rows[2][1:]] == [0, 1, 0, 0]
    arrays = np.load(widget.exporter.save(tmp_path / "m.npz"), allow_pickle=False)
    assert arrays["row_tokens"].tolist() == TOKENS
    assert np.array_equal(arrays["values"], np.eye(4, dtype=np.float32))


def test_a_failure_is_one_sentence_and_leaves_the_old_file(qtbot, tmp_path: Path) -> None:
    widget = bars()
    qtbot.addWidget(widget)
    with pytest.raises(UserError, match=r"\.png, \.svg, \.csv"):
        widget.exporter.save(tmp_path / "figure.gif")
    missing = tmp_path / "no" / "such" / "figure.csv"
    with pytest.raises(UserError, match="could not be written: no such file"):
        widget.exporter.save(missing)
    with qtbot.waitSignal(widget.exporter.failed) as caught:
        widget.exporter._on_file_selected(str(missing))
    assert str(missing) in caught.args[0]
    (tmp_path / "taken.csv").mkdir()
    with pytest.raises(UserError):
        widget.exporter.save(tmp_path / "taken.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["taken.csv"]


def test_the_button_offers_every_format(qtbot) -> None:
    widget = heat_map()
    qtbot.addWidget(widget)
    button = widget.exporter.button(object_name="export_map", parent=widget)
    assert [action.objectName() for action in button.menu().actions()] == [
        "action_export_png",
        "action_export_svg",
        "action_export_csv",
        "action_export_npz",
    ]


def test_a_file_is_written_beside_the_window_and_tells_what_was_shown(qtbot, tmp_path: Path, monkeypatch) -> None:
    widget = plot()
    qtbot.addWidget(widget)
    threads = []

    def write(path: Path, content: bytes) -> None:
        threads.append(threading.current_thread())
        write_atomically(path, content)

    monkeypatch.setattr(export, "write_atomically", write)
    for suffix in widget.exporter.formats:
        path = tmp_path / f"loss.{suffix}"
        with qtbot.waitSignal(widget.exporter.exported) as caught:
            widget.exporter._on_file_selected(str(path))
            widget.set_series("training", [0, 1], [9.0, 9.0])
        assert caught.args == [str(path)]
        assert path.stat().st_size
        widget.set_series("training", [0, 1, 2], [3.0, float("nan"), 1.0])
    assert threading.current_thread() not in threads
    rows = (tmp_path / "loss.csv").read_text(encoding="utf-8-sig").splitlines()
    assert rows == ["step,training,validation", "0.0,3.0,", "1.0,nan,", "2.0,1.0,1.5"]
