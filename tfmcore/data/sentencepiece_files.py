"""SentencePiece's model files as tokenizers of the `tokenizers` library (https://arxiv.org/abs/1808.06226)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

from tfmcore.config.problems import UserError

TRAINER, NORMALIZER = 2, 3
"""Fields of the file's protocol buffer: how it was trained, and how texts are normalised."""
MODEL_TYPE, BYTE_FALLBACK = 3, 35
CHARACTER_MAP, DUMMY_PREFIX = 2, 3
BPE = 2
NEVER = -1e6
"""Far below the logarithm of any segmentation's probability."""


def read_sentencepiece(path: Path, vocabulary: Mapping[str, int] | None = None) -> tokenizers.Tokenizer:
    """The tokenizer of a `.model` or `.spm` file, of the kinds unigram and BPE; a `vocabulary` numbers the pieces of a
    unigram otherwise, and more of them. Raises UserError where the library `sentencepiece` is missing."""
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError:
        raise UserError(f"{path} needs the library sentencepiece: pip install sentencepiece") from None
    raw = path.read_bytes()
    processor: Any = SentencePieceProcessor(model_proto=raw)
    spec = dict(_fields(raw))
    trainer, normalizer = (dict(_fields(spec.get(number, b""))) for number in (TRAINER, NORMALIZER))
    pieces = [(processor.id_to_piece(id), processor.get_score(id)) for id in range(processor.get_piece_size())]
    fallback, unknown = trainer.get(BYTE_FALLBACK, 0) == 1, processor.id_to_piece(processor.unk_id())
    if vocabulary is not None:
        pieces = _renumbered(pieces, vocabulary, path)
    ids = {piece: id for id, (piece, _) in enumerate(pieces)}
    if unknown not in ids or (vocabulary is not None and trainer.get(MODEL_TYPE, 1) == BPE):
        raise UserError(f"{path} and vocab.json do not match")
    if trainer.get(MODEL_TYPE, 1) == BPE:
        merges = list(_merges(ids))
        model: Any = models.BPE(ids, merges, unk_token=unknown, fuse_unk=True, byte_fallback=fallback)
    else:
        model = models.Unigram(pieces, ids[unknown], fallback)
    library = tokenizers.Tokenizer(model)
    _around(library, normalizer.get(CHARACTER_MAP, b""), normalizer.get(DUMMY_PREFIX, 1) == 1, fallback)
    own = range(processor.get_piece_size())
    controls = [processor.id_to_piece(id) for id in own if processor.is_control(id) or processor.is_unknown(id)]
    library.add_special_tokens([piece for piece in controls if piece in ids])
    return library


def _renumbered(pieces: list[tuple[str, float]], vocabulary: Mapping[str, int], path: Path) -> list[tuple[str, float]]:
    """The pieces, and those of `vocabulary` that are none, in its order; of the latter single letters alone are ever
    chosen, where none of the former has them."""
    scores = dict(pieces)
    ordered = sorted(vocabulary, key=lambda piece: vocabulary[piece])
    if [vocabulary[piece] for piece in ordered] != list(range(len(ordered))):
        raise UserError(f"{path.with_name('vocab.json')} does not assign one token to each id 0, 1, 2 …")
    return [(piece, scores.get(piece, NEVER * len(piece) ** 2)) for piece in ordered]


def _around(library: tokenizers.Tokenizer, character_map: bytes, prefix: bool, fallback: bool) -> None:
    """Normalisation, spaces as ▁, and the way back."""
    steps: list[Any] = [normalizers.Precompiled(character_map)] if character_map else []
    library.normalizer = normalizers.Sequence([*steps, normalizers.Replace(Regex(" {2,}"), " ")])
    scheme = "always" if prefix else "never"
    library.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme=scheme)
    spaces = decoders.Metaspace("▁", prepend_scheme=scheme)
    library.decoder = decoders.Sequence([decoders.ByteFallback(), spaces]) if fallback else spaces


def _merges(vocabulary: dict[str, int]) -> Iterator[tuple[str, str]]:
    """The pairs that make each piece, in the order in which they were learned: that of the pieces."""
    for piece in vocabulary:
        halves = ((piece[:at], piece[at:]) for at in range(1, len(piece)))
        known = [(a, b) for a, b in halves if a in vocabulary and b in vocabulary]
        yield from sorted(known, key=lambda pair: (vocabulary[pair[0]], vocabulary[pair[1]]))


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer's message: numbers of kind 0 as int, what has a length as bytes, no others."""
    at = 0
    while at < len(raw):
        tag, at = _number(raw, at)
        match tag & 7:
            case 0:
                value, at = _number(raw, at)
                yield tag >> 3, value
            case 1:
                at += 8
            case 2:
                length, at = _number(raw, at)
                yield tag >> 3, raw[at : at + length]
                at += length
            case 5:
                at += 4
            case _:
                raise UserError("this is not a SentencePiece model")


def _number(raw: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where the next thing begins."""
    value = shift = 0
    while at < len(raw) and shift < 70:
        value |= (raw[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if raw[at - 1] < 128:
            return value, at
    raise UserError("this is not a SentencePiece model")
