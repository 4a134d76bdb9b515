"""The parts of a block diagram as plain data, and where each goes: columns that grow upward, as in the paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from PySide6.QtCore import QPointF, QRectF

WIDTH, TALL, SHORT, PLAIN = 196.0, 44.0, 30.0, 24.0
"""A block's width, and its height with a subtitle, without one, and as bare text."""
NOTE, BESIDE = 15.0, 28.0
"""Height of a note in a block, and the room between blocks side by side."""
GAP, LABEL_GAP, PADDING, RADIUS, LOOP, TAP = 22.0, 32.0, 20.0, 8.0, 14.0, 13.0
COLUMN_GAP, MARGIN, REPEAT = 48.0, 12.0, 44.0
"""Between columns (where the cross-attention arrow runs), around everything, and beside a frame for its "× 6"."""
BARE_KINDS = ("input", "output_text")


@dataclass(frozen=True)
class Block:
    """A box, or with `children` a group of them, listed from the bottom up.

    `kind` chooses the colour: embedding, position, attention, cross_attention, feed_forward, norm, head, output; input
    and output_text are bare text. `repeat` frames the group and writes "× n" beside it; `residual` leads its input
    around it and adds it at the end; with `parallel` its children stand side by side and are added up. `notes` are
    lines beneath the subtitle. `shape` stands at the arrow that leaves it.
    """

    key: str
    title: str = ""
    subtitle: str = ""
    kind: str = ""
    repeat: int | None = None
    children: tuple[Block, ...] = ()
    residual: bool = False
    parallel: bool = False
    notes: tuple[str, ...] = ()
    shape: str = ""

    def leaves(self) -> Iterator[Block]:
        """The boxes of it, from the bottom up."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    @property
    def height(self) -> float:
        """Of a box, in pixels."""
        plain = PLAIN if self.kind in BARE_KINDS else TALL if self.subtitle else SHORT
        return plain + len(self.notes) * NOTE

    @property
    def width(self) -> float:
        """Of all that stands side by side in it."""
        widths = [child.width for child in self.children]
        if self.parallel:
            return sum(widths) + BESIDE * (len(widths) - 1)
        return max(widths, default=WIDTH)


@dataclass(frozen=True)
class Column:
    """A stack such as the encoder; `title` stands beneath it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass
class Drawing:
    """What to paint, y growing downward."""

    size: tuple[float, float] = (0.0, 0.0)
    boxes: list[tuple[QRectF, Block]] = field(default_factory=list)
    frames: list[tuple[QRectF, str, bool]] = field(default_factory=list)
    """(frame, "× 6", whether that stands on its right)"""
    sums: list[QPointF] = field(default_factory=list)
    lines: list[tuple[list[QPointF], bool]] = field(default_factory=list)
    """(corners, whether it ends in an arrow head)"""
    labels: list[tuple[QPointF, str]] = field(default_factory=list)
    titles: list[tuple[QPointF, str]] = field(default_factory=list)


def lay_out(columns: Sequence[Column]) -> Drawing:
    """Place every part; the first of several columns sends its top to the cross-attention of the others."""
    drawing = Drawing()
    side = LOOP + PADDING + REPEAT
    stacks: list[_Stack] = []
    left = MARGIN + side
    for index, column in enumerate(columns):
        width = max((block.width for block in column.blocks), default=WIDTH)
        stack = _Stack(drawing, left + width / 2, width, right=index > 0 or len(columns) == 1)
        left += width + 2 * PADDING + COLUMN_GAP + LOOP
        stack.title(column.title)
        stack.place(column.blocks)
        stack.finish()
        stacks.append(stack)
    if not stacks:
        return drawing
    if len(stacks) > 1:
        _cross(drawing, stacks[0], stacks[1:])
    height = max(stack.y for stack in stacks) + MARGIN
    drawing.size = (stacks[-1].centre + stacks[-1].width / 2 + side + MARGIN, height)
    _flip(drawing, height)
    return drawing


