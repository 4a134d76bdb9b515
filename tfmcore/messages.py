"""What the three programs say to each other: events and commands of a run, requests and replies of the engine.

A message is one JSON line with its `kind`. Where it carries arrays, the line lists each one's name, dtype and shape
under `arrays`, and their raw bytes (C order, little-endian) follow the line in that order.
"""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, BinaryIO, Generic, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tfmcore.config.problems import UserError

MAX_LINE_BYTES = 64 * 2**20
MAX_ARRAY_BYTES = 2**31
Arrays = dict[str, np.ndarray[Any, Any]]
M = TypeVar("M", bound="Message")


class Message(BaseModel):
    """Anything that is said; unknown fields of a newer version are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")


# ── events: the trainer's words, one a line in events.jsonl ──────────────────────────────────────────────────────────


class Event(Message):
    """`step` is the number of optimizer steps done; `time` is the wall clock in seconds, for display only."""

    step: int = 0
    time: float = Field(default_factory=time.time)


class Started(Event):
    """Training starts or goes on after `step`; what earlier lines say of later steps is void."""

    kind: Literal["started"] = "started"
    steps: int
    parameters: int
    vocab_size: int
    num_train: int
    num_validation: int
    device: str
    threads: int


class Stepped(Event):
    """One optimizer step: mean loss (nats a token), the gradient's norm before clipping, `seconds` of the step."""

    kind: Literal["stepped"] = "stepped"
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int
    seconds: float


class Evaluated(Event):
    """A validation: mean loss over the held-out data (nats a label) and the task's metrics."""

    kind: Literal["evaluated"] = "evaluated"
    loss: float
    metrics: dict[str, float] = Field(default_factory=dict)


class Sampled(Event):
    """What the model made of a pinned prompt; `expected` is empty where there is no right answer."""

    kind: Literal["sampled"] = "sampled"
    prompt: str
    text: str
    expected: str = ""


class Saved(Event):
    kind: Literal["saved"] = "saved"
    folder: str
    best: bool


class Changed(Event):
    """A setting was changed from outside, such as learning_rate."""

    kind: Literal["changed"] = "changed"
    setting: str
    value: float


class Warned(Event):
    kind: Literal["warned"] = "warned"
    sentence: str


class Failed(Event):
    kind: Literal["failed"] = "failed"
    sentence: str
    details: str = ""


class Finished(Event):
    """The run has ended well: `reason` is finished, stopped or early_stopping."""

    kind: Literal["finished"] = "finished"
    reason: Literal["finished", "stopped", "early_stopping"] = "finished"
    loss: float | None = None


AnyEvent = Annotated[
    Started | Stepped | Evaluated | Sampled | Saved | Changed | Warned | Failed | Finished, Field(discriminator="kind")
]


# ── commands: what a window or a terminal asks of a run, one a line in control.jsonl ─────────────────────────────────


class Command(Message):
    """`value` is only for set_learning_rate: from the next step on it takes the schedule's place."""

    kind: Literal["pause", "resume", "stop", "save_now", "set_learning_rate"]
    value: float | None = Field(None, gt=0.0, le=100.0)


# ── requests to the engine ───────────────────────────────────────────────────────────────────────────────────────────


class Request(Message):
    """A queued request of the same kind and panel is replaced by a newer one; a running one is cancelled by it."""

    id: int
    panel: str = ""


class ModelRequest(Request):
    """`model` is a model folder or a run. The engine keeps the models used last, so no request depends on another."""

    model: str


class Cancel(Message):
    """Cancels the request `id`, queued or running; it then ends with Cancelled."""

    kind: Literal["cancel"] = "cancel"
    id: int


class Describe(ModelRequest):
    kind: Literal["describe"] = "describe"


class Generate(ModelRequest):
    """Write on after `prompt` and the tokens `continuation`; temperature 0 is greedy, top_k 0 and top_p 1 keep all."""

    kind: Literal["generate"] = "generate"
    prompt: str
    continuation: list[int] = Field(default_factory=list)
    max_new_tokens: int = Field(200, ge=1, le=100_000)
    temperature: float = Field(0.8, ge=0.0, le=10.0)
    top_k: int = Field(0, ge=0)
    top_p: float = Field(1.0, gt=0.0, le=1.0)
    beams: int = Field(1, ge=1, le=64)
    seed: int | None = None
    stop: list[str] = Field(default_factory=list)
    alternatives: int = Field(5, ge=0, le=50)


