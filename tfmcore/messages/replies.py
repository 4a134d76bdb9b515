"""Replies of the engine; `id` is the request's."""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from tfmcore.messages.answers import Answered, Classified, Filled, Generated, Tagged, Token, Translated
from tfmcore.messages.message import Message, Reply
from tfmcore.messages.requests import AttentionKind


class Refused(Reply):
    """The request failed: one sentence, details to copy, and by option (`section.name`) the values that mend it."""

    kind: Literal["refused"] = "refused"
    sentence: str
    details: str = ""
    fix: dict[str, str] = Field(default_factory=dict)


class Cancelled(Reply):
    kind: Literal["cancelled"] = "cancelled"


class Progress(Reply):
    """`total` is 0 while it is unknown."""

    kind: Literal["progress"] = "progress"
    phase: str
    done: int
    total: int
    final: bool = False


class Described(Reply):
    """`saved` is the model folder's config.json; `folder` the folder itself (a run's best checkpoint)."""

    kind: Literal["described"] = "described"
    folder: str
    saved: dict[str, Any]
    parameters: int
    device: str
    seconds: float


class AttentionFacts(Message):
    """One kind of attention of a capture: its size and the tokens of its two axes."""

    layers: int
    heads: int
    rows: list[str]
    columns: list[str]
    special_rows: list[int] = Field(default_factory=list)
    special_columns: list[int] = Field(default_factory=list)


class Inspected(Reply):
    kind: Literal["inspected"] = "inspected"
    attentions: dict[AttentionKind, AttentionFacts]
    bytes: int
    seconds: float
    notice: str = ""


class ThumbnailsDrawn(Reply):
    """The array `thumbnails` is (layers, heads, n, m), uint8, 255 the `largest` weight of its head, which is (layers,
    heads), float32."""

    kind: Literal["thumbnails_drawn"] = "thumbnails_drawn"


class AttentionViewed(Reply):
    """The arrays: `weights` (heads, n, m) float32; where it is pooled (by maximum), `row_edges` (n + 1) and
    `column_edges` (m + 1) say which tokens a cell covers."""

    kind: Literal["attention_viewed"] = "attention_viewed"
    pooled: bool


class Exported(Reply):
    kind: Literal["exported"] = "exported"
    path: str


class DataPreviewed(Reply):
    """`examples` counts all where that is quick to know, else it is None; lengths are in characters. `fix` mends what
    the first of the notices says, as in Refused."""

    kind: Literal["data_previewed"] = "data_previewed"
    columns: list[str]
    roles: dict[str, str]
    rows: list[list[str]]
    examples: int | None
    notices: list[str] = Field(default_factory=list)
    fix: dict[str, str] = Field(default_factory=dict)


class ShownSequence(Message):
    """A sequence of the first batch as the model sees it: `targets` holds "" where nothing is predicted."""

    name: str
    tokens: list[str]
    ids: list[int]
    targets: list[str] = Field(default_factory=list)
    masked: list[int] = Field(default_factory=list)
    label: str = ""


class DataPrepared(Reply):
    """`lengths` are token counts of examples (a sample of them); `labels` only where the task has some."""

    kind: Literal["data_prepared"] = "data_prepared"
    num_train: int
    num_validation: int
    train_tokens: int
    vocab_size: int
    labels: list[str]
    lengths: list[int]
    sample_tokens: list[str]
    sample_ids: list[int]
    batch: list[ShownSequence]
    warnings: list[str]
    seconds: float


class BatchTried(Reply):
    """`seconds` is the median step (forward, backward, optimizer); `bytes` the peak beyond an idle engine."""

    kind: Literal["batch_tried"] = "batch_tried"
    seconds: float
    tokens: int
    bytes: int
    parameters: int


class BatchFound(Reply):
    """So many sequences fit; `bytes` is what a step of them needs, of `limit` that it might take."""

    kind: Literal["batch_found"] = "batch_found"
    batch_size: int
    seconds: float
    bytes: int
    limit: int


class RateFound(Reply):
    """`rates` in rising order, the loss (smoothed) beside each, and the rate that they suggest."""

    kind: Literal["rate_found"] = "rate_found"
    rates: list[float]
    losses: list[float]
    suggestion: float


class Imported(Reply):
    """The new model folder; which tensors of the old one were `read` and which `ignored`, and which of ours, such as a
    new head's, it lacked, so that they were `added`."""

    kind: Literal["imported"] = "imported"
    folder: str
    family: str
    parameters: int
    read: list[str] = Field(default_factory=list)
    ignored: list[str] = Field(default_factory=list)
    added: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)


class ModelExported(Reply):
    """`files` are named within `folder`."""

    kind: Literal["model_exported"] = "model_exported"
    folder: str
    files: list[str]
    notes: list[str] = Field(default_factory=list)


AnyReply = Annotated[
    Refused
    | Cancelled
    | Progress
    | Described
    | Token
    | Generated
    | Classified
    | Translated
    | Filled
    | Tagged
    | Answered
    | Inspected
    | ThumbnailsDrawn
    | AttentionViewed
    | Exported
    | DataPreviewed
    | DataPrepared
    | BatchTried
    | BatchFound
    | RateFound
    | Imported
    | ModelExported,
    Field(discriminator="kind"),
]

REPLIES: TypeAdapter[AnyReply] = TypeAdapter(AnyReply)
