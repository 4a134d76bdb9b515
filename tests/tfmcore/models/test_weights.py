"""Weights on disk: what is saved comes back, and no damaged or hostile file does harm."""

import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from tfmcore.config import ModelConfig, SavedModel, UserError
from tfmcore.models import Model, build, load_model, save_weights, weights
from tfmcore.models.weights import load_weights

TASK = {"encoder": "masked_language_modeling", "decoder": "language_modeling", "encoder_decoder": "translation"}
TINY = ModelConfig(d_model=8, num_layers=1, num_heads=2)


def write(folder: Path, config: ModelConfig = TINY) -> Model:
    saved = SavedModel(task=TASK[config.architecture], vocab_size=11, model=config)
    model = build(saved)
    saved.write(folder)
    save_weights(model, folder / "model.safetensors")
    return model


def refused(folder: Path, sentence: str) -> None:
    """Loading raises one UserError of one line that matches `sentence`."""
    with pytest.raises(UserError, match=sentence) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_every_switch_comes_back(computed: ModelConfig, tmp_path: Path) -> None:
    model = write(tmp_path, computed)
    loaded, saved = load_model(tmp_path)
    assert saved.model == computed
    assert not loaded.training
    for (name, ours), (same, theirs) in zip(model.named_parameters(), loaded.named_parameters(), strict=True):
        assert name == same
        assert torch.equal(ours, theirs)


def test_the_file_is_plain_safetensors(tmp_path: Path) -> None:
    model = write(tmp_path)
    tensors = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert tensors.keys() == dict(model.named_parameters()).keys()
    assert "head.projection.weight" not in tensors  # tied: it is the embedding's matrix
    assert all(torch.equal(tensors[name], weight) for name, weight in model.named_parameters())
    safetensors.torch.save_file(tensors, tmp_path / "model.safetensors")
    load_model(tmp_path)


def test_other_dtypes(tmp_path: Path) -> None:
    model = write(tmp_path)
    save_weights(build(SavedModel(task="language_modeling", vocab_size=11, model=TINY)).bfloat16(), tmp_path / "b")
    load_weights(model, tmp_path / "b")
    assert model.device.type == "cpu"
    assert all(torch.equal(weight, weight.bfloat16().float()) for weight in model.parameters())


def edit(change: Callable[[dict[str, Any]], Any], path: Path) -> None:
    """Rewrite the header of a safetensors file, leaving its data."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    text = change(header)
    text = text if isinstance(text, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])


NAME = "embedding.tokens.weight"
HEADERS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "not json": (lambda header: b"{", "damaged header"),
    "not utf-8": (lambda header: b"\xff\xfe\xfd", "damaged header"),
    "not a table": (lambda header: b"[1]", "not a table"),
    "deep": (lambda header: b"[" * 100_000, "damaged header"),
    "long number": (lambda header: b'{"a": ' + b"9" * 5000 + b"}", "damaged header"),
    "twice": (lambda header: (text := json.dumps(header).encode())[:-1] + b", " + text[1:], "occurs twice"),
    "overlap": (lambda header: header[NAME].update(data_offsets=[32, 384]), "overlap"),
    "gap": (lambda header: header.pop(NAME), "overlap or do not fill"),
    "huge shape": (lambda header: header[NAME].update(shape=[2**40, 2**40]), "the dtype, shape or offset"),
    "negative": (lambda header: header[NAME].update(shape=[-11, -8]), "the dtype, shape or offset"),
    "bool": (lambda header: header[NAME].update(shape=[True, 88]), "the dtype, shape or offset"),
    "past the end": (lambda header: header[NAME].update(data_offsets=[2**62, 2**62 + 352]), "overlap"),
    "unknown dtype": (lambda header: header[NAME].update(dtype="F8"), "the dtype, shape or offset"),
    "no shape": (lambda header: header[NAME].pop("shape"), "the dtype, shape or offset"),
    "three offsets": (lambda header: header[NAME].update(data_offsets=[0, 1, 2]), "the dtype, shape or offset"),
    "no tensor": (lambda header: header.update({NAME: 3}), "the dtype, shape or offset"),
    "other shape": (lambda header: header[NAME].update(shape=[8, 11]), re.escape("[8, 11], the model's [11, 8]")),
    "missing": (lambda header: header.update(other=header.pop(NAME)), f"the tensor {NAME} is missing"),
    "300 000 names": (
        lambda header: header.update({f"{i}" * 9: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
                                      for i in range(300_000)}),
        "more than any model",
    ),
}  # fmt: skip


@pytest.mark.fault(7, 8, 9)
@pytest.mark.parametrize("fault", HEADERS)
def test_damaged_headers(fault: str, tmp_path: Path) -> None:
    write(tmp_path)
    change, sentence = HEADERS[fault]
    edit(change, tmp_path / "model.safetensors")
    refused(tmp_path, sentence)


@pytest.mark.fault(7)
def test_files_that_are_cut(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "model.safetensors"
    whole = path.read_bytes()
    for size in (0, 1, 7, 8, 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        refused(tmp_path, "truncated")
    path.write_bytes((2**63).to_bytes(8, "little") + whole[8:])
    refused(tmp_path, "truncated")
    path.write_bytes(whole + b"x")
    refused(tmp_path, "do not fill the file")


@pytest.mark.fault(5)
def test_a_file_that_is_cut_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    path = tmp_path / "model.safetensors"
    monkeypatch.setattr(weights, "_compare", lambda *_: os.truncate(path, path.stat().st_size - 400))
    refused(tmp_path, "was truncated while it was read")


@pytest.mark.fault(9)
def test_an_extra_tensor_is_named(tmp_path: Path) -> None:
    model = write(tmp_path)
    tensors = {name: weight.detach() for name, weight in model.named_parameters()} | {"stray": torch.zeros(2)}
    safetensors.torch.save_file(tensors, tmp_path / "model.safetensors")
    refused(tmp_path, "the model has no tensor stray")


@pytest.mark.fault(10)
def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "touched",)

    write(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    refused(tmp_path, "contains no weights: model.safetensors is missing")
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Touch()))
    refused(tmp_path, "only pytorch_model.bin, a pickle, which can run code and is never opened")
    (tmp_path / "pytorch_model.bin").rename(tmp_path / "model.safetensors")
    refused(tmp_path, "truncated")
    assert not (tmp_path / "touched").exists()


@pytest.mark.fault(11)
def test_nothing_large_is_allocated_for_a_lie(tmp_path: Path) -> None:
    write(tmp_path)
    huge = SavedModel(task="language_modeling", vocab_size=4_000_000, model=ModelConfig(d_model=65_536, num_layers=9))
    huge.write(tmp_path)
    refused(tmp_path, "the shape of embedding.tokens.weight is")
