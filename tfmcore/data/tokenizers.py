"""Text to token ids and back: the `tokenizers` library behind a small face, with a faster way for characters and bytes.

`decode(encode(text))` is the text itself for the kinds char (of known characters), byte and byte_bpe. It is normalised
for the others: Unicode composed (bpe, unigram), white space and unknown words lost (word, wordpiece), and lower case
where the tokenizer says so.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import tokenizers
import tokenizers.models
from numpy.typing import NDArray

from tfmcore.config.problems import UserError
from tfmcore.config.saved import read_json
from tfmcore.data.framing import Framing
from tfmcore.data.progress import Cancelled

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[BOS]", "[EOS]", "[CLS]", "[SEP]", "[MASK]")
ALIASES = {
    "[PAD]": ("<pad>", "<|pad|>", "<|padding|>"),
    "[UNK]": ("<unk>",),
    "[BOS]": ("<s>", "<|begin_of_text|>", "<|endoftext|>", "[CLS]"),
    "[EOS]": ("</s>", "<|end_of_text|>", "<|endoftext|>", "<eos>", "[SEP]"),
    "[CLS]": ("<s>", "<cls>"),
    "[SEP]": ("</s>", "<sep>"),
    "[MASK]": ("<mask>",),
}
"""What a foreign tokenizer may call its special tokens; one that it lacks is added."""

FALLBACKS = {
    "[PAD]": ("[EOS]", "[BOS]", "[UNK]"),
    "[UNK]": ("[PAD]", "[EOS]", "[BOS]"),
    "[BOS]": ("[CLS]", "[EOS]", "[PAD]"),
    "[EOS]": ("[SEP]", "[BOS]", "[PAD]"),
    "[CLS]": ("[BOS]", "[EOS]", "[PAD]"),
    "[SEP]": ("[EOS]", "[BOS]", "[PAD]"),
    "[MASK]": ("[UNK]", "[PAD]", "[EOS]"),
}
"""What stands in for a special token that a tokenizer whose roles are told does without: its model has no more."""
ROLES = "special_tokens_map.json"
"""Lies beside a tokenizer.json, as in Hugging Face folders, and says which token plays which role."""
MAX_ROLES_BYTES = 1_000_000

ANY_CHARACTER = r"[\s\S]"
BYTE_TOKEN = re.compile(r"<0x[0-9A-F]{2}>")
"""What sentencepiece calls a byte of a character that it does not have."""
MAX_FILE_BYTES = 100 * 2**20
MAX_VOCABULARY = 4_000_000
"""As many tokens as a model's config.json may say: one absurd id in a file would ask for a row for each below it."""
Ids = NDArray[np.uint32]


