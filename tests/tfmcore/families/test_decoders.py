"""Configs and checkpoints of decoders as they lie about: older keys and names, and what cannot be followed."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from tests.tfmcore.families.cases import CASES
from tests.tfmcore.families.test_importing import WEIGHTS, edit_config, edit_tensors, refused
from tfmcore.config import ModelConfig, UserError
from tfmcore.families.importing import read_model
from tfmcore.families.keys import read_saved
from tfmcore.families.registry import FAMILIES

Fields = dict[str, Any]
LLAMA31 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
YARN = {"factor": 4.0, "original_max_position_embeddings": 32768}


def model_of(family: str, **theirs: Any) -> ModelConfig:
    """The switches of a config with these keys, and what a family says where there are no others."""
    saved, _ = read_saved(FAMILIES[family], FAMILIES[family].heads[0], theirs, Path("config.json"))
    return saved.model


SAYS: dict[str, tuple[str, Mapping[str, Any], Fields]] = {
    "nothing": ("llama", {}, {"rope_theta": 10_000.0, "rope_scaling": "none", "num_kv_heads": None}),
    "Llama 3.1's": (
        "llama",
        {
            "rope_theta": 500_000.0,
            "rope_scaling": {**LLAMA31, "rope_type": "llama3"},
            "max_position_embeddings": 131072,
        },
        {"rope_theta": 500_000.0, "rope_scaling": "llama3", "rope_factor": 8.0, "rope_original_length": 8192},
    ),
    "the same today": (
        "llama",
        {"rope_parameters": {**LLAMA31, "rope_type": "llama3", "rope_theta": 500_000.0}},
        {"rope_theta": 500_000.0, "rope_scaling": "llama3", "rope_factor": 8.0, "rope_original_length": 8192},
    ),
    "an old type": (
        "mistral",
        {"rope_scaling": {"type": "linear", "factor": 2}, "sliding_window": None},
        {"rope_scaling": "linear", "rope_factor": 2.0, "attention_window": None},
    ),
    "Qwen 2.5's yarn": (
        "qwen2",
        {"rope_theta": 1e6, "rope_scaling": {**YARN, "type": "yarn"}, "use_sliding_window": False, "sliding_window": 9},
        {"rope_theta": 1e6, "rope_scaling": "yarn", "rope_factor": 4.0, "attention_window": None, "layer_pattern": []},
    ),
    "yarn by lengths and scales": (
        "llama",
        {
            "rope_scaling": {**YARN, "rope_type": "yarn", "factor": None, "mscale": 2.0, "mscale_all_dim": 1.0},
            "max_position_embeddings": 131072,
        },
        {
            "rope_factor": 4.0,
            "rope_attention_factor": pytest.approx((0.2 * math.log(4.0) + 1.0) / (0.1 * math.log(4.0) + 1.0)),
        },
    ),
    "Pythia's": (
        "gpt-neox",
        {"rotary_pct": 0.5, "rotary_emb_base": 5000, "use_parallel_residual": False},
        {"rotary_share": 0.5, "rope_theta": 5000.0, "norm_placement": "pre"},
    ),
    "Gemma 3's": (
        "gemma3",
        {"rope_theta": 5e5, "rope_local_base_freq": 1000.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
        {
            "rope_theta": 5e5,
            "rope_theta_local": 1000.0,
            "rope_scaling": "linear",
            "layer_pattern": ["local"] * 5 + ["global"],
        },
    ),
    "Gemma 2's pattern": ("gemma2", {}, {"layer_pattern": ["local", "global"], "attention_scale": 0.0625}),
    "Gemma 1's gelu": ("gemma", {"hidden_act": "gelu"}, {"activation": "geglu_tanh"}),
    "GPT's gelu": ("gpt", {}, {"activation": "gelu_tanh", "norm_placement": "post"}),
    "GPT-Neo's pattern": ("gpt-neo", {}, {"layer_pattern": ["global", "local"] * 12, "attention_window": 256}),
    "windows from a layer on": (
        "qwen3",
        {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 2, "num_hidden_layers": 4},
        {"layer_pattern": ["global", "global", "local", "local"], "attention_window": 9},
    ),
    "BLOOM's width": ("bloom", {"n_embed": 48, "num_attention_heads": 4}, {"d_model": 48, "num_heads": 4}),
}


@pytest.mark.parametrize("name", SAYS)
def test_what_configs_say(name: str) -> None:
    family, theirs, wanted = SAYS[name]
    model = model_of(family, **theirs)
    assert {field: getattr(model, field) for field in wanted} == wanted


REFUSED: dict[str, tuple[str, Mapping[str, Any], str]] = {
    "another type": ("llama", {"rope_scaling": {"type": "longrope"}}, "rope_type is 'longrope'"),
    "a type that is none": ("llama", {"rope_parameters": {"rope_type": ["yarn"]}}, "rope_type is"),
    "no table": ("llama", {"rope_parameters": [1]}, "not a table"),
    "no factor": ("llama", {"rope_scaling": {"type": "dynamic"}}, "lacks the factor"),
    "a factor in words": ("llama", {"rope_scaling": {"type": "linear", "factor": "two"}}, "rope_factor"),
    "an unknown key": ("llama", {"rope_parameters": {"mrope_section": [1]}}, "mrope_section"),
    "part of a head": ("llama", {"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
    "yarn that is not cut": ("llama", {"rope_scaling": {**YARN, "type": "yarn", "truncate": False}}, "truncate"),
    "yarn of nothing": ("llama", {"rope_scaling": {"type": "yarn"}}, "makes no sense for yarn"),
    "yarn by zero": ("llama", {"rope_scaling": {"type": "yarn", "original_max_position_embeddings": 0}}, "no sense"),
    "an infinite wave": ("llama", {"rope_theta": 0.5}, "rope_theta"),
    "local angles stretched": (
        "gemma3",
        {"rope_parameters": {"sliding_attention": {"rope_type": "linear", "factor": 2.0}}},
        "local layers",
    ),
    "a kind of layer": ("qwen3", {"layer_types": ["chunked_attention"]}, "layer_types has 'chunked_attention'"),
    "no kinds of layer": ("qwen3", {"layer_types": "full_attention"}, "must be a list"),
    "windows of no width": ("qwen3", {"layer_types": ["sliding_attention"]}, "local layers need a window"),
    "layers without end": ("qwen2", {"num_hidden_layers": 10**12}, "not a number of layers"),
    "types without end": ("gpt-neo", {"attention_types": [[["global"] * 1000, 10**9]]}, "attention_types"),
    "types of another length": ("gpt-neo", {"num_layers": 2}, "attention_types"),
    "types that are none": ("gpt-neo", {"attention_types": {"global": 1}}, "attention_types"),
    "kinds that are none": ("gpt-neo", {"attention_types": [[[["global"]], 24]]}, "attention_types"),
    "a scale of nothing": ("gemma2", {"query_pre_attn_scalar": 0}, "query_pre_attn_scalar"),
    "both directions": ("gemma3", {"use_bidirectional_attention": True}, "use_bidirectional_attention"),
    "a soft cap that nothing applies": ("gemma3", {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping"),
    "scores that are not scaled": ("gpt2", {"scale_attn_weights": False}, "scale_attn_weights"),
    "the norm's result kept": ("bloom", {"apply_residual_connection_post_layernorm": True}, "residual"),
    "windows of a kind": ("mistral", {"layer_types": ["full_attention"]}, "layer_types"),
    "width of a head": ("deberta-v2", {"relative_attention": True, "pos_att_type": "c2p", "attention_head_size": 32},
                        "attention_head_size"),
}  # fmt: skip


@pytest.mark.fault(11)
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_followed(name: str) -> None:
    family, theirs, sentence = REFUSED[name]
    with pytest.raises(UserError, match=sentence) as caught:
        model_of(family, **theirs)
    assert "\n" not in str(caught.value)


def folder_of(name: str, folder: Path) -> tuple[Path, torch.Tensor]:
    """A checkpoint of a case, and what it answers to three tokens."""
    CASES[name].make(CASES[name].classes[0]).save_pretrained(folder)
    return folder, answer(folder)


@torch.inference_mode()
def answer(folder: Path) -> torch.Tensor:
    return read_model(folder).model(torch.tensor([[5, 3, 9]])).logits


def test_gpt2_as_it_was_published(tmp_path: Path) -> None:
    """Without a prefix, with the causal mask among its tensors and without names for special tokens."""
    folder, wanted = folder_of("gpt2", tmp_path)

    def age(tensors: Fields) -> Fields:
        old = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
        return old | {f"h.{n}.attn.bias": torch.ones(1, 1, 4, 4) for n in range(3)}

    edit_tensors(folder, age)
    assert torch.equal(answer(folder), wanted)
    assert read_model(folder).ignored == ["h.0.attn.bias", "h.1.attn.bias", "h.2.attn.bias"]


@pytest.mark.parametrize("spelling", ["embed_out.weight", "lm_head.weight"])
def test_both_names_of_neox_output(spelling: str, tmp_path: Path) -> None:
    folder, wanted = folder_of("gpt-neox", tmp_path)
    edit_tensors(
        folder,
        lambda tensors: {
            spelling if name in ("embed_out.weight", "lm_head.weight") else name: tensor
            for name, tensor in tensors.items()
        },
    )
    assert spelling in safetensors.torch.load_file(folder / WEIGHTS)
    assert torch.equal(answer(folder), wanted)


def test_keys_of_before_say_the_same(tmp_path: Path) -> None:
    """Llama's angles in the words of older programs."""
    folder, wanted = folder_of("llama3", tmp_path)

    def age(config: Fields) -> None:
        rope = config.pop("rope_parameters")
        config |= {"rope_theta": rope.pop("rope_theta"), "rope_scaling": rope}

    edit_config(folder, age)
    assert "rope_parameters" not in json.loads((folder / "config.json").read_text())
    assert torch.equal(answer(folder), wanted)


def test_a_classifier_without_its_head(tmp_path: Path, hf_originals: Callable[[str, str], Path]) -> None:
    """It is missing, not made up, where the config says that it is there."""
    folder = tmp_path / "llama"
    CASES["llama"].make("ForSequenceClassification").save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes((hf_originals("bert", "ForMaskedLM") / "tokenizer.json").read_bytes())
    edit_tensors(folder, lambda tensors: {name: tensor for name, tensor in tensors.items() if name != "score.weight"})
    refused(folder, "the tensor score.weight is missing")
