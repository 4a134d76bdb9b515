"""From a source text to a target text: greedy, drawn or by beams, one text or many."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tfmcore.inference.decoding import finish, write_batch
from tfmcore.inference.opened import Encoded, OpenedModel
from tfmcore.inference.reading import Source, read_source
from tfmcore.inference.sampling import GREEDY
from tfmcore.inference.writing import Ending, Hypothesis, Manner, write_ids
from tfmcore.models import EncoderDecoderTransformer

GREEDILY = Manner(sampling=GREEDY)


@dataclass(frozen=True)
class Translation:
    """Hypotheses with their texts, best first; `alignment` (T, S) float32 is the mean cross-attention of all layers and
    heads when each token of the best one was written."""

    hypotheses: list[tuple[str, Hypothesis]]
    source: Encoded
    alignment: np.ndarray[Any, np.dtype[np.float32]]


def translate(opened: OpenedModel, text: str, manner: Manner = GREEDILY, prefix: str | None = None) -> Translation:
    """One text, with `prefix` before it or, where that is None, the one that the model learned with; raises UserError
    for a model that does not translate."""
    return finish(translating(opened, text, manner, prefix))


def translating(
    opened: OpenedModel, text: str, manner: Manner = GREEDILY, prefix: str | None = None
) -> Generator[object, None, Translation]:
    """The same; yields after each token, so that it can be given up."""
    source = opened.encode(text, prefix=prefix)
    memory = _read(opened, source)
    ending = Ending(opened.tokenizer, {opened.tokenizer.eos_id}, manner.stop)
    found = yield from _search(opened, memory, manner, ending)
    hypotheses = [(ending.cut(opened.written(each.ids)), each) for each in found]
    return Translation(hypotheses, source, _align(opened, memory, found[0].ids))


def translate_ids(opened: OpenedModel, source: Encoded) -> list[int]:
    """The greedy translation of an encoded text, without start and end token; the decoder can read all of it."""
    manner = replace(GREEDILY, max_new_tokens=max(1, opened.context - 1))
    ending = Ending(opened.tokenizer, {opened.tokenizer.eos_id})
    return finish(_search(opened, _read(opened, source), manner, ending))[0].ids


def translate_many(
    opened: OpenedModel, texts: Sequence[str], max_new_tokens: int = 200, batch_size: int = 64
) -> list[str]:
    """The greedy translation of each text, computed in batches of texts of about one length."""
    model, tokenizer = _translator(opened), opened.tokenizer
    sources = [opened.encode(text).ids for text in texts]
    order = sorted(range(len(texts)), key=lambda i: len(sources[i]))
    ending, limit = Ending(tokenizer, {tokenizer.eos_id}), min(max_new_tokens, _room(opened))
    found = dict[int, str]()
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        memory = _read_many(model, [sources[i] for i in rows], tokenizer.pad_id)
        prompts = [tokenizer.start_ids] * len(rows)
        written = write_batch(model, prompts, max_new_tokens=limit, ends=[ending] * len(rows), source=memory)
        found |= {i: opened.written(ids) for i, ids in zip(rows, written, strict=True)}
    return [found[i] for i in range(len(texts))]


def pad(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids (B, S), padded on the right, and their mask with 1 for real tokens."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad_id] * (width - len(row))] for row in rows], device=device)
    lengths = torch.tensor([[len(row)] for row in rows], device=device)
    return ids, torch.arange(width, device=device) < lengths


def _translator(opened: OpenedModel) -> EncoderDecoderTransformer:
    opened.need("translate")
    assert isinstance(opened.model, EncoderDecoderTransformer)  # config.json was checked: no other can translate
    return opened.model


@torch.inference_mode()
def _read(opened: OpenedModel, source: Encoded) -> Source:
    return read_source(_translator(opened), source.inputs(opened.device)["input_ids"])


@torch.inference_mode()
def _read_many(model: EncoderDecoderTransformer, sources: Sequence[Sequence[int]], pad_id: int) -> Source:
    return read_source(model, *pad(sources, pad_id, model.device))


def _search(
    opened: OpenedModel, memory: Source, manner: Manner, ending: Ending
) -> Generator[object, None, list[Hypothesis]]:
    """Hypotheses, best first: the only one that is written greedily or drawn, or those of a beam search."""
    manner = replace(manner, max_new_tokens=min(manner.max_new_tokens, _room(opened)))
    return write_ids(_translator(opened), opened.tokenizer.start_ids, manner, ending, memory)


def _room(opened: OpenedModel) -> int:
    """How many tokens the decoder can write: what it reads must fit the context, the start and all but the last."""
    return max(1, opened.context + 1 - len(opened.tokenizer.start_ids))


@torch.inference_mode()
def _align(opened: OpenedModel, memory: Source, ids: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Mean cross-attention (T, S) of all layers and heads at the moments when each of `ids` was written."""
    start = opened.tokenizer.start_ids
    read = torch.tensor([[*start, *ids]], device=opened.device)[:, : len(start) - 1 + max(1, len(ids))]
    features = _translator(opened).decode(read, memory.memory, memory.mask, return_attention=True)
    weights = torch.stack([layer[0].float().mean(0) for layer in features.cross_attentions or ()]).mean(0)
    found: np.ndarray[Any, np.dtype[np.float32]] = weights[len(start) - 1 :][: len(ids)].cpu().numpy()
    return found
