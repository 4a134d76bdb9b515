"""`[tokenizer]`: how text becomes token ids."""

from collections.abc import Iterator
from typing import Literal

from tfmcore.config.option import Section, option
from tfmcore.config.problems import Problem


class TokenizerConfig(Section):
    """How text becomes tokens; trained on the training part of the data."""

    kind: Literal["char", "byte", "word", "bpe", "byte_bpe", "wordpiece", "unigram", "file"] = option(
        "char",
        title="Kind",
        help="What a token is: a character, a byte, a word, a learned subword (BPE, byte-level BPE, WordPiece, "
        "unigram), or as defined by a tokenizer.json of yours.",
        paper="https://arxiv.org/abs/1508.07909",
        essential=True,
    )
    vocab_size: int = option(
        2048,
        title="Vocabulary size",
        help="Maximum number of distinct tokens, special ones included; characters and bytes need fewer.",
        unit="tokens",
        essential=True,
        ge=16,
        le=1_000_000,
    )
    lowercase: bool = option(False, title="Lower case", help="Lower-case the text before tokenising.")
    min_frequency: int = option(
        2,
        title="Minimum frequency",
        help="A word or subword must occur this often to become a token.",
        unit="times",
        ge=1,
        le=1_000_000,
    )
    path: str = option(
        "", title="tokenizer.json", help="A trained tokenizer, only for the kind `file`.", max_length=4096
    )

    def checks(self) -> Iterator[Problem]:
        if self.kind == "file" and not self.path:
            yield Problem("path", "the kind `file` needs the path of a tokenizer.json")
        if self.kind in ("byte", "byte_bpe") and self.vocab_size < 263:
            yield Problem("vocab_size", "must hold the 256 bytes and 7 special tokens", 263)
