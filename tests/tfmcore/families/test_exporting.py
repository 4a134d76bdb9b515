"""Model folders that become Hugging Face folders, and those that cannot, with the switches that keep them from it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tfmcore.families.cases import CASES
from tests.tfmcore.families.conftest import WORDS
from tfmcore.config import Config, SavedModel, UserError, find_preset
from tfmcore.families.exporting import export_model, find_place
from tfmcore.families.importing import import_model
from tfmcore.families.switches import effective
from tfmcore.models import load_model

ModelFolder = Callable[..., Path]


@pytest.mark.parametrize("name", ["bert", "t5-v1.1", "bart", "gpt2", "llama3", "gemma3"])
def test_there_and_back(name: str, hf_originals: Callable[[str, str], Path], tmp_path: Path) -> None:
    """The same weights to the bit, the same switches, and a tokenizer that transformers reads alike."""
    from transformers import AutoTokenizer

    ending = CASES[name].classes[-1]
    import_model(hf_originals(name, ending), tmp_path / "first")
    written = export_model(tmp_path / "first", tmp_path / "hf")
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= set(written.files)
    again = import_model(tmp_path / "hf", tmp_path / "second")
    first, saved = load_model(tmp_path / "first")
    assert effective(again.saved) == effective(saved)
    assert again.saved.model_copy(update={"model": saved.model}) == saved
    for mine, same in zip(first.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(mine, same)
    theirs = AutoTokenizer.from_pretrained(tmp_path / "hf", local_files_only=True)
    assert theirs("word3 word1", add_special_tokens=False).input_ids == [WORDS.index("word3"), WORDS.index("word1")]
    assert theirs.pad_token_id == json.loads((tmp_path / "hf" / "config.json").read_text())["pad_token_id"]


def switches(preset: str) -> dict[str, Any]:
    return {name: value for name, value in find_preset(preset).sections["model"].items() if name != "architecture"}


def test_a_model_of_ones_own(model_folder: ModelFolder, tmp_path: Path) -> None:
    """One that was never imported finds its family by its switches."""
    folder = model_folder("masked", **switches("bert-mini"))
    written = export_model(folder, tmp_path / "hf")
    assert (written.family.name, written.architecture) == ("bert", "BertForMaskedLM")
    with pytest.raises(UserError, match="exists already"):
        export_model(folder, tmp_path / "hf")


def test_what_transformers_lacks_is_named(model_folder: ModelFolder, tmp_path: Path) -> None:
    paper = SavedModel.read(model_folder("translator", **switches("transformer-2017-mini")))
    with pytest.raises(UserError, match=r"has no such model: Marian, the nearest, cannot have .*sinusoid_layout"):
        find_place(paper)
    with pytest.raises(UserError, match="transformers has no such model") as caught:
        export_model(model_folder("translator"), tmp_path / "hf")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_value_without_a_word_is_named_alone() -> None:
    """Other keys that have no value, or are no switches, are not blamed."""
    model = Config.parse({"model": {"activation": "gelu_tanh"}}).model
    with pytest.raises(UserError, match=r"Llama, the nearest, cannot have activation = 'gelu_tanh'$"):
        find_place(SavedModel(task="language_modeling", vocab_size=300, model=model))
