"""The same models from other libraries: what ours is measured beside."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Made(NamedTuple):
    """A model, how it makes logits (B, T, V) of a batch's inputs, and whether its AdamW is fused on a processor too."""

    model: nn.Module
    logits_of: Callable[[nn.Module, dict[str, Tensor]], Tensor]
    fused: bool = True


def hugging_face(s: Any) -> Made:
    import transformers as hf

    V, D, L, H, T = s.vocab_size, s.d_model, s.num_layers, s.num_heads, s.context
    rates = {"attention_probs_dropout_prob": s.dropout, "hidden_dropout_prob": s.dropout}
    model: nn.Module
    if s.architecture == "decoder":
        rates = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), s.dropout)
        model = hf.GPT2LMHeadModel(
            hf.GPT2Config(vocab_size=V, n_positions=T, n_embd=D, n_layer=L, n_head=H, use_cache=False, **rates)
        )
    elif s.architecture == "encoder":
        sizes = {"num_attention_heads": H, "intermediate_size": 4 * D, "max_position_embeddings": T}
        model = hf.BertForMaskedLM(hf.BertConfig(vocab_size=V, hidden_size=D, num_hidden_layers=L, **sizes, **rates))
    else:
        model = hf.T5ForConditionalGeneration(
            hf.T5Config(
                vocab_size=V,
                d_model=D,
                d_kv=D // H,
                d_ff=4 * D,
                num_layers=L,
                num_heads=H,
                dropout_rate=s.dropout,
                use_cache=False,
            )
        )
    return Made(model, lambda model, inputs: model(**inputs).logits)


class TorchTransformer(nn.Module):
    """torch.nn's own layers with learned positions."""

    def __init__(self, s: Any) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(s.vocab_size, s.d_model), nn.Embedding(s.context, s.d_model)
        options = {"dropout": s.dropout, "activation": "gelu", "batch_first": True, "norm_first": True}
        layer = nn.TransformerEncoderLayer(s.d_model, s.num_heads, 4 * s.d_model, **options)
        self.encoder = nn.TransformerEncoder(layer, s.num_layers, enable_nested_tensor=False)
        self.decoder = None
        if s.architecture == "encoder_decoder":
            decoder = nn.TransformerDecoderLayer(s.d_model, s.num_heads, 4 * s.d_model, **options)
            self.decoder = nn.TransformerDecoder(decoder, s.num_layers)
        self.norm = nn.LayerNorm(s.d_model)
        self.causal = s.architecture == "decoder"

    def forward(self, input_ids: Tensor, decoder_input_ids: Tensor | None = None) -> Tensor:
        device = input_ids.device
        mask = nn.Transformer.generate_square_subsequent_mask(input_ids.shape[1], device) if self.causal else None
        x = self.encoder(self.embed(input_ids), mask, is_causal=self.causal)
        if self.decoder is not None and decoder_input_ids is not None:
            mask = nn.Transformer.generate_square_subsequent_mask(decoder_input_ids.shape[1], device)
            x = self.decoder(self.embed(decoder_input_ids), x, mask, tgt_is_causal=True)
        return F.linear(self.norm(x), self.tokens.weight)

    def embed(self, ids: Tensor) -> Tensor:
        return self.tokens(ids) + self.positions.weight[: ids.shape[1]]


def torch_nn(s: Any) -> Made:
    return Made(TorchTransformer(s), lambda model, inputs: model(**inputs))


LARGE = 10_000


class PlainGPT(nn.Module):
    """GPT-2 in as few operations as its peers' shortest training codes have: one matrix for queries, keys and values,
    torch's fused attention, the exact gelu, and logits of the tied embedding. A large vocabulary is a multiple of 64
    there, which suits a GPU."""

    def __init__(self, s: Any) -> None:
        super().__init__()
        D = s.d_model
        self.num_heads, self.dropout = s.num_heads, nn.Dropout(s.dropout)
        rows = s.vocab_size if s.vocab_size < LARGE else -(-s.vocab_size // 64) * 64
        self.tokens, self.positions = nn.Embedding(rows, D), nn.Embedding(s.context, D)
        kinds = [nn.LayerNorm(D), nn.Linear(D, 3 * D), nn.Linear(D, D), nn.LayerNorm(D), nn.Linear(D, 4 * D)]
        self.blocks = nn.ModuleList(
            nn.ModuleList(copy.deepcopy([*kinds, nn.Linear(4 * D, D)])) for _ in range(s.num_layers)
        )
        self.norm = nn.LayerNorm(D)
        for weights in (module.weight for module in self.modules() if isinstance(module, nn.Linear | nn.Embedding)):
            nn.init.normal_(weights, std=0.02)

    def forward(self, input_ids: Tensor) -> Tensor:
        B, T = input_ids.shape
        x = self.dropout(self.tokens(input_ids) + self.positions(torch.arange(T, device=input_ids.device)))
        for norm, query_key_value, output, second_norm, widen, narrow in self.blocks:
            q, k, v = (
                each.view(B, T, self.num_heads, -1).transpose(1, 2) for each in query_key_value(norm(x)).chunk(3, -1)
            )
            mixed = F.scaled_dot_product_attention(q, k, v, None, self.dropout.p, is_causal=True)
            x = x + self.dropout(output(mixed.transpose(1, 2).reshape(B, T, -1)))
            x = x + self.dropout(narrow(F.gelu(widen(second_norm(x)))))
        return F.linear(self.norm(x), self.tokens.weight)


def plain_gpt(s: Any) -> Made | None:
    if s.architecture != "decoder":
        return None
    return Made(PlainGPT(s), lambda model, inputs: model(**inputs))


def nano_gpt(s: Any) -> Made | None:
    """The plain GPT in the loop of nanoGPT (github.com/karpathy/nanoGPT), which has AdamW fused on a GPU alone."""
    made = plain_gpt(s)
    return made and made._replace(fused=False)


def x_transformers(s: Any) -> Made | None:
    if not importlib.util.find_spec("x_transformers") or s.architecture == "encoder_decoder":
        return None
    import x_transformers as x

    kind = x.Decoder if s.architecture == "decoder" else x.Encoder
    layers = kind(dim=s.d_model, depth=s.num_layers, heads=s.num_heads, attn_flash=True,
                  attn_dim_head=s.d_model // s.num_heads, attn_dropout=s.dropout, ff_dropout=s.dropout)  # fmt: skip
    model = x.TransformerWrapper(num_tokens=s.vocab_size, max_seq_len=s.context, attn_layers=layers)
    return Made(model, lambda model, inputs: model(inputs["input_ids"]))


PEERS: dict[str, Callable[[Any], Made | None]] = {
    "transformers": hugging_face,
    "nanoGPT": nano_gpt,
    "plain GPT": plain_gpt,
    "torch.nn": torch_nn,
    "x-transformers": x_transformers,
}
