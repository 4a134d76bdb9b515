"""ONNX files answer in onnxruntime as the model does, whatever the batch, the length and the padding."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor

from tfmcore.config import SavedModel, UserError
from tfmcore.data.tokenizers import Tokenizer
from tfmcore.families.onnx import compare, export_onnx, graphs
from tfmcore.models import load_model

ModelFolder = Callable[..., Path]
STRETCHED = {"rope_scaling": "dynamic", "rope_factor": 2.0, "rope_original_length": 8}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "rotary": ("decoder", {"num_kv_heads": 2, "rotary_share": 0.5, **STRETCHED}),
    "learned": ("classifier", {"position": "learned", "pooling": "mean", "num_token_types": 2}),
    "alibi": ("tagger", {"position": "alibi", "attention_window": 3, "attention_softcap": 2.0}),
    "disentangled": ("reader", {"position": "disentangled", "attention_bias": True, "max_relative_positions": 6}),
    "relative buckets": ("masked", {"position": "relative_buckets", "norm": "layer", "next_sentence_head": True}),
    "sinusoidal": ("translator", {"position": "sinusoidal"}),
}


class Files:
    """The files of a folder in onnxruntime."""

    def __init__(self, folder: Path) -> None:
        self.sessions = {
            path.name: onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            for path in folder.glob("*.onnx")
        }

    def run(self, file: str, **inputs: Tensor) -> list[Tensor]:
        found = self.sessions[file].run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        return [torch.from_numpy(answer) for answer in found]


def texts(saved: SavedModel, length: int, left: bool, seed: int = 0) -> dict[str, Tensor]:
    """Three texts, two of them shorter."""
    ids = torch.randint(saved.vocab_size, (3, length), generator=torch.Generator().manual_seed(seed))
    real = torch.arange(length)[None] < torch.tensor([[length], [length - 2], [1]])
    types = {"token_type_ids": ids % 2} if saved.model.num_token_types else {}
    return {"input_ids": ids, "attention_mask": (real.flip(1) if left else real).long(), **types}


def close(found: Tensor, wanted: Tensor, real: Tensor) -> None:
    """The same but at padding, which only answers of single tokens have."""
    of_tokens = wanted.shape[:2] == real.shape
    found, wanted = (found[real], wanted[real]) if of_tokens else (found, wanted)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("case", CASES)
def test_onnxruntime_answers_as_the_model_does(case: str, model_folder: ModelFolder, tmp_path: Path) -> None:
    kind, fields = CASES[case]
    folder = model_folder(kind, **fields)
    written = export_onnx(folder, tmp_path / "out")
    assert written.difference < 1e-4
    assert SavedModel.read(tmp_path / "out") == SavedModel.read(folder)
    same, ours = (Tokenizer.load(where / "tokenizer.json").encode("The fox") for where in (folder, tmp_path / "out"))
    assert same == ours
    model, saved = load_model(folder)
    files = Files(tmp_path / "out")
    for length in (5, 33):
        for left in (False, True):
            inputs = texts(saved, length, left)
            real = inputs["attention_mask"].bool()
            if kind != "translator":
                out = model(**inputs)
                answers = [out.logits] if out.next_sentence_logits is None else [out.logits, out.next_sentence_logits]
                for found, wanted in zip(files.run("model.onnx", **inputs), answers, strict=True):
                    close(found, wanted, real)
                continue
            target = texts(saved, length + 3, False, seed=1)["input_ids"]
            (memory,) = files.run("encoder_model.onnx", **inputs)
            read = {"encoder_hidden_states": memory, "encoder_attention_mask": inputs["attention_mask"]}
            (found,) = files.run("decoder_model.onnx", input_ids=target, **read)
            close(found, model(**inputs, decoder_input_ids=target).logits, torch.ones_like(target).bool())


def test_refusals(model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not the model, a folder that is there, a library that is not: one sentence, nothing written."""
    folder = model_folder("masked", num_layers=1)
    export_onnx(folder, tmp_path / "out")
    with pytest.raises(UserError, match="exists already"):
        export_onnx(folder, tmp_path / "out")
    model, saved = load_model(folder)
    (graph,) = graphs(model, saved)
    assert compare(graph, tmp_path / "out" / "model.onnx") < 1e-4
    with torch.no_grad():
        model.encoder.layers[0].feed_forward.output.weight[0, 0] += 1.0
    with pytest.raises(UserError, match=r"model\.onnx was not kept: onnxruntime gives different outputs, by"):
        compare(graph, tmp_path / "out" / "model.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="onnxruntime, which is not installed: pip install") as caught:
        export_onnx(folder, tmp_path / "again")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
