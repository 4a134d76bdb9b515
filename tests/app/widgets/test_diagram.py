"""The block diagram: nothing overlaps, everything is connected and can be reached."""

import itertools

import pytest
from PySide6.QtCore import QPointF, QRectF, Qt

from app.widgets.block_layout import Block, Column, Drawing, lay_out
from app.widgets.diagram import BlockDiagram


def layer(prefix: str, *kinds: str) -> tuple[Block, ...]:
    return tuple(
        Block(f"{prefix}.{kind}.residual", residual=True, children=(Block(f"{prefix}.{kind}", kind, "sizes", kind),))
        for kind in kinds
    )


DECODER_KINDS = ("attention", "cross_attention", "feed_forward")
ENCODER = Column(
    "Encoder",
    (
        Block("source", "Source", kind="input", shape="B × S"),
        Block("embedding", "Embedding", "65 × 128", "embedding", shape="B × S × 128"),
        Block("encoder", repeat=6, children=layer("encoder", "attention", "feed_forward"), shape="B × S × 128"),
    ),
)
DECODER = Column(
    "Decoder",
    (
        Block("target", "Target", kind="input", shape="B × T"),
        Block(
            "decoder",
            repeat=6,
            children=layer("decoder", "attention", "cross_attention", "feed_forward"),
            shape="B × T × 128",
        ),
        Block("head", "Head", kind="head", shape="B × T × V"),
        Block("logits", "Logits", kind="output_text"),
    ),
)
COLUMNS = {"encoder": [ENCODER], "decoder": [DECODER], "both": [ENCODER, DECODER], "none": []}


@pytest.fixture(params=COLUMNS, ids=str)
def drawing(request: pytest.FixtureRequest) -> Drawing:
    return lay_out(COLUMNS[request.param])


def test_nothing_overlaps_and_all_fits(drawing: Drawing) -> None:
    whole = QRectF(0, 0, *drawing.size)
    rects = [rect for rect, _ in drawing.boxes]
    labels = [QRectF(at.x(), at.y() - 6, 60, 12) for at, _ in drawing.labels]
    for first, second in itertools.combinations(rects + labels, 2):
        assert not first.intersects(second)
    for rect in rects + labels + [frame for frame, _, _ in drawing.frames]:
        assert whole.contains(rect)
    for corners, _ in drawing.lines:
        assert all(whole.adjusted(-1, -1, 1, 1).contains(corner) for corner in corners)


def test_every_layer_is_framed_and_says_how_often(drawing: Drawing) -> None:
    for frame, text, _ in drawing.frames:
        assert text == "× 6"
        inside = [block.key for rect, block in drawing.boxes if frame.contains(rect)]
        assert len(inside) in (2, 3)
        assert not [block for rect, block in drawing.boxes if frame.intersects(rect) and not frame.contains(rect)]


def test_the_encoder_reaches_every_cross_attention_and_shapes_stand_on_the_arrows() -> None:
    drawing = lay_out([ENCODER, DECODER])
    cross = next(rect for rect, block in drawing.boxes if block.kind == "cross_attention")
    ends = [corners[-1] for corners, head in drawing.lines if head]
    assert QPointF(cross.left(), cross.center().y()) in ends
    assert len(drawing.sums) == 5
    texts = [text for _, text in drawing.labels]
    assert texts.count("B × S × 128") == 2
    assert "B × T × V" in texts
    source = next(rect for rect, block in drawing.boxes if block.key == "source")
    assert source.top() > cross.bottom()  # columns grow upward


@pytest.mark.parametrize("size", [(300, 260), (900, 1400)])
def test_a_click_names_the_block_at_any_scale(qtbot, size) -> None:
    widget = BlockDiagram()
    qtbot.addWidget(widget)
    widget.set_columns([ENCODER, DECODER])
    widget.resize(*size)
    widget.show()
    qtbot.waitExposed(widget)
    rect = next(rect for rect, block in widget.drawing.boxes if block.key == "encoder.feed_forward")
    widget._reveal("encoder.feed_forward")
    at = (rect.center() * widget._scale + widget._origin).toPoint()
    with qtbot.waitSignal(widget.block_clicked) as caught:
        qtbot.mouseClick(widget.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert caught.args == ["encoder.feed_forward"]
    assert widget.current == "encoder.feed_forward"
    assert (widget.verticalScrollBar().maximum() > 0) is (size[1] < 500)


def test_a_diagram_that_is_too_high_shows_its_foot_until_one_scrolls(qtbot) -> None:
    widget = BlockDiagram()
    qtbot.addWidget(widget)
    widget.set_columns([ENCODER, DECODER])
    bar = widget.verticalScrollBar()
    for height in (200, 150):
        widget.resize(300, height)
        widget.show()
        assert bar.value() == bar.maximum() > 0
    bar.setValue(10)
    widget.resize(300, 180)
    assert bar.value() == 10


def test_the_keyboard_climbs_and_opens(qtbot) -> None:
    widget = BlockDiagram()
    qtbot.addWidget(widget)
    widget.set_columns([DECODER])
    keys = [block.key for _, block in widget.drawing.boxes]
    seen: list[str] = []
    widget.block_clicked.connect(seen.append)
    for _, block in widget.drawing.boxes:
        qtbot.keyClick(widget, Qt.Key.Key_Up)
        qtbot.keyClick(widget, Qt.Key.Key_Return)
        assert widget.accessibleDescription().startswith(block.title)
    assert seen == keys
