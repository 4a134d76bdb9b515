"""What is read, ignored, missing or refused of foreign folders; nothing that is refused leaves anything behind."""

import json
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from tfmcore.config import SavedModel, UserError
from tfmcore.data.tokenizers import Tokenizer
from tfmcore.families.importing import import_model, read_model
from tfmcore.inference.opened import open_model

WEIGHTS, CONFIG, INDEX = "model.safetensors", "config.json", "model.safetensors.index.json"
Edit = Callable[[dict[str, Any]], Any]


def refused(folder: Path, sentence: str) -> None:
    """One sentence of one line that matches, and no folder, half a folder or stage."""
    target = folder.parent / "made" / "model"
    with pytest.raises(UserError, match=sentence) as caught:
        import_model(folder, target)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    assert not target.parent.exists() or list(target.parent.iterdir()) == []


def edit_config(folder: Path, change: Edit) -> None:
    config = json.loads((folder / CONFIG).read_text())
    change(config)
    (folder / CONFIG).write_text(json.dumps(config))


def edit_tensors(folder: Path, change: Edit) -> None:
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    changed = change(tensors)
    safetensors.torch.save_file(changed if isinstance(changed, dict) else tensors, folder / WEIGHTS)


def test_a_model_folder_is_made(hf_folder: Path, tmp_path: Path) -> None:
    phases: list[str] = []
    found = import_model(hf_folder, tmp_path / "models" / "bert", lambda phase, done, total: phases.append(phase))
    opened = open_model(tmp_path / "models" / "bert")
    assert opened.saved.family == "bert"
    assert (found.ignored, found.added, found.notes) == ([], [], [])
    assert "bert.embeddings.word_embeddings.weight" in found.read
    tokenizer = opened.tokenizer
    assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id) == (
        0,
        1,
        2,
        3,
        4,
    )
    assert set(phases) == {"Reading tensors", "Writing the model"}
    with pytest.raises(UserError, match="exists already"):
        import_model(hf_folder, tmp_path / "models" / "bert")


def test_given_up_in_the_middle(hf_folder: Path, tmp_path: Path) -> None:
    class GivenUp(Exception):
        pass

    def report(phase: str, done: int, total: int) -> None:
        if done > 3:
            raise GivenUp

    with pytest.raises(GivenUp):
        import_model(hf_folder, tmp_path / "models" / "bert", report)
    assert list((tmp_path / "models").iterdir()) == []