class Classify(ModelRequest):
    kind: Literal["classify"] = "classify"
    text: str
    pair: str = ""


class Translate(ModelRequest):
    """`beams` 1 is greedy. Scores are summed log-probabilities ÷ length ** length_penalty."""

    kind: Literal["translate"] = "translate"
    text: str
    beams: int = Field(1, ge=1, le=64)
    length_penalty: float = Field(1.0, ge=0.0, le=5.0)
    max_new_tokens: int = Field(200, ge=1, le=100_000)


class Fill(ModelRequest):
    """`text` holds one or more masks, written [MASK]."""

    kind: Literal["fill"] = "fill"
    text: str
    candidates: int = Field(5, ge=1, le=50)


AttentionKind = Literal["encoder", "decoder", "cross"]


class InspectRequest(ModelRequest):
    """What a pinned text does inside the model; the engine keeps the captures used last."""

    text: str
    target: str = ""


class Inspect(InspectRequest):
    kind: Literal["inspect"] = "inspect"


class Thumbnails(InspectRequest):
    """All heads of one kind of attention, each pooled to at most size × size."""

    kind: Literal["thumbnails"] = "thumbnails"
    attention: AttentionKind
    size: int = Field(32, ge=4, le=256)


class ViewAttention(InspectRequest):
    """Some heads of a layer (none named: their mean), between rows and columns, pooled to at most size × size."""

    kind: Literal["view_attention"] = "view_attention"
    attention: AttentionKind
    layer: int = Field(ge=0)
    heads: list[int] = Field(default_factory=list)
    rows: tuple[int, int] | None = None
    columns: tuple[int, int] | None = None
    size: int = Field(1024, ge=1, le=4096)


class ExportAttention(InspectRequest):
    """Write every layer's and head's weights with the tokens to an .npz file."""

    kind: Literal["export_attention"] = "export_attention"
    path: str


class PreviewData(Request):
    """`config` is a raw config (section → name → value); here and below."""

    kind: Literal["preview_data"] = "preview_data"
    config: dict[str, dict[str, Any]]
    rows: int = Field(50, ge=1, le=1000)


class PrepareData(Request):
    """Train the tokenizer and tokenise everything (or find it in the cache), then show the first batch."""

    kind: Literal["prepare_data"] = "prepare_data"
    config: dict[str, dict[str, Any]]
    sample: str = ""


class TryBatch(Request):
    """Build the model and train a few steps, to measure: on random tokens of full length or, where `vocab_size` is 0,
    on the data's own batches."""

    kind: Literal["try_batch"] = "try_batch"
    config: dict[str, dict[str, Any]]
    vocab_size: int = Field(0, ge=0)
    steps: int = Field(3, ge=1, le=50)


AnyRequest = Annotated[
    Cancel
    | Describe
    | Generate
    | Classify
    | Translate
    | Fill
    | Inspect
    | Thumbnails
    | ViewAttention
    | ExportAttention
    | PreviewData
    | PrepareData
    | TryBatch,
    Field(discriminator="kind"),
]


# ── replies of the engine; `id` is the request's ─────────────────────────────────────────────────────────────────────


class Reply(Message):
    id: int
    final: bool = True


class Refused(Reply):
    """The request failed: one sentence, and details to copy."""

    kind: Literal["refused"] = "refused"
    sentence: str
    details: str = ""


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


class Candidate(Message):
    """A token that could stand here; `text` as it is written (a space stays a space)."""

    id: int
    text: str
    probability: float
    special: bool = False


class Token(Reply):
    """One generated token with the likeliest alternatives (itself among them where it is one of the likeliest)."""

    kind: Literal["token"] = "token"
    index: int
    token: Candidate
    alternatives: list[Candidate] = Field(default_factory=list)
    final: bool = False


class Generated(Reply):
    """`prompt_tokens` are the prompt's; `notice` says what was cut, if anything."""

    kind: Literal["generated"] = "generated"
    text: str
    prompt_tokens: list[str]
    num_tokens: int
    seconds: float
    reason: Literal["length", "end", "stop"]
    notice: str = ""


class Classified(Reply):
    kind: Literal["classified"] = "classified"
    labels: list[str]
    probabilities: list[float]
    tokens: list[str]
    notice: str = ""


class Hypothesis(Message):
    text: str
    score: float
    tokens: list[str]
    probabilities: list[float]


