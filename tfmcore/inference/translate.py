"""From a source text to a target text: greedy or by beams, one text or many."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tfmcore.data.tokenizers import Tokenizer
from tfmcore.inference.decoding import Beam, Source, finish, read_source, search_beams, write_batch, write_on
from tfmcore.inference.opened import Encoded, OpenedModel
from tfmcore.models import EncoderDecoderTransformer


@dataclass(frozen=True)
class Translated:
    """A hypothesis: its text and tokens without the end token, the probability of each, and its score."""

    text: str
    ids: list[int]
    tokens: list[str]
    probabilities: list[float]
    score: float


@dataclass(frozen=True)
class Translation:
    """Hypotheses, best first; `alignment` (T, S) float32 is the mean cross-attention of all layers and heads when each
    token of the best one was written."""

    hypotheses: list[Translated]
    source: Encoded
    alignment: np.ndarray[Any, np.dtype[np.float32]]


def translate(
    opened: OpenedModel, text: str, beams: int = 1, length_penalty: float = 1.0, max_new_tokens: int = 200
) -> Translation:
    """One text; raises UserError for a model that does not translate."""
    return finish(translating(opened, text, beams, length_penalty, max_new_tokens))


def translating(
    opened: OpenedModel, text: str, beams: int = 1, length_penalty: float = 1.0, max_new_tokens: int = 200
) -> Generator[None, None, Translation]:
    """The same; yields after each token, so that it can be given up."""
    source = opened.encode(text)
    memory = _read(opened, source)
    found = yield from _search(opened, memory, beams, length_penalty, max_new_tokens)
    hypotheses = [_hypothesis(opened.tokenizer, beam, length_penalty) for beam in found]
    return Translation(hypotheses, source, _align(opened, memory, hypotheses[0].ids))


def translate_ids(opened: OpenedModel, source: Encoded) -> list[int]:
    """The greedy translation of an encoded text, without start and end token; the decoder can read all of it."""
    best = finish(_search(opened, _read(opened, source), 1, 1.0, max(1, opened.context - 1)))[0]
    return _hypothesis(opened.tokenizer, best, 1.0).ids


def translate_many(
    opened: OpenedModel, texts: Sequence[str], max_new_tokens: int = 200, batch_size: int = 64
) -> list[str]:
    """The greedy translation of each text, computed in batches of texts of about one length."""
    model, tokenizer = _translator(opened), opened.tokenizer
    sources = [opened.encode(text).ids for text in texts]
    order = sorted(range(len(texts)), key=lambda i: len(sources[i]))
    found = dict[int, str]()
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        ids, mask = pad([sources[i] for i in rows], tokenizer.pad_id, opened.device)
        limit = min(max_new_tokens, opened.context)
        written = write_batch(
            model, ids, mask, start_id=tokenizer.bos_id, end_id=tokenizer.eos_id, max_new_tokens=limit
        )
        found |= {i: tokenizer.decode(row) for i, row in zip(rows, written, strict=True)}
    return [found[i] for i in range(len(texts))]


def pad(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids (B, S), padded on the right, and their mask with 1 for real tokens."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad_id] * (width - len(row))] for row in rows], device=device)
    lengths = torch.tensor([[len(row)] for row in rows], device=device)
    return ids, torch.arange(width, device=device) < lengths


def _translator(opened: OpenedModel) -> EncoderDecoderTransformer:
    opened.need("translation")
    assert isinstance(opened.model, EncoderDecoderTransformer)  # config.json was checked: no other can translate
    return opened.model


@torch.inference_mode()
def _read(opened: OpenedModel, source: Encoded) -> Source:
    return read_source(_translator(opened), source.inputs(opened.device)["input_ids"])


def _search(
    opened: OpenedModel, memory: Source, beams: int, length_penalty: float, max_new_tokens: int
) -> Generator[None, None, list[Beam]]:
    """Hypotheses, best first: the only one of greedy decoding, or those of a beam search."""
    model, start, end = _translator(opened), [opened.tokenizer.bos_id], opened.tokenizer.eos_id
    limit = min(max_new_tokens, opened.context)  # what the decoder reads: the start token and all but the last
    if beams > 1:
        return (
            yield from search_beams(
                model,
                start,
                num_beams=beams,
                max_new_tokens=limit,
                end_id=end,
                length_penalty=length_penalty,
                source=memory,
            )
        )
    ids, probabilities = list[int](), list[float]()
    for step in write_on(model, start, max_new_tokens=limit, end_id=end, source=memory):
        ids.append(step.id)
        probabilities.append(step.probability)
        yield
    return [Beam(ids, probabilities, sum(map(math.log, probabilities)))]


def _hypothesis(tokenizer: Tokenizer, beam: Beam, length_penalty: float) -> Translated:
    ids = beam.ids[:-1] if beam.ids[-1] == tokenizer.eos_id else beam.ids
    probabilities = beam.probabilities[: len(ids)]
    return Translated(tokenizer.decode(ids), ids, tokenizer.tokens(ids), probabilities, beam.score(length_penalty))


@torch.inference_mode()
def _align(opened: OpenedModel, memory: Source, ids: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Mean cross-attention (T, S) of all layers and heads at the moments when each of `ids` was written."""
    read = torch.tensor([[opened.tokenizer.bos_id, *ids]], device=opened.device)[:, : max(1, len(ids))]
    features = _translator(opened).decode(read, memory.memory, memory.mask, return_attention=True)
    weights = torch.stack([layer[0].float().mean(0) for layer in features.cross_attentions or ()]).mean(0)
    found: np.ndarray[Any, np.dtype[np.float32]] = weights[: len(ids)].cpu().numpy()
    return found
