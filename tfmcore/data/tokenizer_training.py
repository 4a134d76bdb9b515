"""Training a tokenizer of any kind on a stream of texts, which is read once and never held whole."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Library

from tfmcore.config.tokenizer import TokenizerConfig
from tfmcore.data.tokenizers import (
    ANY_CHARACTER,
    BYTE_OF_LETTER,
    SPECIAL_TOKENS,
    Tokenizer,
    faults_explained,
)

SPACES_AND_SIGNS = pre_tokenizers.Sequence(
    [
        pre_tokenizers.Metaspace("▁", prepend_scheme="never"),
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.Split(Regex(r"\n|[^\w\s▁]+"), "isolated"),
    ]
)
"""Words with the space before them, single digits (numbers are read digit by digit), line ends, runs of signs."""


def train_tokenizer(config: TokenizerConfig, texts: Iterable[str], extra: Sequence[str] = ()) -> Tokenizer:
    """A tokenizer of `config.kind` that has seen the texts; what the iterator raises passes through. The `extra`
    special tokens come last; a tokenizer file gets those that it lacks.

    Raises UserError for a tokenizer file (kind `file`) that cannot be used.
    """
    if config.kind == "file":
        return _completed(Tokenizer.load(Path(config.path).expanduser()), extra)
    with faults_explained("the tokenizer cannot be trained on this text"):
        room = config.model_copy(update={"vocab_size": max(16, config.vocab_size - len(extra))})
        library = BUILDERS[config.kind](room, texts)
        library.add_special_tokens(list(extra))
        return Tokenizer(library)


def _completed(tokenizer: Tokenizer, extra: Sequence[str]) -> Tokenizer:
    missing = [token for token in extra if tokenizer.library.token_to_id(token) is None]
    if not missing:
        return tokenizer
    tokenizer.library.add_special_tokens(missing)
    return Tokenizer(tokenizer.library, tokenizer.roles)


def _char(config: TokenizerConfig, texts: Iterable[str]) -> Library:
    counts = np.zeros(0x110000, np.int64)
    for block in _joined(texts):
        text = block.lower() if config.lowercase else block
        counts += np.bincount(np.frombuffer(text.encode("utf-32-le"), np.uint32), minlength=len(counts))
    often = np.argsort(-counts, kind="stable")[: config.vocab_size - len(SPECIAL_TOKENS)]
    library = _symbols([chr(code) for code in sorted(often[counts[often] > 0])])
    library.pre_tokenizer = pre_tokenizers.Split(Regex(ANY_CHARACTER), "isolated")
    library.decoder = decoders.Fuse()
    return _lowered(library, config)


def _byte(config: TokenizerConfig, texts: Iterable[str]) -> Library:
    library = _symbols(sorted(BYTE_OF_LETTER, key=BYTE_OF_LETTER.__getitem__))
    by_byte = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    library.pre_tokenizer = pre_tokenizers.Sequence([by_byte, pre_tokenizers.Split(Regex(ANY_CHARACTER), "isolated")])
    library.decoder = decoders.ByteLevel()
    return _lowered(library, config)


def _symbols(symbols: list[str]) -> Library:
    vocabulary = {token: id for id, token in enumerate([*SPECIAL_TOKENS, *symbols])}
    return Library(models.WordLevel(vocabulary, unk_token="[UNK]"))


def _word(config: TokenizerConfig, texts: Iterable[str]) -> Library:
    library = _lowered(Library(models.WordLevel(unk_token="[UNK]")), config)
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    return _trained(library, trainers.WordLevelTrainer, config, texts, min_frequency=config.min_frequency)


def _bpe(config: TokenizerConfig, texts: Iterable[str]) -> Library:
    library = _composed(Library(models.BPE(unk_token="[UNK]")), config)
    return _trained(library, trainers.BpeTrainer, config, texts, **_pieces(config))


def _byte_bpe(config: TokenizerConfig, texts: Iterable[str]) -> Library:
    library = _lowered(Library(models.BPE()), config)
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return _trained(
        library, trainers.BpeTrainer, config, texts, min_frequency=config.min_frequency, initial_alphabet=alphabet
    )


def _wordpiece(config: TokenizerConfig, texts: Iterable[str]) -> Library:
    library = Library(models.WordPiece(unk_token="[UNK]"))
    library.normalizer = normalizers.BertNormalizer(strip_accents=False, lowercase=config.lowercase)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece(prefix="##")
    return _trained(library, trainers.WordPieceTrainer, config, texts, **_pieces(config))


def _unigram(config: TokenizerConfig, texts: Iterable[str]) -> Library:
    library = _composed(Library(models.Unigram()), config)
    return _trained(library, trainers.UnigramTrainer, config, texts, unk_token="[UNK]")


def _composed(library: Library, config: TokenizerConfig) -> Library:
    lower = [normalizers.Lowercase()] if config.lowercase else []
    library.normalizer = normalizers.Sequence([normalizers.NFC(), *lower])
    library.pre_tokenizer = SPACES_AND_SIGNS
    library.decoder = decoders.Metaspace("▁", prepend_scheme="never")
    return library


def _lowered(library: Library, config: TokenizerConfig) -> Library:
    if config.lowercase:
        library.normalizer = normalizers.Lowercase()
    return library


def _pieces(config: TokenizerConfig) -> dict[str, int]:
    """No more single characters than the vocabulary has room for."""
    return {"min_frequency": config.min_frequency, "limit_alphabet": config.vocab_size - len(SPECIAL_TOKENS)}


def _trained(
    library: Library, kind: Callable[..., trainers.Trainer], config: TokenizerConfig, texts: Iterable[str], **how: Any
) -> Library:
    trainer = kind(vocab_size=config.vocab_size, special_tokens=list(SPECIAL_TOKENS), show_progress=False, **how)
    library.train_from_iterator(texts, trainer)
    return library


def _joined(texts: Iterable[str], size: int = 2**20) -> Iterator[str]:
    """The same characters in blocks of at least `size`, the last one smaller."""
    block, length = list[str](), 0
    for text in texts:
        block.append(text)
        length += len(text)
        if length >= size:
            yield "".join(block)
            block, length = [], 0
    yield "".join(block)


BUILDERS: dict[str, Callable[[TokenizerConfig, Iterable[str]], Library]] = {
    "char": _char,
    "byte": _byte,
    "word": _word,
    "bpe": _bpe,
    "byte_bpe": _byte_bpe,
    "wordpiece": _wordpiece,
    "unigram": _unigram,
}
