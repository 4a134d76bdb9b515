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
        help="What a token is: a character, a byte, a word, a learned piece (BPE, byte-level BPE, WordPiece, unigram), "
        "or whatever a tokenizer.json of yours says.",
        paper="https://arxiv.org/abs/1508.07909",
        essential=True,
    )
    vocab_size: int = option(
        2048,
        title="Vocabulary",
        help="Largest number of different tokens, special ones included; characters and bytes need fewer.",
        unit="tokens",
        essential=True,
        ge=16,
        le=1_000_000,
    )
    lowercase: bool = option(False, title="Lower case", help="Turn the text into lower case before tokenising.")
    min_frequency: int = option(
        2,
        title="Least frequency",
        help="A word or piece must be seen this often to become a token.",
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
            yield Problem("vocab_size", "is below the 256 bytes and 7 special tokens", 263)
