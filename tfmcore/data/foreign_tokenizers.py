"""The tokenizer of a Hugging Face folder, in whatever files it comes, with the roles that its special tokens play."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers

from tfmcore.config.problems import UserError
from tfmcore.config.saved import read_json
from tfmcore.data.framing import BERT, LLAMA, NOTHING, ROBERTA, T5, template
from tfmcore.data.sentencepiece_files import read_sentencepiece
from tfmcore.data.tokenizers import MAX_FILE_BYTES, ROLES, Tokenizer, faults_explained, read_roles, roles_of

SETTINGS = "tokenizer_config.json"
GENERATION = "generation_config.json"
MAX_SETTINGS_BYTES = 10_000_000
PIECES = ("spiece.model", "spm.model", "tokenizer.model")
IDS = {
    "[PAD]": "pad_token_id",
    "[BOS]": "bos_token_id",
    "[EOS]": "eos_token_id",
    "[CLS]": "cls_token_id",
    "[SEP]": "sep_token_id",
}
START = "decoder_start_token_id"

FRAMES = {
    **dict.fromkeys(("bert", "deberta", "deberta-v2", "modernbert"), BERT),
    **dict.fromkeys(("roberta", "bart"), ROBERTA),
    **dict.fromkeys(("t5", "mt5", "marian"), T5),
    **dict.fromkeys(("llama", "mistral", "gemma", "gemma2", "gemma3_text"), LLAMA),
}
"""What models of a type read around texts, where no tokenizer.json says it; others read nothing."""


def read_tokenizer(folder: Path, config: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer in `folder`, whose model's `config.json` says more about special tokens. Raises UserError where
    there is none that can be read."""
    settings = _optional(folder / SETTINGS)
    library = _library(folder, settings)
    told = read_roles(folder / ROLES)
    roles = _by_id(library, config) | roles_of(settings) | told | _start(library, config, folder)
    with faults_explained(f"the tokenizer of {folder} cannot be used"):
        found = Tokenizer(library, roles)
        if library.post_processor is not None or "model_type" not in config:
            return found
        frames = FRAMES.get(str(config["model_type"]), NOTHING)
        begins = settings.get("add_bos_token") is not False
        library.post_processor = template(library, found.names, frames if begins else NOTHING)
        return Tokenizer(library, roles)


def _library(folder: Path, settings: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """From the first kind of file that is there."""
    readers: dict[str, Callable[[Path, Mapping[str, Any]], tokenizers.Tokenizer]] = {
        "tokenizer.json": _whole,
        "vocab.txt": _wordpiece,
        "merges.txt": _merges,
        **dict.fromkeys(PIECES, lambda path, _: read_sentencepiece(path)),
        "source.spm": _marian,
    }
    path = next((folder / name for name in readers if (folder / name).is_file()), None)
    if path is None:
        raise UserError(f"{folder} contains no tokenizer: none of {', '.join(readers)} is there")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise UserError(f"{path} is larger than a tokenizer can be (100 MB)")
    with faults_explained(f"{path} is not a tokenizer that can be used"):
        library = readers[path.name](path, settings)
        if path.name != "tokenizer.json":
            _add_tokens(library, folder)
    return library


def _whole(path: Path, settings: Mapping[str, Any]) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))


def _wordpiece(path: Path, settings: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """BERT's: a token a line."""
    lines = path.read_text(encoding="utf-8").split("\n")
    vocabulary = {token.rstrip("\r"): id for id, token in enumerate(lines) if token or id < len(lines) - 1}
    library = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token=_named(settings, "unk_token", "[UNK]")))
    library.normalizer = normalizers.BertNormalizer(lowercase=settings.get("do_lower_case", True) is True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece(prefix="##")
    return library


def _merges(path: Path, settings: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """GPT-2's pair of files, on bytes, or GPT's, whose words end in </w>."""
    vocabulary = _vocabulary(path.with_name("vocab.json"))
    lines = path.read_text(encoding="utf-8").splitlines()
    merges = [(a, b) for a, space, b in (line.partition(" ") for line in lines) if space and a != "#version:"]
    if not any(token.endswith("</w>") for token in vocabulary):
        library = tokenizers.Tokenizer(models.BPE(vocabulary, merges))
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=settings.get("add_prefix_space") is True)
        library.decoder = decoders.ByteLevel()
        return library
    unknown = _named(settings, "unk_token", "<unk>")
    library = tokenizers.Tokenizer(models.BPE(vocabulary, merges, unk_token=unknown, end_of_word_suffix="</w>"))
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.BPEDecoder(suffix="</w>")
    return library


def _marian(path: Path, settings: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """Marian's: pieces of the source language, numbered by a vocab.json that has those of the target language too, and
    what says which language is wanted, such as >>fra<<."""
    vocabulary = _vocabulary(path.with_name("vocab.json"))
    library = read_sentencepiece(path, vocabulary)
    library.add_tokens([AddedToken(token, normalized=False) for token in vocabulary if re.fullmatch(">>.+<<", token)])
    return library


def _vocabulary(path: Path) -> dict[str, int]:
    found = read_json(path, MAX_FILE_BYTES)
    if not isinstance(found, dict) or not all(type(id) is int for id in found.values()):
        raise UserError(f"{path} is not a table of tokens and their ids")
    return found


def _add_tokens(library: tokenizers.Tokenizer, folder: Path) -> None:
    """Tokens beside the vocabulary: those of added_tokens.json by their numbers, then further special ones, of which
    T5's sentinels count downwards. A tokenizer.json has them all itself."""
    added = _optional(folder / "added_tokens.json")
    numbered = sorted((id, token) for token, id in added.items() if type(id) is int)
    more = _optional(folder / ROLES).get("additional_special_tokens") or []
    names = [name.get("content") if isinstance(name, dict) else name for name in more if isinstance(name, str | dict)]
    later = sorted((name for name in names if isinstance(name, str)), key=_sentinel)
    special = set(later) | set(roles_of(_optional(folder / ROLES)).values())
    for token in dict.fromkeys([*(token for _, token in numbered), *later]):
        library.add_tokens([AddedToken(token, special=token in special, normalized=False)])


def _sentinel(name: str) -> int:
    found = re.fullmatch(r"<extra_id_(\d{1,4})>", name)
    return -int(found[1]) if found else 0


def _by_id(library: tokenizers.Tokenizer, config: Mapping[str, Any]) -> dict[str, str]:
    """Roles that a model's config.json gives to numbers."""
    ids = {token: config.get(key) for token, key in IDS.items()}
    return {token: name for token, id in ids.items() if (name := _token(library, id)) is not None}


def _start(library: tokenizers.Tokenizer, config: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """The token that a decoder beside an encoder begins with: here that is [BOS]. T5's is its padding."""
    if config.get("is_encoder_decoder") is not True:
        return {}
    id = config.get(START, _optional(folder / GENERATION).get(START))
    name = _token(library, config.get("pad_token_id", 0) if id is None else id)
    return {} if name is None else {"[BOS]": name}


def _token(library: tokenizers.Tokenizer, id: Any) -> str | None:
    """The token of a number, or of the first of some."""
    if isinstance(id, list):
        id = next(iter(id), None)
    return library.id_to_token(id) if type(id) is int and 0 <= id < 2**32 else None


def _named(settings: Mapping[str, Any], name: str, default: str) -> str:
    found = settings.get(name)
    found = found.get("content") if isinstance(found, dict) else found
    return found if isinstance(found, str) else default


def _optional(path: Path) -> dict[str, Any]:
    raw = read_json(path, MAX_SETTINGS_BYTES) if path.is_file() else {}
    return raw if isinstance(raw, dict) else {}