class Translated(Reply):
    """Best hypothesis first; the array `alignment` (T, S) is the best one's mean cross-attention by layer-mean."""

    kind: Literal["translated"] = "translated"
    hypotheses: list[Hypothesis]
    source_tokens: list[str]
    seconds: float
    notice: str = ""


class Mask(Message):
    position: int
    candidates: list[Candidate]


class Filled(Reply):
    """`text` has the likeliest candidates put in; `masks` are in the order of the text."""

    kind: Literal["filled"] = "filled"
    text: str
    tokens: list[str]
    masks: list[Mask]
    notice: str = ""


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
    """The array `thumbnails` is (layers, heads, n, m), uint8, 255 the largest weight of its head."""

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
    """`examples` counts all where that is quick to know, else it is None; lengths are in characters."""

    kind: Literal["data_previewed"] = "data_previewed"
    columns: list[str]
    roles: dict[str, str]
    rows: list[list[str]]
    examples: int | None
    notices: list[str] = Field(default_factory=list)


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
    | Inspected
    | ThumbnailsDrawn
    | AttentionViewed
    | Exported
    | DataPreviewed
    | DataPrepared
    | BatchTried,
    Field(discriminator="kind"),
]

EVENTS: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
REQUESTS: TypeAdapter[AnyRequest] = TypeAdapter(AnyRequest)
REPLIES: TypeAdapter[AnyReply] = TypeAdapter(AnyReply)


# ── wire form ────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_message(stream: BinaryIO, message: Message, arrays: Mapping[str, np.ndarray[Any, Any]] | None = None) -> None:
    """Write one message and its arrays, and flush."""
    body, payload = message.model_dump(mode="json"), []
    if arrays:
        payload = [np.ascontiguousarray(array) for array in arrays.values()]
        heads = zip(arrays, payload, strict=True)
        body["arrays"] = [{"name": name, "dtype": a.dtype.str, "shape": list(a.shape)} for name, a in heads]
    stream.write(json.dumps(body, ensure_ascii=False).encode() + b"\n")
    for array in payload:
        stream.write(array.data.cast("B") if array.size else b"")
    stream.flush()


class MessageDecoder(Generic[M]):
    """Turns the bytes of a pipe, in whatever pieces they come, into messages with their arrays."""

    def __init__(self, adapter: TypeAdapter[M]) -> None:
        self._adapter = adapter
        self._buffer = bytearray()
        self._line: bytes | None = None
        self._heads: list[tuple[str, np.dtype[Any], tuple[int, ...]]] = []

    def feed(self, data: bytes) -> Iterator[tuple[M, Arrays]]:
        """Every message that `data` completes; raises UserError for bytes that are no message."""
        self._buffer += data
        while self._line is not None or b"\n" in self._buffer:
            if self._line is None:
                end = self._buffer.index(b"\n")
                head = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._heads = _array_heads(head)
                self._line = head  # only now: a line with wrong arrays is done with
            size = sum(_num_bytes(dtype, shape) for _, dtype, shape in self._heads)
            if len(self._buffer) < size:
                return
            line, payload, self._line = self._line, bytes(self._buffer[:size]), None
            del self._buffer[:size]
            yield self._message(line), _split(payload, self._heads)
        if len(self._buffer) > MAX_LINE_BYTES:
            raise UserError("a message of more than 64 MB without an end")

    def _message(self, line: bytes) -> M:
        try:
            return self._adapter.validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UserError(f"not a message: {where or 'line'}: {first['msg']}", str(error)) from None


def _array_heads(line: bytes) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    if b'"arrays"' not in line:
        return []
    try:
        heads = [(h["name"], np.dtype(h["dtype"]), tuple(h["shape"])) for h in json.loads(line).get("arrays", [])]
        if any(_num_bytes(dtype, shape) > MAX_ARRAY_BYTES or dtype.hasobject for _, dtype, shape in heads):
            raise ValueError("too large")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"a message with wrong arrays: {error}") from None
    return heads


def _num_bytes(dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError("negative shape")
    size = dtype.itemsize
    for n in shape:
        size *= n
    return size


def _split(payload: bytes, heads: list[tuple[str, np.dtype[Any], tuple[int, ...]]]) -> Arrays:
    arrays, start = {}, 0
    for name, dtype, shape in heads:
        end = start + _num_bytes(dtype, shape)
        arrays[name] = np.frombuffer(payload[start:end], dtype).reshape(shape)
        start = end
    return arrays
