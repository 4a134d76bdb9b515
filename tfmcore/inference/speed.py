"""How fast a model writes, and how much memory it reads for each token."""

import statistics
import time
from dataclasses import dataclass

import torch
from torch import nn

from tfmcore.inference.decoding import write_on
from tfmcore.inference.quantization import prepared
from tfmcore.inference.reading import Writer, source_of
from tfmcore.messages import WritingPrecision
from tfmcore.nn.attention import MultiHeadAttention
from tfmcore.nn.heads import LanguageModelHead
from tfmcore.nn.kernels.packed import PackedLinear

PROMPT = 32


@dataclass(frozen=True)
class WritingSpeed:
    """The median of the tokens written; `bytes_per_token` are those of the matrices that each token passes."""

    tokens_per_second: float
    bytes_per_token: int


@torch.inference_mode()
def writing_speed(model: Writer, precision: WritingPrecision, new_tokens: int = 48) -> WritingSpeed:
    """Write after a prompt of at most 32 tokens, half of the context at the most, but two tokens in any case."""
    ids = [0] * max(1, min(PROMPT, model.config.context_length // 2))
    new = max(2, min(new_tokens, model.config.context_length - len(ids)))
    ready = prepared(model, precision)
    seconds, begin = [], 0.0
    for _ in write_on(ready, ids, max_new_tokens=new, source=source_of(ready, ids)):
        end = time.perf_counter()
        seconds.append(end - begin)
        begin = end
    return WritingSpeed(1 / statistics.median(seconds[1:]), _num_bytes(ready))  # the first of them reads the prompt


def _num_bytes(model: Writer) -> int:
    assert isinstance(model.head, LanguageModelHead)
    of_memory = [module.key_value for module in model.decoder.modules() if isinstance(module, MultiHeadAttention)]
    modules = [module for module in model.decoder.modules() if module not in of_memory]  # which is projected once
    modules.append(model.head.packed or model.head.projection)
    packed = sum(module.num_bytes for module in modules if isinstance(module, PackedLinear))
    return packed + sum(module.weight.nbytes for module in modules if isinstance(module, nn.Linear | nn.Embedding))
