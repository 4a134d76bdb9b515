"""The tokenizers of Hugging Face folders, in every kind of file, and the roles of their special tokens."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Library
from tokenizers import models, pre_tokenizers, trainers

from tests.tfmcore.conftest import TEXTS
from tfmcore.config import UserError
from tfmcore.data.foreign_tokenizers import read_tokenizer
from tfmcore.data.tokenizers import Tokenizer

SAMPLES = (*TEXTS, "The dog  jumps over 42 foxes!", "", "lazy")


def write(folder: Path, name: str, value: Any) -> None:
    (folder / name).write_text(json.dumps(value), encoding="utf-8")


def test_vocab_txt(tmp_path: Path) -> None:
    from tokenizers import BertWordPieceTokenizer

    reference = BertWordPieceTokenizer(lowercase=True)
    reference.train_from_iterator(TEXTS, vocab_size=80, show_progress=False)
    reference.save_model(str(tmp_path))
    found = read_tokenizer(tmp_path, {})
    for text in SAMPLES:
        assert found.encode(text) == reference.encode(text, add_special_tokens=False).ids
    write(tmp_path, "tokenizer_config.json", {"do_lower_case": False})
    assert read_tokenizer(tmp_path, {}).encode("The") != found.encode("The")


def test_merges_txt(tmp_path: Path) -> None:
    reference = Library(models.BPE())
    reference.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"], show_progress=False
    )
    reference.train_from_iterator(TEXTS, trainer)
    reference.model.save(str(tmp_path))
    write(
        tmp_path, "special_tokens_map.json", {"eos_token": "<|endoftext|>", "bos_token": {"content": "<|endoftext|>"}}
    )
    found = read_tokenizer(tmp_path, {})
    for text in SAMPLES:
        assert found.encode(text) == reference.encode(text).ids
        assert found.decode(found.encode(text)) == text
    assert {found.pad_id, found.bos_id, found.eos_id, found.cls_id} == {reference.token_to_id("<|endoftext|>")}
    assert found.vocab_size == reference.get_vocab_size()


@pytest.mark.parametrize(("kind", "name"), [("unigram", "spiece.model"), ("bpe", "tokenizer.model")])
def test_sentencepiece(kind: str, name: str, tmp_path: Path) -> None:
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

    raw = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 3), model_writer=raw, vocab_size=58, model_type=kind, pad_id=3, minloglevel=2
    )
    (tmp_path / name).write_bytes(raw.getvalue())
    reference = SentencePieceProcessor(model_proto=raw.getvalue())
    write(tmp_path, "special_tokens_map.json", {"additional_special_tokens": ["<extra_id_0>", "<extra_id_1>"]})
    config = {"is_encoder_decoder": True, "pad_token_id": 3, "eos_token_id": 2, "decoder_start_token_id": 3}
    found = read_tokenizer(tmp_path, config)
    for text in SAMPLES:
        if "  " not in text:
            assert found.encode(text.strip()) == reference.encode(text.strip())
    assert found.decode(found.encode("the lazy dog")) == "the lazy dog"
    assert (found.pad_id, found.bos_id, found.eos_id) == (3, 3, 2)
    assert found.library.token_to_id("<extra_id_0>") == reference.get_piece_size() + 1


def marian(folder: Path) -> dict[str, int]:
    """Marian's files: pieces of each language, and one table of numbers in an order of its own."""
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

    pieces = set[str]()
    for name, text in zip(("source", "target"), TEXTS, strict=True):
        raw = io.BytesIO()
        SentencePieceTrainer.train(
            sentence_iterator=iter([text, *text.split()] * 4), model_writer=raw, vocab_size=60, hard_vocab_limit=False,
            model_type="unigram", eos_id=0, unk_id=1, bos_id=-1, pad_id=-1, minloglevel=2,
        )  # fmt: skip
        (folder / f"{name}.spm").write_bytes(raw.getvalue())
        found: Any = SentencePieceProcessor(model_proto=raw.getvalue())
        pieces |= {found.id_to_piece(id) for id in range(found.get_piece_size())}
    ordered = ["</s>", "<unk>", *sorted(pieces - {"</s>", "<unk>"}), ">>hun<<", "<pad>"]
    write(folder, "vocab.json", {piece: id for id, piece in enumerate(ordered)})
    write(folder, "tokenizer_config.json", {"source_lang": "eng", "target_lang": "hun"})
    return {piece: id for id, piece in enumerate(ordered)}


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
def test_marian(tmp_path: Path) -> None:
    from transformers import MarianTokenizer

    vocabulary = marian(tmp_path)
    theirs = MarianTokenizer.from_pretrained(tmp_path, local_files_only=True)
    pad = vocabulary["<pad>"]
    config = {"model_type": "marian", "is_encoder_decoder": True, "pad_token_id": pad, "eos_token_id": 0}
    found = read_tokenizer(tmp_path, config | {"decoder_start_token_id": pad})
    for text in (TEXTS[0], "", "lazy", ">>hun<< The dog", "a tűrő fox", "日本 dog"):
        assert found.framing.source.around([found.encode(text.strip())]) == theirs(text.strip()).input_ids
    assert found.decode(found.encode("the lazy dog")) == "the lazy dog"
    assert (found.pad_id, found.start_ids, found.eos_id, found.unk_id) == (pad, (pad,), 0, 1)
    write(tmp_path, "vocab.json", vocabulary | {"more": len(vocabulary) + 1})
    with pytest.raises(UserError, match="does not assign one token to each id"):
        read_tokenizer(tmp_path, config)
    write(tmp_path, "vocab.json", {"a": 0})
    with pytest.raises(UserError, match=r"source\.spm and vocab\.json do not match"):
        read_tokenizer(tmp_path, config)
    (tmp_path / "vocab.json").unlink()
    with pytest.raises(UserError, match=r"vocab\.json"):
        read_tokenizer(tmp_path, config)


def test_roles_are_kept(tmp_path: Path) -> None:
    library = Library(models.WordLevel({"a": 0, "<begin>": 1, "<stop>": 2, "<unk>": 3}, unk_token="<unk>"))
    library.save(str(tmp_path / "tokenizer.json"))
    write(tmp_path, "tokenizer_config.json", {"eos_token": "<stop>", "bos_token": "<begin>"})
    found = read_tokenizer(tmp_path, {"eos_token_id": 1, "pad_token_id": 2})
    (tmp_path / "ours").mkdir()
    found.save(tmp_path / "ours" / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "ours" / "tokenizer.json")
    for tokenizer in (found, again):
        assert (tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.unk_id) == (2, 1, 2, 3)
        assert tokenizer.vocab_size == 4
    assert again.names == found.names


FAULTS = {
    "vocab.json that is no table": ({"merges.txt": "a b\n", "vocab.json": "[]"}, "is not a table"),
    "a vocab.json that is missing": ({"merges.txt": "a b\n"}, "vocab.json"),
    "no SentencePiece model": ({"spiece.model": "nothing"}, "is not a tokenizer that can be used"),
    "bytes in vocab.txt": ({"vocab.txt": b"\xff\xfe"}, "is not a tokenizer that can be used"),
    "nothing": ({}, "contains no tokenizer"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(fault: str, tmp_path: Path) -> None:
    files, sentence = FAULTS[fault]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=sentence):
        read_tokenizer(tmp_path, {})
