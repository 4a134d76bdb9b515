"""Every kind of tokenizer: what it writes back, its special tokens, its file, and the fast way through it."""

import json
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmcore.config import TokenizerConfig, UserError
from tfmcore.data import Cancelled, Tokenizer
from tfmcore.data.tokenizer_training import BUILDERS, train_tokenizer
from tfmcore.data.tokenizers import SPECIAL_TOKENS, split_at_lines

TEXT = "The quick brown fox, 42 foxes!\n\nÁrvíztűrő tükörfúrógép 你好 🙂\n  def fox(self): return 'brown'\n" * 20
KINDS = [kind for kind in get_args(TokenizerConfig.model_fields["kind"].annotation) if kind != "file"]
EXACT = {"char", "byte", "byte_bpe", "bpe", "unigram"}


@pytest.fixture(scope="module", params=[(kind, lowercase) for kind in KINDS for lowercase in (False, True)], ids=str)
def trained(request):
    kind, lowercase = request.param
    config = TokenizerConfig(kind=kind, lowercase=lowercase, vocab_size=400)
    return config, train_tokenizer(config, [TEXT, TEXT])


def test_every_kind_can_be_trained():
    assert set(BUILDERS) == set(KINDS)


def test_special_tokens_come_first(trained):
    config, tokenizer = trained
    ids = [tokenizer.pad_id, tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.cls_id, tokenizer.sep_id]
    assert [*ids, tokenizer.mask_id] == list(range(7))
    assert tokenizer.special_ids == set(range(7))
    assert tokenizer.tokens(range(7)) == list(SPECIAL_TOKENS)
    assert len(SPECIAL_TOKENS) < tokenizer.vocab_size <= config.vocab_size


def test_text_comes_back(trained):
    config, tokenizer = trained
    text = TEXT.lower() if config.lowercase else TEXT
    written = tokenizer.decode(tokenizer.encode(TEXT))
    if config.kind in EXACT:
        assert written == text
        assert config.kind.startswith("byte") or "".join(tokenizer.tokens(tokenizer.encode(TEXT))) == text
    else:
        assert written.split()[:3] == text.split()[:3]


def test_the_tokens_of_a_text_have_its_bytes(trained):
    """All of them, or all but the white space that is skipped; special tokens have none."""
    config, tokenizer = trained
    text = TEXT.lower() if config.lowercase else TEXT
    read = text if config.kind in EXACT else "".join(text.split())
    assert tokenizer.token_bytes[tokenizer.encode(TEXT)].sum() == len(read.encode())
    assert tokenizer.token_bytes[: len(SPECIAL_TOKENS)].sum() == 0


def test_the_fast_way_gives_the_same_ids(trained):
    _, tokenizer = trained
    text = TEXT + "[MASK] is plain text in data; unknown: Ω"
    assert tokenizer.encode_stream(text).tolist() == tokenizer.encode(text, special=False)
    assert tokenizer.encode_arrays([text])[0].tolist() == tokenizer.encode(text, special=False)
    assert tokenizer.encode_stream("").tolist() == []


def test_a_special_token_in_a_prompt_is_one(trained):
    _, tokenizer = trained
    assert tokenizer.encode("fox [MASK] fox").count(tokenizer.mask_id) == 1
    assert tokenizer.mask_id not in tokenizer.encode("fox [MASK] fox", special=False)


def test_offsets_show_the_tokens_in_the_text(trained):
    _, tokenizer = trained
    text = "brown [MASK], foxes"
    places = tokenizer.offsets(text)
    assert len(places) == len(tokenizer.encode(text))
    pieces = [text[start:end] for start, end in places]
    assert "[MASK]" in pieces
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")


def test_a_saved_one_is_the_same(trained, tmp_path: Path):
    _, tokenizer = trained
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.encode_stream(TEXT).tolist() == tokenizer.encode_stream(TEXT).tolist()
    assert (loaded.vocab_size, loaded.special_ids) == (tokenizer.vocab_size, tokenizer.special_ids)
    assert loaded.tokens(range(loaded.vocab_size)) == tokenizer.tokens(range(loaded.vocab_size))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_bytes_write_every_text(text):
    tokenizer = train_tokenizer(TokenizerConfig(kind="byte"), [])
    assert tokenizer.decode(tokenizer.encode_arrays([text])[0]) == text
    assert tokenizer.encode(text, special=False) == tokenizer.encode_stream(text).tolist()


def test_a_small_vocabulary_keeps_the_commonest_characters():
    tokenizer = train_tokenizer(
        TokenizerConfig(kind="char", vocab_size=16), ["aaabbbccc" + "".join(map(chr, range(200)))]
    )
    assert tokenizer.vocab_size == 16
    assert tokenizer.decode(tokenizer.encode("abc")) == "abc"


def test_what_the_texts_raise_passes_through():
    def texts():
        yield TEXT
        raise Cancelled

    for kind in KINDS:
        if kind != "byte":  # which needs no text
            with pytest.raises(Cancelled):
                train_tokenizer(TokenizerConfig(kind=kind), texts())


def test_half_a_character_is_refused(letters):
    with pytest.raises(UserError, match="surrogate"):
        letters.encode("\ud800")


def test_an_unknown_id_is_shown_as_such(letters):
    assert letters.tokens([letters.vocab_size]) == [f"[{letters.vocab_size}]"]


def test_lines_are_cut_where_no_token_crosses():
    text = "\n\n".join(f"line {n}\n   indented" for n in range(200))
    pieces = list(split_at_lines(text, size=100))
    assert "".join(pieces) == text
    assert all(piece.startswith("line") for piece in pieces)
    assert len(pieces) > 20


def test_a_foreign_tokenizer_gets_what_it_lacks(tmp_path: Path):
    model = {"type": "BPE", "vocab": {"<s>": 0, "</s>": 1, "<unk>": 2, "a": 3}, "merges": [], "unk_token": "<unk>"}
    foreign = {"version": "1.0", "model": model, "added_tokens": []}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(foreign))
    tokenizer = train_tokenizer(TokenizerConfig(kind="file", path=str(path)), [])
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.unk_id, tokenizer.cls_id) == (0, 1, 2, 0)
    assert tokenizer.vocab_size == 6
    assert tokenizer.tokens([tokenizer.pad_id, tokenizer.mask_id]) == ["[PAD]", "[MASK]"]


CRAFTED = {
    "empty": "",
    "no JSON": "{",
    "a list": "[]",
    "nested": "[" * 100_000,
    "a vocabulary with holes": '{"version":"1.0","model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}',
    "a bad expression": '{"version":"1.0","pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},'
    '"behavior":"Isolated","invert":false},"model":{"type":"BPE","vocab":{},"merges":[]}}',
    "an unknown model": '{"version":"1.0","model":{"type":"Magic"}}',
    "an unknown token beyond the pieces": '{"version":"1.0","model":{"type":"Unigram","unk_id":7,"vocab":[["a",0.0]]}}',
}


@pytest.mark.fault(33)
@pytest.mark.parametrize("content", CRAFTED.values(), ids=CRAFTED.keys())
def test_a_crafted_file_is_refused_in_a_sentence(content, tmp_path: Path):
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"tokenizer\.json"):
        Tokenizer.load(path)


def test_a_file_that_is_none_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="cannot be read"):
        Tokenizer.load(tmp_path / "absent.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="byte 0"):
        Tokenizer.load(tmp_path / "bytes.json")