class _Stack:
    """Lays one column from the bottom up; y grows upward here."""

    def __init__(self, drawing: Drawing, centre: float, width: float, *, right: bool) -> None:
        self.drawing, self.centre, self.width, self.right = drawing, centre, width, right
        self.y = MARGIN
        self.label = ""
        self.floor = self.y
        self.low, self.high = self.y, float("inf")
        self.started = False
        self.cross: list[QRectF] = []

    def title(self, text: str) -> None:
        self.drawing.titles.append((QPointF(self.centre, self.y + 8), text))
        self.y = self.floor = self.low = self.y + 20

    def place(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            if block.repeat is not None and block.children:
                self._frame(block)
            elif block.residual:
                self._loop(block)
            elif block.children:
                self.place(block.children)
            else:
                self._box(block)
            self.label = block.shape or self.label

    def finish(self) -> None:
        """The last arrow, and what it carries."""
        if self.label:
            self._arrow(self.y + LABEL_GAP)

    def _gap(self) -> float:
        return 0.0 if not self.started else LABEL_GAP if self.label else GAP

    def _box(self, block: Block) -> None:
        bottom = max(self.y + self._gap(), self.floor)
        if self.started:
            self._arrow(bottom)
        width = WIDTH + 2 * PADDING if block.kind in BARE_KINDS else WIDTH
        rect = QRectF(self.centre - width / 2, bottom, width, block.height)
        self.drawing.boxes.append((rect, block))
        if block.kind == "cross_attention":
            self.cross.append(rect)
        self._reach(rect.bottom())

    def _frame(self, block: Block) -> None:
        bottom = max(self.y + (LABEL_GAP - 6 if self.label else GAP / 2), self.floor)
        self.high = min(self.high, bottom)
        self.floor = bottom + PADDING
        self.place(block.children)
        top = self.y + PADDING / 2
        margin = LOOP + PADDING / 2
        left = self.centre - self.width / 2 - margin
        frame = QRectF(left, bottom, self.width + 2 * margin, top - bottom)
        self.drawing.frames.append((frame, f"× {block.repeat}", self.right))
        self.low, self.floor = top, top + GAP / 2

    def _loop(self, block: Block) -> None:
        if block.parallel:
            tap = self._side_by_side(block.children)
        else:
            first = len(self.drawing.boxes)
            self.place(block.children or (replace(block, residual=False),))
            tap = self.drawing.boxes[first][0].top() - TAP  # y grows upward, so a box's "top" is its lower edge
        self.label = ""
        at = self._sum()
        sign = 1 if self.right else -1
        outer = self.centre + sign * (self.width / 2 + LOOP)
        inner = self.centre + sign * RADIUS
        corners = [QPointF(self.centre, tap), QPointF(outer, tap), QPointF(outer, at), QPointF(inner, at)]
        self.drawing.lines.append((corners, True))

    def _side_by_side(self, children: Sequence[Block]) -> float:
        """Each child on a branch of its own from one height, which is returned, and all of them added up."""
        fork = max(self.y + self._gap(), self.floor)
        self._arrow(fork, head=False)
        branches = []
        left = self.centre - (sum(child.width for child in children) + BESIDE * (len(children) - 1)) / 2
        for child in children:
            branch = _Stack(self.drawing, left + child.width / 2, child.width, right=self.right)
            branch.y = branch.floor = branch.low = fork
            branch.started = True
            self.drawing.lines.append(([QPointF(self.centre, fork), QPointF(branch.centre, fork)], False))
            branch.place(child.children or (child,))
            self.cross += branch.cross
            branches.append(branch)
            left += child.width + BESIDE
        self.y = max(branch.y for branch in branches)
        at = self.y + GAP / 2 + RADIUS + 2
        for branch in branches:
            inner = self.centre + (RADIUS if branch.centre > self.centre else -RADIUS)
            way = [QPointF(branch.centre, branch.y), QPointF(branch.centre, at), QPointF(inner, at)]
            if branch.centre == self.centre:
                way = [way[0], QPointF(self.centre, at - RADIUS)]
            self.drawing.lines.append((way, True))
        self.drawing.sums.append(QPointF(self.centre, at))
        self._reach(at + RADIUS)
        return fork

    def _sum(self) -> float:
        """Where what comes from below is added to what is led around; returns its height."""
        at = self.y + GAP / 2 + RADIUS + 2
        self._arrow(at - RADIUS)
        self.drawing.sums.append(QPointF(self.centre, at))
        self._reach(at + RADIUS)
        return at

    def _arrow(self, to: float, *, head: bool = True) -> None:
        self.drawing.lines.append(([QPointF(self.centre, self.y), QPointF(self.centre, to)], head))
        if self.label:
            middle = (self.low + min(self.high, to)) / 2
            self.drawing.labels.append((QPointF(self.centre + 8, middle), self.label))
        self.y, self.label = to, ""

    def _reach(self, y: float) -> None:
        self.y = self.floor = self.low = y
        self.high, self.started = float("inf"), True


def _cross(drawing: Drawing, source: _Stack, others: Sequence[_Stack]) -> None:
    """From the top of the first column, through the gap beside it, into each cross-attention."""
    for stack in others:
        gutter = stack.centre - stack.width / 2 - LOOP - PADDING - COLUMN_GAP / 2
        for rect in stack.cross:
            y = rect.center().y()
            path = [
                QPointF(source.centre, source.y),
                QPointF(gutter, source.y),
                QPointF(gutter, y),
                QPointF(rect.left(), y),
            ]
            drawing.lines.append((path, True))


def _flip(drawing: Drawing, height: float) -> None:
    """Turn y so that it grows downward."""

    def point(at: QPointF) -> QPointF:
        return QPointF(at.x(), height - at.y())

    def rect(area: QRectF) -> QRectF:
        return QRectF(area.left(), height - area.bottom(), area.width(), area.height())

    drawing.boxes = [(rect(area), block) for area, block in drawing.boxes]
    drawing.frames = [(rect(area), text, right) for area, text, right in drawing.frames]
    drawing.sums = [point(at) for at in drawing.sums]
    drawing.lines = [([point(at) for at in corners], head) for corners, head in drawing.lines]
    drawing.labels = [(point(at), text) for at, text in drawing.labels]
    drawing.titles = [(point(at), text) for at, text in drawing.titles]
