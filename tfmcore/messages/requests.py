"""Requests to the engine."""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from tfmcore.messages.message import Message, ModelRequest, Request


class Cancel(Message):
    """Cancels the request `id`, queued or running; it then ends with Cancelled."""

    kind: Literal["cancel"] = "cancel"
    id: int


class Describe(ModelRequest):
    kind: Literal["describe"] = "describe"


WritingPrecision = Literal["fp32", "bf16", "int8"]


class WritingRequest(ModelRequest):
    """How a model writes: temperature 0 takes the likeliest; top_k 0, top_p 1, min_p 0 and repetition_penalty 1 change
    nothing; `beams` 2 and more search instead of drawing, and score summed log-probabilities ÷
    length ** length_penalty; `stop` ends before any of these texts; `precision` is that of the model's matrices."""

    max_new_tokens: int = Field(200, ge=1, le=100_000)
    temperature: float = Field(0.8, ge=0.0, le=10.0)
    top_k: int = Field(0, ge=0)
    top_p: float = Field(1.0, gt=0.0, le=1.0)
    min_p: float = Field(0.0, ge=0.0, le=1.0)
    repetition_penalty: float = Field(1.0, gt=0.0, le=10.0)
    beams: int = Field(1, ge=1, le=64)
    length_penalty: float = Field(1.0, ge=0.0, le=5.0)
    seed: int | None = None
    stop: list[str] = Field(default_factory=list)
    precision: WritingPrecision = "fp32"


class Generate(WritingRequest):
    """Write on after `prompt`, `separator` (None: the one that the model learned with) and the tokens
    `continuation`."""

    kind: Literal["generate"] = "generate"
    prompt: str
    separator: str | None = None
    continuation: list[int] = Field(default_factory=list)
    alternatives: int = Field(5, ge=0, le=50)


class Classify(ModelRequest):
    kind: Literal["classify"] = "classify"
    text: str
    pair: str = ""


class Translate(WritingRequest):
    """Write another text; `prefix` stands before `text`, None means the one that the model learned with."""

    kind: Literal["translate"] = "translate"
    text: str
    prefix: str | None = None
    temperature: float = Field(0.0, ge=0.0, le=10.0)


class Fill(ModelRequest):
    """`text` holds one or more masks, written [MASK]."""

    kind: Literal["fill"] = "fill"
    text: str
    candidates: int = Field(5, ge=1, le=50)


class Tag(ModelRequest):
    kind: Literal["tag"] = "tag"
    text: str


class Answer(ModelRequest):
    """The best answers to `question` that stand in `context`."""

    kind: Literal["answer"] = "answer"
    question: str
    context: str
    num_answers: int = Field(5, ge=1, le=50)


AttentionKind = Literal["encoder", "decoder", "cross"]


class InspectRequest(ModelRequest):
    """What a pinned text does inside the model; `second` is what a decoder writes (if empty, its own translation), or
    the text that an encoder reads after the first. The engine keeps the captures used last."""

    text: str
    second: str = ""


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


class FindBatch(Request):
    """Find the largest batch that fits into memory, of full sequences of `vocab_size` random tokens."""

    kind: Literal["find_batch"] = "find_batch"
    config: dict[str, dict[str, Any]]
    vocab_size: int = Field(ge=1)


class FindRate(Request):
    """Train from the beginning at a learning rate that rises from `lowest` to `highest`."""

    kind: Literal["find_rate"] = "find_rate"
    config: dict[str, dict[str, Any]]
    lowest: float = Field(1e-6, gt=0.0, le=100.0)
    highest: float = Field(1.0, gt=0.0, le=100.0)
    steps: int = Field(120, ge=2, le=10_000)


class ImportModel(Request):
    """Make a model folder of the Hugging Face folder `path`; an empty `name` means that folder's."""

    kind: Literal["import_model"] = "import_model"
    path: str
    name: str = ""


class ExportModel(ModelRequest):
    """Write the model into the new folder `path`."""

    kind: Literal["export_model"] = "export_model"
    path: str
    format: Literal["huggingface", "onnx"] = "huggingface"


AnyRequest = Annotated[
    Cancel
    | Describe
    | Generate
    | Classify
    | Translate
    | Fill
    | Tag
    | Answer
    | Inspect
    | Thumbnails
    | ViewAttention
    | ExportAttention
    | PreviewData
    | PrepareData
    | TryBatch
    | FindBatch
    | FindRate
    | ImportModel
    | ExportModel,
    Field(discriminator="kind"),
]

REQUESTS: TypeAdapter[AnyRequest] = TypeAdapter(AnyRequest)
