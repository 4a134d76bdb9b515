"""From a model folder of ours to ONNX files, each compared with the model in onnxruntime as soon as it is written."""

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tfmcore.config import SavedModel, UserError
from tfmcore.data.progress import Progress, silent
from tfmcore.data.tokenizers import Tokenizer
from tfmcore.families.staging import staged
from tfmcore.models import EncoderDecoderTransformer, Model, load_model

TOLERANCE = 1e-3
"""The largest difference between two ways of computing the same numbers in float32, as a share of the largest of them
where that is above 1."""
SIZES = ((2, 7), (3, 11))
"""Batch and length: of the texts that the exporter follows, then of others that the file is tried with too."""


@dataclass(frozen=True)
class OnnxExported:
    """The files that were written, and the largest `difference` between their answers and the model's."""

    files: list[str]
    notes: list[str]
    difference: float


@dataclass(frozen=True)
class Graph:
    """One file: the module that it computes, what to try it with by (batch, length), and the names of its answers."""

    file: str
    module: nn.Module
    inputs: Callable[[int, int], dict[str, Tensor]]
    outputs: tuple[str, ...]


class Whole(nn.Module):
    """An encoder or a decoder with its heads: (B, T) → logits, and those of the next sentence if there are such."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Any:
        out = self.model(input_ids, attention_mask, token_type_ids)
        return out.logits if out.next_sentence_logits is None else (out.logits, out.next_sentence_logits)


class Encoder(nn.Module):
    """The encoder beside a decoder: (B, S) → (B, S, D)."""

    def __init__(self, model: EncoderDecoderTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        return self.model.encode(input_ids, attention_mask, token_type_ids)[0]


class Decoder(nn.Module):
    """The decoder beside an encoder: ids (B, T) and memory (B, S, D) with its mask (B, S) → (B, T, V)."""

    def __init__(self, model: EncoderDecoderTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, encoder_hidden_states: Tensor, encoder_attention_mask: Tensor) -> Tensor:
        hidden = self.model.decode(input_ids, encoder_hidden_states, encoder_attention_mask).hidden
        logits: Tensor = self.model.head(hidden)
        return logits


def export_onnx(source: Path, target: Path, report: Progress = silent) -> OnnxExported:
    """Write the folder `target`, which is not there yet: model.onnx or, of an encoder-decoder, encoder_model.onnx and
    decoder_model.onnx, for batches and lengths of any size, with config.json and tokenizer.json. Raises UserError where
    the extra `onnx` is missing, and where onnxruntime computes something else."""
    need_libraries()
    report("Reading the model", 0, 0)
    model, saved = load_model(source)
    tokenizer = Tokenizer.load(source / "tokenizer.json")
    model.requires_grad_(False)
    found, differences = graphs(model, saved), []
    with staged(target) as folder:
        for number, graph in enumerate(found):
            report(f"Writing {graph.file}", number, len(found))
            write(graph, folder / graph.file)
            report(f"Comparing {graph.file} with the model", number, len(found))
            differences.append(compare(graph, folder / graph.file))
        saved.write(folder)
        tokenizer.save(folder / "tokenizer.json")
        files = sorted(path.name for path in folder.iterdir())
    difference = max(differences)
    return OnnxExported(files, [f"onnxruntime gives the model's outputs; they differ by {difference:.0e}."], difference)


def need_libraries() -> None:
    """Raise UserError unless the extra `onnx` is installed."""
    try:
        import onnx
        import onnxruntime
        import onnxscript
    except ImportError as error:
        raise UserError(f"Writing ONNX files needs {error.name}, which is not installed: pip install onnx onnxscript "
                        "onnxruntime") from None  # fmt: skip
    del onnx, onnxruntime, onnxscript


def graphs(model: Model, saved: SavedModel) -> list[Graph]:
    """The files that a model becomes, by the names that other programs give them too."""

    def texts(batch: int, length: int) -> dict[str, Tensor]:
        """Texts the first of which is whole, the others padded on the right."""
        length = min(length, saved.model.context_length)
        ids = torch.randint(saved.vocab_size, (batch, length), generator=torch.Generator().manual_seed(length))
        lengths = (length - 2 * torch.arange(batch)).clamp(min=1)
        real = (torch.arange(length) < lengths[:, None]).long()  # (B, T)
        types = {"token_type_ids": ids % 2} if saved.model.num_token_types else {}
        return {"input_ids": ids, "attention_mask": real, **types}

    if not isinstance(model, EncoderDecoderTransformer):
        beside = () if model.next_sentence_head is None else ("next_sentence_logits",)
        return [Graph("model.onnx", Whole(model).eval(), texts, ("logits", *beside))]
    encoder = Encoder(model).eval()

    def written(batch: int, length: int) -> dict[str, Tensor]:
        """What a decoder reads: texts a little longer than those that its encoder read."""
        read = texts(batch, length)
        memory = {"encoder_hidden_states": encoder(**read), "encoder_attention_mask": read["attention_mask"]}
        return {"input_ids": texts(batch, length + 1)["input_ids"], **memory}

    return [
        Graph("encoder_model.onnx", encoder, texts, ("last_hidden_state",)),
        Graph("decoder_model.onnx", Decoder(model).eval(), written, ("logits",)),
    ]


TALKERS = ("torch.onnx", "onnxscript", "onnx_ir")
"""Loggers of the exporter, whose warnings concern its developers."""
AXES = {"input_ids": "length", "encoder_hidden_states": "encoder_length", "encoder_attention_mask": "encoder_length"}


@torch.no_grad()
def write(graph: Graph, path: Path) -> None:
    """Let torch follow the module and write what it saw."""
    inputs = graph.inputs(*SIZES[0])
    shapes = {name: {0: "batch", 1: AXES.get(name, "length")} for name in inputs}
    for name in TALKERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                graph.module,
                kwargs=dict(inputs),
                dynamo=True,
                dynamic_shapes=shapes,
                input_names=list(inputs),
                output_names=list(graph.outputs),
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise UserError("ONNX has no operators for what this model computes", str(error)) from error
    assert program is not None
    program.save(path)


@torch.no_grad()
def compare(graph: Graph, path: Path) -> float:
    """The largest difference between the answers of the file and of the module, padding left out; raises UserError
    where they are not the same."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    largest = 0.0
    for batch, length in SIZES:
        inputs = graph.inputs(batch, length)
        theirs = session.run(list(graph.outputs), {name: tensor.numpy() for name, tensor in inputs.items()})
        ours = graph.module(**inputs)
        for mine, answer in zip(ours if isinstance(ours, tuple) else (ours,), theirs, strict=True):
            difference = farthest(mine, torch.from_numpy(answer), inputs)
            if not difference <= TOLERANCE * max(1.0, float(mine.abs().max())):
                raise UserError(f"{path.name} was not kept: onnxruntime gives different outputs, by {difference:.3g}")
            largest = max(largest, difference)
    return largest


def farthest(ours: Tensor, theirs: Tensor, inputs: Mapping[str, Tensor]) -> float:
    """The greatest difference between two answers (B, …), or (B, T, …) where those at padding do not count."""
    if ours.shape != theirs.shape:
        return float("inf")
    difference = (ours - theirs).abs()
    real = inputs.get("attention_mask")
    answers_tokens = real is not None and ours.shape[:2] == real.shape
    return float((difference[real.bool()] if answers_tokens and real is not None else difference).max())