class Tokenizer:
    """A trained tokenizer. Special tokens written out in a text count as such unless `special` is False.

    `roles` says which token is which special one ("[EOS]" → "</s>"). Without it, what the tokenizer has is guessed from
    its names, and what it lacks is added. `names` has all of them as this tokenizer calls them; `framing` is what its
    post-processor puts around texts, or what we do.
    """

    def __init__(self, library: tokenizers.Tokenizer, roles: Mapping[str, str] | None = None) -> None:
        library.no_padding()
        library.no_truncation()
        known = library.get_vocab(with_added_tokens=True)
        self.roles = {token: name for token, name in (roles or {}).items() if name in known}
        self.names = named = {token: self._named(token, known) for token in SPECIAL_TOKENS}
        library.add_special_tokens(list(dict.fromkeys(named.values())))
        self.library = library
        vocabulary = library.get_vocab(with_added_tokens=True)
        ids = [vocabulary[named[token]] for token in SPECIAL_TOKENS]
        self.pad_id, self.unk_id, self.bos_id, self.eos_id, self.cls_id, self.sep_id, self.mask_id = ids
        added = library.get_added_tokens_decoder()
        self.special_ids = frozenset(ids) | {id for id, token in added.items() if token.special}
        self.vocab_size = max(vocabulary.values()) + 1
        self.framing = Framing.of(library, self.cls_id, self.sep_id, self.eos_id)

    def _named(self, token: str, known: Mapping[str, int]) -> str:
        """What this tokenizer calls a special token."""
        found = (name for name in (token, *ALIASES[token]) if name in known)
        instead = (self.roles[other] for other in FALLBACKS[token] if other in self.roles)
        return self.roles.get(token) or next(found, None) or next(instead, token)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The tokenizer of a tokenizer.json, which may be anybody's; raises UserError for what is not one."""
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise UserError(f"{path} is too large for a tokenizer (more than 100 MB)")
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"the tokenizer {path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is not a tokenizer.json: byte {error.start} is not UTF-8") from None
        with faults_explained(f"{path} is not a tokenizer.json that can be used"):
            found = cls(tokenizers.Tokenizer.from_str(text), read_roles(path.with_name(ROLES)))
        if found.vocab_size > MAX_VOCABULARY:
            raise UserError(
                f"{path} has a token of id {found.vocab_size - 1}: a vocabulary has {MAX_VOCABULARY} at most"
            )
        return found

    def save(self, path: Path) -> None:
        """Write tokenizer.json, which the `tokenizers` library opens too, and beside it the roles if they were told."""
        path.write_text(self.library.to_str(pretty=True), encoding="utf-8")
        if self.roles:
            names = {name: self.roles[token] for token, name in ROLE_NAMES.items() if token in self.roles}
            path.with_name(ROLES).write_text(json.dumps(names, indent=2, ensure_ascii=False), encoding="utf-8")

    @property
    def start_ids(self) -> tuple[int, ...]:
        """What the decoder beside an encoder begins with: [BOS], and what the tokenizer begins a target with."""
        return (self.bos_id, *self.framing.source.before)

    def encode(self, text: str, special: bool = True) -> list[int]:
        """The ids of a text; nothing is added at its ends."""
        return self.encode_many([text], special)[0]

    def encode_many(self, texts: Sequence[str], special: bool = True) -> list[list[int]]:
        """The ids of each text, on all cores. Other threads of Python go on meanwhile (the library lets them only where
        it reads several texts), though a foreign tokenizer's expression may take minutes."""
        with faults_explained("the tokenizer cannot read these texts"):
            self.library.encode_special_tokens = not special
            found = self.library.encode_batch_fast(list(texts), add_special_tokens=False)
            return [encoding.ids for encoding in found]

    def encode_arrays(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of data: special tokens written in it are plain text. Characters and bytes are looked up."""
        if self._table is not None:
            return [self._looked_up(text, self._table) for text in texts]
        return [np.array(ids, np.uint32) for ids in self.encode_many(texts, special=False)]

    def encode_stream(self, text: str) -> Ids:
        """The ids (N,) of a long text, as `encode_arrays` gives them; kinds that cannot be looked up read pieces of
        some lines on all cores."""
        pieces = [text] if self._table is not None else list(split_at_lines(text))
        return np.concatenate([np.zeros(0, np.uint32), *self.encode_arrays(pieces)])

    def _looked_up(self, text: str, table: Ids) -> Ids:
        with faults_explained("the tokenizer cannot read this text"):
            if self.library.normalizer is not None:
                text = self.library.normalizer.normalize_str(text)
            if len(table) == 256:
                return table[np.frombuffer(text.encode(), np.uint8)]
            return table[np.frombuffer(text.encode("utf-32-le"), np.uint32)]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each token of `encode(text)` begins and ends in the text, in characters."""
        with faults_explained("the tokenizer cannot read this text"):
            self.library.encode_special_tokens = False
            return self.library.encode_batch([text], add_special_tokens=False)[0].offsets

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        """The text of ids; ids that no token has are left out."""
        with faults_explained("the tokenizer cannot write this text"):
            return self.library.decode([int(id) for id in ids], skip_special_tokens=skip_special)

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each token as a person reads it: a leading space where a word begins, bytes that are no text as \\xe2."""
        return [self._shown(int(id)) for id in ids]

    def _shown(self, id: int) -> str:
        token = self.library.id_to_token(id)
        if token is None:
            return f"[{id}]"
        if id in self.special_ids:
            return token
        if '"ByteLevel"' in self._decoder and all(letter in BYTE_OF_LETTER for letter in token):
            return bytes(BYTE_OF_LETTER[letter] for letter in token).decode(errors="backslashreplace")
        text = self._text(token)
        return f" {text}" if self._skips_spaces and text == token else text

    @cached_property
    def token_bytes(self) -> NDArray[np.int64]:
        """The UTF-8 bytes of the text that each token (V,) stands for: none of special tokens. White space that the
        tokenizer skips (word, wordpiece) is no token's."""
        return np.array([self._num_bytes(id) for id in range(self.vocab_size)], np.int64)

    def _num_bytes(self, id: int) -> int:
        token = self.library.id_to_token(id)
        if token is None or id in self.special_ids:
            return 0
        if '"ByteFallback"' in self._decoder and BYTE_TOKEN.fullmatch(token):
            return 1
        is_bytes = '"ByteLevel"' in self._decoder and all(letter in BYTE_OF_LETTER for letter in token)
        return len(token) if is_bytes else len(self._text(token).encode())

    def _text(self, token: str) -> str:
        """What a token stands for in a text, whatever is skipped before it."""
        if self._skips_spaces:
            return token.removeprefix("##") if self._decoder else token
        return token if self._table is not None else token.replace("▁", " ").removesuffix("</w>")

    @cached_property
    def _skips_spaces(self) -> bool:
        return self._decoder == "" or '"WordPiece"' in self._decoder

    @cached_property
    def _decoder(self) -> str:
        return _state(self.library.decoder)

    @cached_property
    def _table(self) -> Ids | None:
        """Code point → id for kind char, byte → id for kind byte, None for all others."""
        steps = _state(self.library.pre_tokenizer)
        if json.dumps(ANY_CHARACTER) not in steps or not isinstance(self.library.model, tokenizers.models.WordLevel):
            return None
        by_byte = '"ByteLevel"' in steps
        table = np.full(256 if by_byte else 0x110000, self.unk_id, np.uint32)
        for token, id in self.library.get_vocab(with_added_tokens=False).items():
            if len(token) == 1:
                table[BYTE_OF_LETTER[token] if by_byte else ord(token)] = id
        return table


ROLE_NAMES = {token: f"{token[1:-1].lower()}_token" for token in SPECIAL_TOKENS}


def read_roles(path: Path) -> dict[str, str]:
    """Special token → what a tokenizer calls it, from a special_tokens_map.json; nothing where there is none."""
    return roles_of(read_json(path, MAX_ROLES_BYTES)) if path.is_file() else {}


def roles_of(raw: Any) -> dict[str, str]:
    """The same from a table that has `eos_token` and the like, as text or with the text as its `content`."""
    found = {token: raw.get(name) for token, name in ROLE_NAMES.items()} if isinstance(raw, dict) else {}
    found = {token: name.get("content") if isinstance(name, dict) else name for token, name in found.items()}
    return {token: name for token, name in found.items() if isinstance(name, str)}


def split_at_lines(text: str, size: int = 8192) -> Iterator[str]:
    """Pieces of about `size` characters, cut where a line begins with a letter or sign: there no token crosses."""
    start = 0
    while start < len(text):
        end = start + size
        while 0 < (end := text.find("\n", end) + 1) < len(text) and text[end].isspace():
            pass
        yield text[start : end or len(text)]
        start = end or len(text)


@contextmanager
def faults_explained(sentence: str) -> Iterator[None]:
    """What the library raises becomes a UserError; it panics on some foreign files, past `except Exception`."""
    try:
        yield
    except (UserError, Cancelled):
        raise
    except (UnicodeEncodeError, TypeError):
        raise UserError(f"{sentence}: it contains half a character (a lone surrogate)") from None
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise UserError(f"{sentence}: {str(error)[:200]}", details=str(error)) from None
        raise


def letters_of_bytes() -> dict[int, str]:
    """The printable letter that stands for each byte in byte-level tokens, as GPT-2 chose them."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(rest)}


BYTE_OF_LETTER = {letter: byte for byte, letter in letters_of_bytes().items()}


def _state(part: Any) -> str:
    """A part of the library's tokenizer as JSON, "" where there is none."""
    return "" if part is None else json.dumps(json.loads(part.__getstate__()))
