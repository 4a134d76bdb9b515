"""The families of decoders, small."""

from typing import Any

from tests.tfmcore.families.case import TINY, VOCABULARY, Case

CLASSIFIER = "ForSequenceClassification"
ALL = ("ForCausalLM", CLASSIFIER, "ForTokenClassification")
WRITER = ("ForCausalLM",)
IDS = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
GPT = {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 256, "vocab_size": VOCABULARY, **IDS}
GPT_NEO = {
    "hidden_size": 32,
    "num_layers": 3,
    "num_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 256,
    "vocab_size": VOCABULARY,
    "window_size": 8,
    **IDS,
}
LLAMA = {**TINY, **IDS, "num_key_value_heads": 2}
GEMMA = {**LLAMA, "head_dim": 12}
CAPPED = {"attn_logit_softcapping": 0.5, "final_logit_softcapping": 1.0}
LOCAL = ["sliding_attention", "full_attention", "sliding_attention"]
FEW = {"rope_theta": 100.0, "factor": 4.0}
"""Angles of which many turn often."""


def angles(kind: str, **more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, **FEW, **more}}


def rotated(prefix: str, config: dict[str, Any], classes: tuple[str, ...] = ALL, **more: Any) -> Case:
    """A model that tells positions only if it is told where padding on the left ends."""
    return Case(prefix, config, classes, left=True, told_positions=True, **more)


DECODER_CASES = {
    "gpt": rotated("OpenAIGPT", GPT, ("LMHeadModel", CLASSIFIER)),
    "gpt2": rotated("GPT2", {**GPT, "n_inner": 48}, ("LMHeadModel", CLASSIFIER, "ForTokenClassification")),
    "gpt2-by-layer": rotated("GPT2", {**GPT, "scale_attn_by_inverse_layer_idx": True}, ("LMHeadModel",)),
    "gpt-neo": rotated("GPTNeo", {**GPT_NEO, "attention_types": [[["global", "local", "local"], 1]]}),
    "gpt-neox": rotated("GPTNeoX", {**TINY, **IDS, "num_attention_heads": 2}),
    "gpt-neox-in-turn": rotated(
        "GPTNeoX",
        {**TINY, **IDS, **angles("linear", partial_rotary_factor=0.5), "use_parallel_residual": False},
        WRITER,
    ),
    "bloom": Case(
        "Bloom", {"hidden_size": 36, "n_layer": 3, "n_head": 6, "vocab_size": VOCABULARY, **IDS}, ALL, left=True
    ),
    "llama": rotated("Llama", LLAMA),
    "llama3": rotated(
        "Llama",
        {
            **LLAMA,
            **angles("llama3", low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64),
            "head_dim": 10,
            "attention_bias": True,
            "mlp_bias": True,
            "tie_word_embeddings": True,
        },
        WRITER,
    ),
    "llama-yarn": rotated(
        "Llama",
        {**LLAMA, **angles("yarn", beta_fast=2.0, beta_slow=0.36, original_max_position_embeddings=128)},
        WRITER,
    ),
    "llama-linear": rotated("Llama", {**LLAMA, **angles("linear")}, WRITER),
    "llama-dynamic": Case("Llama", {**LLAMA, **angles("dynamic"), "max_position_embeddings": 64}, WRITER, padded=False),
    "mistral": rotated("Mistral", {**LLAMA, "sliding_window": 8}),
    "qwen2": rotated("Qwen2", LLAMA),
    "qwen2-windows": rotated(
        "Qwen2",
        {**LLAMA, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1, "tie_word_embeddings": True},
        WRITER,
    ),
    "qwen3": rotated("Qwen3", {**LLAMA, "head_dim": 12}),
    "gemma": rotated("Gemma", GEMMA, norms=0.0),
    "gemma2": rotated(
        "Gemma2", {**GEMMA, **CAPPED, "sliding_window": 8, "layer_types": LOCAL, "query_pre_attn_scalar": 20}, norms=0.0
    ),
    "gemma2-global": rotated("Gemma2", {**GEMMA, **CAPPED, "layer_types": ["full_attention"] * 3}, WRITER, norms=0.0),
    "gemma3": rotated(
        "Gemma3",
        {**GEMMA, "sliding_window": 8, "layer_types": LOCAL, "query_pre_attn_scalar": 20},
        ("ForCausalLM", "TextForSequenceClassification"),
        config_prefix="Gemma3Text",
        norms=0.0,
    ),
    "gemma3-stretched": rotated(
        "Gemma3",
        {
            **GEMMA,
            "sliding_window": 8,
            "layer_types": LOCAL,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", **FEW},
                "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
            },
        },
        WRITER,
        config_prefix="Gemma3Text",
        norms=0.0,
    ),
}
