"""What a text does inside a model: captured once, then served in views."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfmcore.data.progress import Progress
from tfmcore.engine.desk import Desk
from tfmcore.engine.handlers import Answer
from tfmcore.inspection.capture import Attention
from tfmcore.inspection.views import thumbnails as pooled_heads
from tfmcore.inspection.views import view
from tfmcore.messages import (
    AttentionFacts,
    AttentionViewed,
    ExportAttention,
    Exported,
    Inspect,
    Inspected,
    Thumbnails,
    ThumbnailsDrawn,
    ViewAttention,
)


def inspect(request: Inspect, desk: Desk, report: Progress) -> Iterator[Answer]:
    start = time.monotonic()
    capture = desk.capture(request, report)
    facts = {kind: _facts(attention) for kind, attention in capture.attentions.items()}
    seconds = time.monotonic() - start
    yield Inspected(id=request.id, attentions=facts, bytes=capture.bytes, seconds=seconds, notice=capture.notice)


def thumbnails(request: Thumbnails, desk: Desk, report: Progress) -> Iterator[Answer]:
    weights = desk.capture(request, report).kind(request.attention).weights
    drawn = []
    for number, layer in enumerate(weights, 1):
        drawn.append(pooled_heads(layer, request.size))
        report("Drawing", number, len(weights))
    levels, largest = (np.stack(each) for each in zip(*drawn, strict=True))
    yield ThumbnailsDrawn(id=request.id), {"thumbnails": levels, "largest": largest}


def view_attention(request: ViewAttention, desk: Desk, report: Progress) -> Iterator[Answer]:
    layer = desk.capture(request, report).layer(request.attention, request.layer, request.heads)
    seen = view(layer, request.heads, request.rows, request.columns, request.size)
    arrays = {"weights": seen.weights}
    if seen.pooled:
        arrays |= {"row_edges": seen.row_edges, "column_edges": seen.column_edges}
    yield AttentionViewed(id=request.id, pooled=seen.pooled), arrays


def export_attention(request: ExportAttention, desk: Desk, report: Progress) -> Iterator[Answer]:
    desk.capture(request, report).export(Path(request.path))
    yield Exported(id=request.id, path=request.path)


def _facts(attention: Attention) -> AttentionFacts:
    layers, heads, _, _ = attention.weights.shape
    return AttentionFacts(
        layers=layers,
        heads=heads,
        rows=attention.rows.tokens,
        columns=attention.columns.tokens,
        special_rows=attention.rows.special,
        special_columns=attention.columns.special,
    )
