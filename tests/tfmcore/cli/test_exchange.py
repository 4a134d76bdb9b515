"""import and export: there and back, said in lines and in JSON, and refused in a sentence."""

import json

import pytest

from tfmcore.config import SavedModel, find_preset


@pytest.fixture
def bert(model_folder):
    switches = dict(find_preset("bert-mini").sections["model"])
    del switches["architecture"]
    return model_folder("masked", **switches)


def test_there_and_back(tfm, bert, tmp_path):
    exported = tfm("export", bert, "-o", tmp_path / "hf")
    assert (exported.code, exported.err) == (0, "")
    assert "BERT, BertForMaskedLM; config.json" in exported.out
    imported = tfm("import", tmp_path / "hf", "-o", tmp_path / "back")
    assert imported.code == 0
    assert "read (42): bert.embeddings.LayerNorm.bias, " in imported.err
    assert imported.err.count("\n") == 1, "nothing is ignored, nothing added"
    assert "BERT for masked language modeling" in imported.out
    assert SavedModel.read(tmp_path / "back").family == "bert"
    assert (tmp_path / "back" / "model.safetensors").stat().st_size > 0
    filled = tfm("fill", tmp_path / "back", "The [MASK]og")
    assert filled.code == 0


def test_as_json(tfm, bert, tmp_path):
    exported = json.loads(tfm("export", bert, "-o", tmp_path / "hf", "--json").out)
    assert exported["architecture"] == "BertForMaskedLM"
    assert "model.safetensors" in exported["files"]
    imported = json.loads(tfm("import", tmp_path / "hf", "-o", tmp_path / "back", "--json").out)
    assert (imported["family"], imported["task"]) == ("BERT", "masked_language_modeling")
    assert (imported["ignored"], imported["added"]) == ([], [])
    assert "bert.embeddings.word_embeddings.weight" in imported["read"]


def test_onnx(tfm, model_folder, tmp_path):
    exported = tfm("export", model_folder("tagger"), "-o", tmp_path / "onnx", "--format", "onnx", "--json")
    assert (exported.code, exported.err) == (0, "")
    facts = json.loads(exported.out)
    assert facts["files"] == ["config.json", "model.onnx", "tokenizer.json"]
    assert facts["difference"] < 1e-4


def test_refusals(tfm, bert, model_folder, tmp_path):
    lacking = tfm("export", model_folder("translator"), "-o", tmp_path / "hf")
    assert (lacking.code, lacking.out) == (2, "")
    assert "transformers" in lacking.err
    tfm("export", bert, "-o", tmp_path / "hf")
    assert "exists already" in tfm("export", bert, "-o", tmp_path / "hf").err
    assert "is not a folder" in tfm("import", tmp_path / "nothing", "-o", tmp_path / "m").err
    assert "already" in tfm("import", bert, "-o", tmp_path / "m").err
    assert not (tmp_path / "m").exists()
