"""The families of encoder-decoders, small."""

from typing import Any

import torch

from tests.tfmcore.families.case import VOCABULARY, Case

SEQ2SEQ = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 256,
}
T5 = {"d_model": 32, "d_kv": 6, "d_ff": 48, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4}


def untie(model: Any) -> None:
    """T5 1.1: an output layer of its own, which this version of transformers ties until it is told otherwise."""
    model.lm_head.weight = torch.nn.Parameter(0.08 * torch.randn_like(model.lm_head.weight))
    model._tied_weights_keys = {k: v for k, v in model._tied_weights_keys.items() if k != "lm_head.weight"}
    model.all_tied_weights_keys.pop("lm_head.weight", None)


SEQ2SEQ_CASES = {
    "t5": Case("T5", {**T5, "vocab_size": VOCABULARY, "decoder_start_token_id": 0}, ("ForConditionalGeneration",)),
    "t5-v1.1": Case(
        "T5",
        {
            **T5,
            "vocab_size": VOCABULARY,
            "feed_forward_proj": "gated-gelu",
            "tie_word_embeddings": False,
            "decoder_start_token_id": 0,
        },
        ("ForConditionalGeneration",),
        change=untie,
    ),
    "mt5": Case(
        "MT5",
        {**T5, "vocab_size": VOCABULARY, "decoder_start_token_id": 0},
        ("ForConditionalGeneration",),
        change=untie,
    ),
    "bart": Case("Bart", SEQ2SEQ, ("ForConditionalGeneration",)),
    "marian": Case(
        "Marian",
        {
            **SEQ2SEQ,
            "activation_function": "swish",
            "scale_embedding": True,
            "pad_token_id": 0,
            "eos_token_id": 1,
            "forced_eos_token_id": 1,
            "decoder_start_token_id": 0,
        },
        ("MTModel",),
    ),
}
