"""Files of a user's own: every form, and everything that can be wrong with one."""

import gzip
import hashlib
import os
from pathlib import Path

import pytest

from tfmcore.config import ENCODINGS, TASKS, DataConfig, UserError
from tfmcore.data.progress import silent
from tfmcore.data.sources import SOURCES
from tfmcore.data.sources.file import table_kind
from tfmcore.data.sources.opening import sha256_of
from tfmcore.data.sources.tables import MAX_FIELD

CSV = 'sentence,label\n"Good, ""very"" good",yes\n\nBad,no\n'
TSV = 'sentence\tlabel\nGood "very\tyes\nBad\tno\n'
JSONL = '{"sentence": "Good", "label": "yes"}\n\n{"sentence": "Bad", "label": "no"}\n'
FORMS = {
    "a.csv": (CSV, 'Good, "very" good'),
    "a.tsv": (TSV, 'Good "very'),
    "a.jsonl": (JSONL, "Good"),
}


def read(path, task="classification", **fields):
    data = DataConfig.model_validate({"source": "file", "path": str(path), "task": task, **fields})
    return list(SOURCES["file"].examples(data))


@pytest.mark.fault(30)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("bom", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_table(file, name, bom, packed):
    content, first = FORMS[name]
    raw = b"\xef\xbb\xbf" * bom + content.encode()
    path = file(name + ".gz" * packed, gzip.compress(raw) if packed else raw)
    assert read(path) == [{"text": first, "label": "yes"}, {"text": "Bad", "label": "no"}]


@pytest.mark.parametrize("packed", [False, True])
def test_running_text_comes_whole(file, packed):
    text = "".join(f"line {n} é\n" for n in range(150_000))
    raw = text.replace("\n", "\r\n").encode()
    parts = read(file("a.txt" + ".gz" * packed, gzip.compress(raw) if packed else raw), "language_modeling")
    assert "".join(part["text"] for part in parts) == text
    assert len(parts) > 1
    assert all(part["text"].endswith("\n") for part in parts)


def test_a_line_without_end_comes_in_parts(file):
    parts = read(file("a.txt", "é" * 3_000_000), "language_modeling")
    assert sum(len(part["text"]) for part in parts) == 3_000_000
    assert max(len(part["text"]) for part in parts) <= 2**21


def test_parallel_files(file):
    source, target = file("a.de.gz", gzip.compress(b"eins\nzwei\n")), file("a.en", "one\r\ntwo")
    pairs = [{"source": "eins", "target": "one"}, {"source": "zwei", "target": "two"}]
    assert read(source, "translation", target_path=str(target)) == pairs


@pytest.mark.parametrize(("left", "right"), [(3, 5), (5, 3), (0, 1)])
def test_parallel_files_of_different_lengths_are_refused(file, left, right):
    source, target = file("a.txt", "x\n" * left), file("b.txt", "y\n" * right)
    with pytest.raises(UserError, match=f"a.txt has {left} lines but .*b.txt has {right}:"):
        read(source, "translation", target_path=str(target))


def test_a_table_without_header(file):
    path = file("sst2.tsv", "".join(f"a longer sentence of some words {n}\t{n % 2}\n" for n in range(50)))
    examples = read(path)
    assert len(examples) == 50
    assert examples[1] == {"text": "a longer sentence of some words 1", "label": "1"}
    assert examples[1].row == 2
    assert read(path, columns={"text": "2", "label": "1"})[1]["text"] == "1"
    assert len(read(path, header="yes")) == 49


def test_a_column_named_by_its_place_is_not_looked_for_in_the_first_row(file):
    path = file("sst2.tsv", "".join(f"a longer sentence of some words {n}\t{1 - n % 2}\n" for n in range(50)))
    for columns in ({"text": "1"}, {"text": "1", "label": "2"}):
        examples = read(path, columns=columns)
        assert len(examples) == 50
        assert examples[0] == {"text": "a longer sentence of some words 0", "label": "1"}


def test_a_header_is_found_by_what_stands_below_it(file):
    rows = "".join(f"some words {n},{n % 3}\n" for n in range(30))
    assert read(file("a.csv", "was,wie\n" + rows))[0] == {"text": "some words 0", "label": "0"}
    assert read(file("b.csv", "was,wie\n" + rows), columns={"text": "was"})[0]["label"] == "0"
    assert len(read(file("c.csv", "was,wie\n" + rows), header="no")) == 31


def test_roles_by_name(file):
    path = file("nli.tsv", "id\tpremise\thypothesis\tlabel\n1\tIt rains.\tIt is wet.\tyes\n2\tIt snows.\tHot.\tno\n")
    assert read(path)[0] == {"text": "It rains.", "pair": "It is wet.", "label": "yes"}
    path = file("mt.jsonl", '{"de": "eins", "en": "one"}\n')
    assert read(path, "translation", columns={"source": "de", "target": "en"}) == [{"source": "eins", "target": "one"}]


def test_numbers_in_records_become_text(file):
    path = file("a.jsonl", '{"text": "a", "label": 1, "more": [1]}\n{"text": "b", "label": true, "more": null}\n')
    assert [example["label"] for example in read(path)] == ["1", "true"]


def test_no_more_examples_than_asked_for(file):
    assert len(read(file("a.csv", "text,label\n" + "a,b\n" * 10), max_examples=3)) == 3


def test_of_a_running_text_no_more_lines_than_asked_for(file):
    text = "".join(f"line {n}\r\n" for n in range(300_000))
    path = file("a.txt", text)
    assert [part["text"] for part in read(path, "language_modeling", max_examples=2)] == ["line 0\nline 1\n"]
    many = "".join(part["text"] for part in read(path, "language_modeling", max_examples=250_000))
    assert (many.count("\n"), many.endswith("line 249999\n")) == (250_000, True)
    assert len(read(file("b.txt", "one\ntwo"), "language_modeling", max_examples=2)[0]["text"]) == 7
    assert read(file("b.txt", "one\ntwo"), "language_modeling", max_examples=9) == [{"text": "one\ntwo"}]


@pytest.mark.fault(30)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_is_read_as_it_is_written(file, encoding):
    text = "Price: 5.50\r\n" + LETTERS.get(encoding, "déjà vu") + "\n"
    raw = text.encode(encoding)
    for name, content in (("a.txt", raw), ("a.txt.gz", gzip.compress(raw))):
        [part] = read(file(name, content), "language_modeling", encoding=encoding)
        assert part["text"] == text.replace("\r\n", "\n")
    word = LETTERS.get(encoding, "déjà vu")
    table = f"text,label\n{word},yes\n".encode(encoding)
    assert read(file("a.csv", table), encoding=encoding) == [{"text": word, "label": "yes"}]


LETTERS = {
    "iso8859-2": "žluťoučký", "cp1250": "žluťoučký", "cp1251": "привет", "koi8-r": "привет", "iso8859-7": "Γιατί",
    "iso8859-9": "şeş", "cp1255": "שלום", "cp1256": "مرحبا", "shift_jis": "こんにちは", "euc_jp": "こんにちは",
    "euc_kr": "안녕", "gb18030": "你好", "big5": "你好", "utf-16": "你好 🙂", "utf-8": "你好 🙂",
}  # fmt: skip


@pytest.mark.fault(30)
@pytest.mark.parametrize(
    ("raw", "encoding", "likely"),
    [
        ("caf\xe9".encode("latin-1"), "utf-8", "cp1252"),
        (b"caf\xe9 \x81", "utf-8", "latin-1"),
        ("text".encode("utf-16"), "utf-8", "utf-16"),
        ("\u0441".encode(), "cp1252", "utf-8"),
    ],
)
def test_a_wrong_encoding_is_refused_with_the_option_that_mends_it(file, raw, encoding, likely):
    path = file("a.txt", raw)
    with pytest.raises(UserError, match=f"is not {encoding.upper()} text .*perhaps to {likely}") as refused:
        read(path, "language_modeling", encoding=encoding)
    assert refused.value.fix == {"data.encoding": likely}
    assert read(path, "language_modeling", encoding=likely)


def test_a_file_that_stays_is_hashed_once(file, monkeypatch):
    path, told = file("a.txt", "text"), []
    os.utime(path, (1_000_000, 1_000_000))
    first = sha256_of(path, lambda *what: told.append(what))
    assert sha256_of(path, lambda *what: told.append(what)) == first
    assert len(told) == 1, "the second time it is remembered"
    path.write_text("next")  # the same size; its time of change is now
    changed = sha256_of(path, lambda *what: told.append(what))
    assert changed == hashlib.sha256(b"next").hexdigest()
    path.write_text("last")  # at once after it, maybe with the same time of change
    assert sha256_of(path, silent) == hashlib.sha256(b"last").hexdigest()


def test_kind_by_name():
    kinds = {
        "a.CSV": "csv",
        "a.tsv.gz": "tsv",
        "a.b.jsonl": "jsonl",
        "a.json": "squad",
        "dev-v2.0.JSON.gz": "squad",
        "a.conll": "conll",
        "a.iob2.gz": "conll",
    }
    plain = ["train.de.gz", "a.txt", "a", ".gz"]
    for task in TASKS:
        assert {name: table_kind(Path(name), task) for name in kinds} == kinds
        words = "conll" if task == "token_tagging" else ""
        assert {table_kind(Path(name), task) for name in plain} == {words}


BAD = {
    "latin-1": ("a.txt", "caf\xe9 noir".encode("latin-1"), r"byte 3: byte 0xe9.*cp1252"),
    "cut in a character": ("a.txt", "café".encode()[:-1], r"byte 3"),
    "utf-16": ("a.txt", "text".encode("utf-16"), r"UTF-16.*data.encoding, perhaps to utf-16"),
    "a zero byte": ("a.txt", b"text\0", r"byte 4: it contains a zero byte"),
    "far in": ("a.txt", b"a" * 3_000_000 + b"\xff", r"byte 3000000"),
    "a broken .gz": ("a.txt.gz", gzip.compress(b"text" * 1000)[:-20], r"not a complete \.gz"),
    "no .gz": ("a.txt.gz", b"text", r"not a complete \.gz"),
    "a bomb": ("a.txt.gz", gzip.compress(b"\n" * 70_000_000, 9), r"more than 200 times its size"),
    "ragged": ("a.csv", "text,label\na,b\na,b,c\n", r"row 3: 3 columns, but row 1 has 2"),
    "ragged tsv": ("a.tsv", "text\tlabel\na\tb\n\na\n", r"row 3: 1 columns, but row 1 has 2"),
    "a long field": ("a.csv", "text,label\na,b\n" + "x" * 200_000 + ",b\n", r"row 3: "),
    "a long field in tsv": ("a.tsv", "text\tlabel\n" + "x" * 200_000 + "\tb\n", rf"row 2: .*{MAX_FIELD}"),
    "a long field in a record": ("a.jsonl", '{"text": "' + "x" * 200_000 + '", "label": 1}', rf"row 1: .*{MAX_FIELD}"),
    "an open quotation": ("a.csv", 'text,label\na,"b\n' + "x,y\n" * 40_000, r"row 2: .*quotation"),
    "an empty label": ("a.csv", "text,label\na,b\na,\n", r"row 3: the label \(column 'label'\) is empty"),
    "one column": ("a.csv", "text\na\n", r"no column left for the role label"),
    "no JSON": ("a.jsonl", '{"text": "a", "label": "b"}\n{"text"', r"row 2: not JSON"),
    "no object": ("a.jsonl", "[1]\n", r"row 1: a JSON object"),
    "deep": ("a.jsonl", "[" * 100_000, r"row 1: not JSON"),
    "a missing key": (
        "a.jsonl",
        '{"text": "a", "label": "b"}\n{"text": "a"}\n',
        r"row 2: the column 'label' is missing",
    ),
    "running text": ("a.txt", "text\n", r"classification needs a table"),
}


@pytest.mark.fault(30, 31)
@pytest.mark.parametrize(("name", "content", "sentence"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_said_with_its_place(file, name, content, sentence):
    task = "language_modeling" if name.startswith("a.txt") and "classification" not in sentence else "classification"
    path = file(name, content)
    with pytest.raises(UserError, match=sentence) as raised:
        read(path, task)
    assert str(path) in str(raised.value)


@pytest.mark.fault(31)
def test_a_column_that_does_not_exist_is_refused(file):
    with pytest.raises(UserError, match="no column 'score' for the role label; its columns are text, label"):
        read(file("a.csv", "text,label\na,b\n"), header="yes", columns={"label": "score"})


def test_two_columns_of_one_name_are_refused(file):
    with pytest.raises(UserError, match="row 1: two columns have the same name"):
        read(file("a.csv", "text,text\na,b\n"), header="yes")


def test_files_that_cannot_be_opened(file, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read(tmp_path / "absent.txt", "language_modeling")
    with pytest.raises(UserError, match="is a folder"):
        read(tmp_path, "language_modeling")
    with pytest.raises(UserError, match="needs a second file"):
        read(file("a.txt", "text"), "translation")
