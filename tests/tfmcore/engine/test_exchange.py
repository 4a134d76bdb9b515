"""Models that come from Hugging Face folders and go to them, through the pipes of an engine."""

import json
from pathlib import Path

import pytest

from tfmcore.config import find_preset
from tfmcore.messages import Describe, Described, ExportModel, Imported, ImportModel, ModelExported, Refused


@pytest.fixture
def bert(model_folder):
    switches = dict(find_preset("bert-mini").sections["model"])
    del switches["architecture"]
    return str(model_folder("masked", **switches))


def test_there_and_back(start_engine, bert, tmp_path, monkeypatch):
    monkeypatch.setenv("TFM_WORKSPACE", str(tmp_path / "workspace"))
    engine = start_engine()
    exported, _ = engine.answer(ExportModel, model=bert, path=str(tmp_path / "hf"))
    assert isinstance(exported, ModelExported)
    assert "config.json" in exported.files
    imported, _ = engine.answer(ImportModel, path=str(tmp_path / "hf"))
    assert isinstance(imported, Imported)
    assert "bert.embeddings.word_embeddings.weight" in imported.read
    assert (imported.family, Path(imported.folder)) == ("BERT", tmp_path / "workspace" / "models" / "hf")
    described, _ = engine.answer(Describe, model=imported.folder)
    assert isinstance(described, Described)
    assert described.parameters == imported.parameters
    again, _ = engine.answer(ImportModel, path=str(tmp_path / "hf"))
    assert isinstance(again, Refused)
    assert "exists already" in again.sentence
    for name in ("..", "a/b", "a\\b"):
        refused, _ = engine.answer(ImportModel, path=str(tmp_path / "hf"), name=name)
        assert "plain name" in refused.sentence


def test_onnx(start_engine, bert, tmp_path):
    engine = start_engine()
    exported, _ = engine.answer(ExportModel, model=bert, path=str(tmp_path / "onnx"), format="onnx")
    assert isinstance(exported, ModelExported), exported
    assert exported.files == ["config.json", "model.onnx", "tokenizer.json"]
    assert "onnxruntime gives the model's outputs" in exported.notes[0]


@pytest.mark.fault(33)
def test_a_tokenizer_that_panics_leaves_the_engine_alive(start_engine, bert, tmp_path, monkeypatch):
    monkeypatch.setenv("TFM_WORKSPACE", str(tmp_path / "workspace"))
    engine = start_engine()
    engine.answer(ExportModel, model=bert, path=str(tmp_path / "hf"))
    raw = json.loads((tmp_path / "hf" / "tokenizer.json").read_text(encoding="utf-8"))
    raw["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}
    (tmp_path / "hf" / "tokenizer.json").write_text(json.dumps(raw), encoding="utf-8")
    refused, _ = engine.answer(ImportModel, path=str(tmp_path / "hf"))
    assert isinstance(refused, Refused)
    assert "is not a tokenizer that can be used" in refused.sentence
    assert b"panicked" in engine.errors
    assert isinstance(engine.answer(Describe, model=bert)[0], Described)
    assert list((tmp_path / "workspace" / "models").iterdir()) == []