def test_old_checkpoints(hf_folder: Path, tmp_path: Path) -> None:
    """No prefix, gamma and beta, buffers and copies: the same model."""
    whole = import_model(hf_folder, tmp_path / "whole").model

    def age(tensors: dict[str, Any]) -> dict[str, Any]:
        old = {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}
        for new, older in (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")):
            old = {name.replace(new, older): tensor for name, tensor in old.items()}
        old["embeddings.position_ids"] = torch.arange(256)[None]
        old["cls.predictions.decoder.weight"] = old["embeddings.word_embeddings.weight"].clone()
        old["cls.seq_relationship.weight"] = torch.zeros(2, 32)
        return old

    edit_tensors(hf_folder, age)
    edit_config(hf_folder, lambda config: config.pop("model_type"))
    found = import_model(hf_folder, tmp_path / "old")
    assert found.ignored == ["cls.predictions.decoder.weight", "cls.seq_relationship.weight", "embeddings.position_ids"]
    assert all(torch.equal(a, b) for a, b in zip(found.model.parameters(), whole.parameters(), strict=True))


def test_a_bare_model_gets_a_new_head(hf_folder: Path, tmp_path: Path) -> None:
    edit_config(hf_folder, lambda config: config.update(architectures=["BertModel"]))
    edit_tensors(hf_folder, lambda tensors: {n: t for n, t in tensors.items() if not n.startswith("cls.")})
    found = import_model(hf_folder, tmp_path / "bare")
    assert found.added == [
        "head.dense.weight",
        "head.dense.bias",
        "head.norm.weight",
        "head.norm.bias",
        "head.decoder.bias",
    ]
    assert "no head" in found.notes[0]
    assert all(weight.isfinite().all() for weight in found.model.parameters())
    assert dict(found.model.named_parameters())["head.norm.weight"].eq(1).all()


def test_labels_are_kept(hf_originals: Callable[[str, str], Path], tmp_path: Path) -> None:
    for ending in ("ForSequenceClassification", "ForTokenClassification"):
        import_model(hf_originals("bert", ending), tmp_path / ending)
        assert SavedModel.read(tmp_path / ending).labels == ["bad", "so so", "good"]


@pytest.mark.parametrize(
    ("kind", "labels", "note"),
    [
        ("multi_label_classification", 3, ["It was trained for multi-label classification"]),
        ("regression", 3, ["It was trained for regression"]),
        (None, 1, ["It was trained for regression"]),
        ("single_label_classification", 3, []),
        ([], 3, []),
    ],
)
def test_what_else_a_classifier_learned_is_said(
    kind: Any, labels: int, note: list[str], hf_originals: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """transformers makes of its logits something else than a softmax, which is what ours are shown as."""
    folder = Path(shutil.copytree(hf_originals("bert", "ForSequenceClassification"), tmp_path / "hf"))
    names = {str(n): f"label{n}" for n in range(labels)}
    edit_config(folder, lambda config: config.update(problem_type=kind, id2label=names))
    edit_tensors(folder, lambda tensors: {n: t[:labels] if "classifier" in n else t for n, t in tensors.items()})
    assert [found.partition(":")[0] for found in read_model(folder).notes] == note


def test_other_dtypes_and_unexpected_tensors(hf_folder: Path, tmp_path: Path) -> None:
    edit_tensors(hf_folder, lambda t: {n: w.bfloat16() for n, w in t.items()} | {"stray": torch.zeros(2)})
    found = import_model(hf_folder, tmp_path / "model")
    assert found.ignored == ["stray"]
    assert "1 tensors do not belong" in found.notes[0]
    assert found.notes[1] == "Weights in bfloat16 were converted to float32: the same values in twice the memory."
    assert {weight.dtype for weight in found.model.parameters()} == {torch.float32}


def test_the_tensors_decide_tying(hf_folder: Path, tmp_path: Path) -> None:
    def own(tensors: dict[str, Any]) -> None:
        tensors["cls.predictions.decoder.weight"] = torch.randn_like(tensors["bert.embeddings.word_embeddings.weight"])
        tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"].clone()

    edit_tensors(hf_folder, own)
    found = import_model(hf_folder, tmp_path / "model")
    assert not found.saved.model.tie_embeddings
    assert "its own matrix" in found.notes[0]


def shards(folder: Path, names: dict[str, str] | None = None) -> dict[str, str]:
    """Split the weights in two, and write an index that names them so."""
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    where = {name: f"model-{1 + n % 2}-of-2.safetensors" for n, name in enumerate(tensors)}
    for shard in set(where.values()):
        safetensors.torch.save_file({n: t for n, t in tensors.items() if where[n] == shard}, folder / shard)
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": names or where}))
    return where


def test_shards(hf_folder: Path, tmp_path: Path) -> None:
    whole = import_model(hf_folder, tmp_path / "whole").model
    shards(hf_folder)
    split = import_model(hf_folder, tmp_path / "split").model
    assert all(torch.equal(a, b) for a, b in zip(split.parameters(), whole.parameters(), strict=True))


INDEXES: dict[str, tuple[Any, str]] = {
    "parent": ({"weight_map": {"a": "../model-1-of-2.safetensors"}}, "no safetensors file of its own folder"),
    "absolute": ({"weight_map": {"a": "/etc/passwd"}}, "no safetensors file of its own folder"),
    "backslash": ({"weight_map": {"a": "..\\x.safetensors"}}, "no safetensors file of its own folder"),
    "folder": ({"weight_map": {"a": "b/x.safetensors"}}, "no safetensors file of its own folder"),
    "pickle": ({"weight_map": {"a": "x.bin"}}, "no safetensors file of its own folder"),
    "missing": ({"weight_map": {"a": "x.safetensors"}}, "is incomplete: x.safetensors is missing"),
    "no names": ({"weight_map": {"a": 3}}, "does not name"),
    "empty": ({"weight_map": {}}, "no usable"),
    "many names": ({"weight_map": {f"{n}": "x" for n in range(300_000)}}, "no usable|larger"),
    "no table": ([], "no usable"),
    "many shards": ({"weight_map": {f"{n}": f"{n}.safetensors" for n in range(2000)}}, "1 to 1000 files"),
}


@pytest.mark.fault(8, 9)
@pytest.mark.parametrize("fault", INDEXES)
def test_indexes_that_lie(fault: str, hf_folder: Path) -> None:
    shards(hf_folder)
    raw, sentence = INDEXES[fault]
    (hf_folder / INDEX).write_text(json.dumps(raw))
    refused(hf_folder, sentence)


def test_a_tensor_in_two_shards(hf_folder: Path) -> None:
    shards(hf_folder)
    tensors = safetensors.torch.load_file(hf_folder / "model-1-of-2.safetensors")
    safetensors.torch.save_file(tensors, hf_folder / "model-2-of-2.safetensors")
    refused(hf_folder, "which model-1-of-2.safetensors has too|which model-2-of-2.safetensors has too")


CONFIGS: dict[str, tuple[Edit, str]] = {
    "vocabulary of 10^12": (lambda c: c.update(vocab_size=10**12), "vocab_size"),
    "no heads": (lambda c: c.update(num_attention_heads=0), "num_attention_heads"),
    "heads that do not divide": (lambda c: c.update(num_attention_heads=3), "num_heads"),
    "layers below 0": (lambda c: c.update(num_hidden_layers=-1), "num_hidden_layers"),
    "text for a number": (lambda c: c.update(hidden_size="32"), "hidden_size"),
    "another family": (lambda c: c.update(model_type="perceiver"), "the model_type 'perceiver'"),
    "another head": (lambda c: c.update(architectures=["BertForMultipleChoice"]), "is not supported; those of"),
    "another activation": (lambda c: c.update(hidden_act="mish"), "hidden_act is 'mish'"),
    "a list for an activation": (lambda c: c.update(hidden_act=["gelu"]), "hidden_act"),
    "another position": (lambda c: c.update(position_embedding_type="relative_key"), "'absolute'"),
    "pruned": (lambda c: c.update(pruned_heads={"0": [1]}), "pruned_heads"),
    "code": (lambda c: c.update(auto_map={"AutoModel": "evil.Model"}), "auto_map"),
    "quantised": (lambda c: c.update(quantization_config={"bits": 4}), "quantization_config"),
    "unknown": (lambda c: c.update(attention_sinks=4), "unknown what attention_sinks = 4 means"),
    "a decoder": (lambda c: c.update(is_decoder=True), "is_decoder"),
}


@pytest.mark.fault(11, 12)
@pytest.mark.parametrize("fault", CONFIGS)
def test_configs_that_cannot_be_followed(fault: str, hf_folder: Path) -> None:
    change, sentence = CONFIGS[fault]
    edit_config(hf_folder, change)
    refused(hf_folder, sentence)


BROKEN: dict[str, tuple[bytes, str]] = {
    "cut": (b'{"model_type": "bert"', "not valid JSON"),
    "NaN": (b'{"model_type": "bert", "layer_norm_eps": NaN}', "NaN is not a number"),
    "infinite": (b'{"model_type": "bert", "layer_norm_eps": 1e999}', "1e999 is not a number"),
    "5000 digits": (b'{"vocab_size": ' + b"9" * 5000 + b"}", "not valid JSON"),
    "deep": (b"[" * 100_000, "not valid JSON"),
    "no table": (b"[]", "not a table"),
    "not UTF-8": (b"\xff\xfe", "not valid JSON"),
    "large": (b'{"a": "' + b"x" * 2_000_000 + b'"}', "too large"),
}


@pytest.mark.fault(11)
@pytest.mark.parametrize("fault", BROKEN)
def test_configs_that_are_none(fault: str, hf_folder: Path) -> None:
    raw, sentence = BROKEN[fault]
    (hf_folder / CONFIG).write_bytes(raw)
    refused(hf_folder, sentence)


@pytest.mark.fault(9)
def test_tensors_that_do_not_fit(hf_folder: Path) -> None:
    name = "bert.encoder.layer.0.output.dense.bias"
    tensors = safetensors.torch.load_file(hf_folder / WEIGHTS)
    safetensors.torch.save_file(tensors | {name: torch.zeros(1)}, hf_folder / WEIGHTS)
    refused(
        hf_folder, re.escape(f"the shape of {name} (this model's encoder.layers.0.feed_forward.output.bias) is [1]")
    )
    safetensors.torch.save_file({n: t for n, t in tensors.items() if n != name}, hf_folder / WEIGHTS)
    refused(hf_folder, f"the tensor {name} is missing")


@pytest.mark.fault(7)
def test_files_that_are_cut(hf_folder: Path) -> None:
    whole = (hf_folder / WEIGHTS).read_bytes()
    for size in (0, 7, 100, len(whole) - 1):
        (hf_folder / WEIGHTS).write_bytes(whole[:size])
        refused(hf_folder, "truncated")


@pytest.mark.fault(10)
def test_a_pickle_is_never_opened(hf_folder: Path, tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "touched",)

    (hf_folder / WEIGHTS).unlink()
    refused(hf_folder, "contains no weights")
    (hf_folder / "pytorch_model.bin").write_bytes(pickle.dumps(Touch()))
    refused(hf_folder, "only pytorch_model.bin, a pickle, which can run code and is never opened")
    (hf_folder / "pytorch_model.bin").rename(hf_folder / WEIGHTS)
    refused(hf_folder, "truncated")
    assert not (tmp_path / "touched").exists()


def test_folders_that_are_none(tmp_path: Path, hf_folder: Path) -> None:
    refused(tmp_path / "nothing", "is not a folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "config.json is missing")
    import_model(hf_folder, tmp_path / "ours")
    refused(tmp_path / "ours", "is already a model of Transformer Playground")


@pytest.mark.fault(14)
def test_more_tokens_than_the_model_knows(hf_folder: Path, tmp_path: Path) -> None:
    raw = json.loads((hf_folder / "tokenizer.json").read_text())
    raw["model"]["vocab"]["beyond"] = 60
    (hf_folder / "tokenizer.json").write_text(json.dumps(raw))
    assert "1 more tokens than the model" in import_model(hf_folder, tmp_path / "m").notes[0]
    with pytest.raises(UserError, match="token ' beyond' at position 2 has the id 60"):
        open_model(tmp_path / "m").encode("word1 beyond")


def test_no_tokenizer(hf_folder: Path) -> None:
    (hf_folder / "tokenizer.json").unlink()
    refused(hf_folder, "contains no tokenizer")


PANICS: dict[str, Edit] = {
    "merge shorter than its prefix": lambda raw: raw.update(
        model={
            "type": "BPE",
            "continuing_subword_prefix": "##",
            "vocab": {"a": 0, "b": 1, "ab": 2},
            "merges": ["a b"],
        }
    ),
    "no map of characters": lambda raw: raw.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
}


@pytest.mark.fault(33)
@pytest.mark.parametrize("fault", PANICS)
def test_a_tokenizer_that_panics(fault: str, hf_folder: Path) -> None:
    raw = json.loads((hf_folder / "tokenizer.json").read_text())
    PANICS[fault](raw)
    (hf_folder / "tokenizer.json").write_text(json.dumps(raw))
    refused(hf_folder, "is not a tokenizer that can be used")


@pytest.mark.fault(33)
def test_a_tokenizer_that_panics_when_it_reads(hf_folder: Path, tmp_path: Path) -> None:
    raw = json.loads((hf_folder / "tokenizer.json").read_text())
    raw["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": "BAAAAP////8="}
    (hf_folder / "tokenizer.json").write_text(json.dumps(raw))
    import_model(hf_folder, tmp_path / "m")
    with pytest.raises(UserError, match="the tokenizer cannot read"):
        Tokenizer.load(tmp_path / "m" / "tokenizer.json").encode("word1")
