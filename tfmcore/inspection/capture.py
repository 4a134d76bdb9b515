"""All attention of a text, layer by layer as the model computes it, kept as float16."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import nn

from tfmcore.config import UserError
from tfmcore.data.progress import Progress, silent
from tfmcore.inference.decoding import check_number
from tfmcore.inference.opened import Encoded, OpenedModel
from tfmcore.inference.translate import translate_ids
from tfmcore.inspection.views import Weights
from tfmcore.messages import AttentionKind
from tfmcore.models import EncoderDecoderTransformer


@dataclass(frozen=True)
class Attention:
    """One kind of attention: weights (L, H, T, S) float16; T queries are `rows`, S keys are `columns`."""

    weights: Weights
    rows: Encoded
    columns: Encoded


@dataclass(frozen=True)
class Capture:
    """What a text made the model look at, by kind; `notice` says what of the text was left out, if anything."""

    attentions: dict[AttentionKind, Attention]
    notice: str = ""

    @property
    def bytes(self) -> int:
        return sum(attention.weights.nbytes for attention in self.attentions.values())

    def kind(self, kind: AttentionKind) -> Attention:
        """Raises UserError for a kind that this model does not have."""
        if kind not in self.attentions:
            raise UserError(f"this model has no {kind} attention, only {' and '.join(self.attentions)}")
        return self.attentions[kind]

    def layer(self, kind: AttentionKind, layer: int, heads: Sequence[int] = ()) -> Weights:
        """The weights (H, T, S) of a layer; raises UserError for a layer or a head that there is not."""
        weights = self.kind(kind).weights
        if layer >= len(weights):
            raise UserError(f"there is no layer {layer}: this model's {kind} attention has {len(weights)}, from 0")
        if wrong := [head for head in heads if not 0 <= head < weights.shape[1]]:
            raise UserError(f"there is no head {wrong[0]}: a layer has {weights.shape[1]}, from 0")
        found: Weights = weights[layer]
        return found

    def export(self, path: Path) -> None:
        """Write every weight and token to an .npz file: arrays `encoder`, `decoder`, `cross` (L, H, T, S) and their
        `…_rows` and `…_columns`. An older file stays until the new one is whole; raises UserError."""
        arrays: dict[str, Any] = {}
        for kind, attention in self.attentions.items():
            arrays[kind] = attention.weights
            arrays[f"{kind}_rows"], arrays[f"{kind}_columns"] = attention.rows.tokens, attention.columns.tokens
        temporary = path.with_name(f".{path.name}.part")
        try:
            with open(temporary, "wb") as file:
                np.savez(file, **arrays)
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise UserError(f"{path} cannot be written: {error.strerror}") from None


def capture(opened: OpenedModel, text: str, second: str = "", progress: Progress = silent) -> Capture:
    """Run the model on `text` and keep all attention: a translator's on `second` as its target, or on its own
    translation; an encoder's on the two texts as a pair, or on the question and its context.

    Raises UserError where it would not fit the free memory, and for damaged weights.
    """
    model = opened.model
    H, device = opened.saved.model.num_heads, opened.device
    if isinstance(model, EncoderDecoderTransformer):
        source = opened.encode(text)
        written = opened.encode_target(second) if second else opened.as_target(translate_ids(opened, source))
        axes: dict[AttentionKind, tuple[Encoded, Encoded]] = {
            "encoder": (source, source), "decoder": (written, written), "cross": (written, source),
        }  # fmt: skip
        layers = {"encoder": model.encoder.layers, "decoder": model.decoder.layers}
        inputs = {**source.inputs(device), "decoder_input_ids": torch.tensor([written.ids], device=device)}
    else:
        kind: AttentionKind = "encoder" if opened.saved.model.architecture == "encoder" else "decoder"
        source = written = opened.encode(text, second)
        axes, layers = {kind: (source, source)}, {kind: getattr(model, kind).layers}
        inputs = source.inputs(device)
    counts = {kind: len(layers["decoder" if kind == "cross" else kind]) for kind in axes}
    shapes = {kind: (counts[kind], H, len(rows.ids), len(columns.ids)) for kind, (rows, columns) in axes.items()}
    _refuse_too_large(shapes)
    kept = {kind: np.empty(shape, np.float16) for kind, shape in shapes.items()}
    with _Keeper(layers, kept, progress), torch.inference_mode():
        model(**inputs, return_attention=True)
    attentions = {kind: Attention(kept[kind], rows, columns) for kind, (rows, columns) in axes.items()}
    return Capture(attentions, " ".join(filter(None, dict.fromkeys((source.notice, written.notice)))))


def _refuse_too_large(shapes: dict[AttentionKind, tuple[int, int, int, int]]) -> None:
    """Raise UserError where the weights, and one layer's at work (four tensors of float32), exceed the free memory."""
    kept = sum(2 * L * H * T * S for L, H, T, S in shapes.values())
    at_work = max(16 * H * T * S for _, H, T, S in shapes.values())
    free = psutil.virtual_memory().available
    if kept + at_work > free:
        raise UserError(
            f"the attention of this text needs {(kept + at_work) / 1e9:,.1f} GB and {free / 1e9:,.1f} GB are free: "
            "use a shorter text"
        )


class _Keeper:
    """While it is entered, each layer's weights move into `kept` as soon as they are computed."""

    def __init__(
        self, stacks: dict[str, nn.ModuleList], kept: dict[AttentionKind, Weights], progress: Progress
    ) -> None:
        self.stacks, self.kept, self.progress = stacks, kept, progress
        self.done, self.total = 0, sum(len(layers) for layers in stacks.values())
        self.handles: list[Any] = []

    def __enter__(self) -> None:
        for kind, layers in self.stacks.items():
            for index, layer in enumerate(layers):
                self.handles.append(layer.register_forward_hook(self._hook(kind, index)))

    def __exit__(self, *error: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _hook(self, kind: str, index: int) -> Callable[..., Any]:
        names = [kind, "cross"] if "cross" in self.kept and kind == "decoder" else [kind]

        def keep(layer: nn.Module, inputs: Any, outputs: tuple[Any, ...]) -> tuple[Any, ...]:
            for name, weights in zip(names, outputs[1:], strict=False):
                check_number(weights[0].sum().item())
                torch.from_numpy(self.kept[name][index]).copy_(weights[0])  # type: ignore[index]
            self.done += 1
            self.progress("Reading layer by layer", self.done, self.total)
            return (outputs[0], *(None for _ in outputs[1:]))

        return keep
