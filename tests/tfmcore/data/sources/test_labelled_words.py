"""Labelled words of a user's own: CoNLL files and tables, every scheme as BIO, and what is wrong with one."""

import gzip
import json

import pytest

from tests.tfmcore.data.sources.test_files import read
from tfmcore.config import UserError
from tfmcore.data.entities import entities
from tfmcore.data.sources.labelled_words import in_bio

CONLL = """# sent_id = 1
-DOCSTART- -X- O O

Ann NNP I-NP B-per
lives VBZ I-VP O
in IN I-PP O
New NNP I-NP B-place
York NNP I-NP I-place

# NN I-NP O
1 CD I-NP O
"""


def of(path, **fields):
    return read(path, "token_tagging", **fields)


@pytest.mark.parametrize("name", ["a.conll", "a.bio", "a.txt", "a"])
@pytest.mark.parametrize("packed", [False, True])
def test_sentences_of_a_conll_file(file, name, packed):
    raw = CONLL.replace("\n", "\r\n").encode()
    examples = of(file(name + ".gz" * packed, gzip.compress(raw) if packed else raw))
    assert examples == [
        {"text": "Ann lives in New York", "labels": "B-per O O B-place I-place"},
        {"text": "# 1", "labels": "O O"},  # only what looks like a fact about a sentence is a comment
    ]
    assert [example.row for example in examples] == [4, 10]


@pytest.mark.fault(30)
def test_a_byte_order_mark_between_glued_files_is_no_word(file):
    raw = "Ann B-per\n\n\ufeff\n\ufeffBob B-per\n\ufeff".encode("utf-8-sig")
    assert [example["text"] for example in of(file("a.conll", raw))] == ["Ann", "Bob"]


def test_words_and_labels_of_a_table(file):
    table = "tokens\tner_tags\nAnn  lives\tB-per O\nNo one\tO O\n"
    assert of(file("a.tsv", table))[0] == {"text": "Ann lives", "labels": "B-per O"}
    records = [{"tokens": ["Ann", "lives"], "ner_tags": ["S-per", "O"]}, {"tokens": ["x"], "ner_tags": ["O"]}]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    assert of(file("a.jsonl", lines))[0] == {"text": "Ann lives", "labels": "B-per O"}


@pytest.mark.parametrize(
    ("scheme", "bio"),
    [
        ("B-a I-a O B-a", "B-a I-a O B-a"),
        ("I-a I-a O I-a B-a", "B-a I-a O B-a B-a"),
        ("B-a I-a E-a S-a", "B-a I-a I-a B-a"),
        ("B-a L-a U-a U-a", "B-a I-a B-a B-a"),
        ("E-a I-a", "B-a B-a"),
        ("I-a I-b", "B-a B-b"),
        ("NOUN B VERB X-y", "NOUN B VERB X-y"),
    ],
)
def test_every_scheme_becomes_bio(scheme, bio):
    assert in_bio(scheme.split()) == bio.split()
    assert entities(bio.split()) == entities(scheme.split())


BAD = {
    "a word alone": ("a.conll", "Ann O\nlives\n", r"line 2: a word and its label, 2 columns in all, are needed, not 1"),
    "ragged": ("a.conll", "Ann X O\nlives O\n", r"line 2: .*3 columns in all, are needed, not 2"),
    "no label": ("a.conll", "Ann\t\n", r"line 1: the word or its label is empty"),
    "too long": ("a.conll", "a O\n" * 70_000, r"line 1: a sentence is longer than 131072 characters"),
    "too few labels": ("a.tsv", "text\tlabels\na b\tO O\na b\tO\n", r"row 3: 2 words, but 1 labels"),
}


@pytest.mark.fault(31)
@pytest.mark.parametrize(("name", "content", "sentence"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_with_its_place(file, name, content, sentence):
    with pytest.raises(UserError, match=sentence):
        of(file(name, content))
