"""Making a dataset: split without leakage, kept in the cache whole or not at all, refused in one sentence."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tfmcore.conftest import choices
from tfmcore.config import Config, UserError
from tfmcore.config.sources import SOURCES as FACTS
from tfmcore.config.tasks import LABEL_TASKS
from tfmcore.data import Cancelled, evaluation_split, prepare
from tfmcore.data import preparation as module
from tfmcore.data.sources import SOURCES

EVERYTHING = [(source, task) for source, facts in FACTS.items() if source != "file" for task in facts.tasks]
ROWS = "".join(f"this is text {n},{'even' if n % 2 == 0 else 'odd'}\n" for n in range(100))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.mark.parametrize(("source", "task"), EVERYTHING)
def test_every_source_serves_its_tasks(source, task, config, cache):
    told = []
    dataset = prepare(config(source, task, data__max_examples=200), lambda *what: told.append(what), cache)
    assert dataset.counts["train"] > dataset.counts["validation"] > 0
    assert dataset.train.batch(0, 8, 0).num_labels > 0
    assert bool(dataset.labels) == (task in LABEL_TASKS)
    assert dataset.labels == sorted(dataset.labels)
    assert [what[0] for what in told if what[1] == 0][-1] == "tokenising"
    assert len(list(cache.rglob("dataset.json"))) == 1


@pytest.mark.parametrize("kind", [kind for kind in choices("tokenizer.kind") if kind != "file"])
def test_every_tokenizer_serves(kind, config, cache):
    tokenizer = {"tokenizer__kind": kind, "tokenizer__vocab_size": 300}
    dataset = prepare(config("cldr_translation", "translation", data__max_examples=200, **tokenizer), cache=cache)
    assert dataset.tokenizer.vocab_size <= 300
    assert dataset.train.batch(0, 8, 0).inputs["input_ids"].max() < dataset.tokenizer.vocab_size


def test_the_second_time_it_is_found(config, cache, monkeypatch, file):
    made = config("file", "language_modeling", data__path=str(file("a.txt", "some text, " * 200)))
    first = prepare(made, cache=cache)
    monkeypatch.setattr(module.Preparation, "write", None)
    again = prepare(made.replaced(model__context_length=10, training__steps=7), cache=cache)
    assert (again.folder, again.fingerprint) == (first.folder, first.fingerprint)
    moved = Path(shutil.copy(made.data.path, Path(made.data.path).with_name("b.txt")))
    assert prepare(made.replaced(data__path=str(moved)), cache=cache).fingerprint == first.fingerprint


def test_what_matters_changes_the_fingerprint(config, cache, file):
    path = file("a.txt", "some text, " * 200)
    made = config("file", "language_modeling", data__path=str(path))
    marks = {prepare(made, cache=cache).fingerprint}
    for changed in ({"data__seed": 1}, {"data__validation_fraction": 0.2}, {"tokenizer__lowercase": True}):
        marks.add(prepare(made.replaced(**changed), cache=cache).fingerprint)
    path.write_bytes(path.read_bytes().replace(b"s", b"S", 1))
    marks.add(prepare(made, cache=cache).fingerprint)
    assert len(marks) == 5


def test_equal_texts_are_on_one_side(config, cache, file):
    rows = "".join(f"{' ' * (n % 2)}text {n % 40}\t{n % 3}\n" for n in range(400))
    made = config("file", "classification", data__path=str(file("a.tsv", rows)), data__validation_fraction=0.25)
    dataset = prepare(made, cache=cache)
    sides = [
        {example["text"].strip() for example in split.examples(1000)} for split in (dataset.train, dataset.validation)
    ]
    assert not sides[0] & sides[1]
    assert len(sides[1]) == 10
    assert dataset.counts["validation"] == 100


def test_a_source_text_is_on_one_side_whatever_its_translations(config, cache, file):
    pairs = "".join(f'{{"source": "s{n % 10}", "target": "t{n}"}}\n' for n in range(50))
    dataset = prepare(config("file", "translation", data__path=str(file("a.jsonl", pairs))), cache=cache)
    held_out = {example["source"] for example in dataset.validation.examples(100)}
    assert len(held_out) == 1
    assert not held_out & {example["source"] for example in dataset.train.examples(100)}


def test_running_text_is_held_out_at_its_end(config, cache, file):
    text = "".join(f"{n} " for n in range(5000))
    made = config("file", "language_modeling", data__path=str(file("a.txt", text)), data__validation_fraction=0.3)
    dataset = prepare(made, cache=cache)
    train, validation = (dataset.tokenizer.decode(split.text) for split in (dataset.train, dataset.validation))
    assert train + validation == text
    assert len(validation) == round(len(text) * 0.3)


def test_records_of_text_are_joined_by_end_tokens(config, cache, file):
    records = "".join(json.dumps({"text": f"document {n}"}) + "\n" for n in range(20))
    dataset = prepare(config("file", "language_modeling", data__path=str(file("a.jsonl", records)),
                             model__context_length=4), cache=cache)  # fmt: skip
    texts = dataset.tokenizer.decode(dataset.train.text, skip_special=False).split("[EOS]")
    assert len(texts) + dataset.validation.text.tolist().count(dataset.tokenizer.eos_id) == 21
    assert all(text.startswith("document ") for text in texts[:-1])


def test_a_validation_file_is_all_that_is_held_out(config, cache, file):
    few = "".join(ROWS.splitlines(keepends=True)[:11])
    paths = {"data__path": str(file("a.csv", ROWS)), "data__validation_path": str(file("b.csv", few))}
    dataset = prepare(config("file", "classification", **paths), cache=cache)
    assert (dataset.counts["train"], dataset.labels) == (100, ["even", "odd"])
    assert dataset.counts["validation"] == 11
    paths["data__validation_path"] = str(file("c.csv", "some text,even\nmore text,strange\n"))
    with pytest.raises(UserError, match=r"c\.csv, row 2: the label 'strange' is none of even, odd"):
        prepare(config("file", "classification", **paths), cache=cache)


RARE = {
    "classification": ("a.csv", "text,label\n" + "".join(f"text {n},{'O' if n % 4 else 'B-x'}\n" for n in range(40))),
    "token_tagging": ("a.conll", "".join(f"{n} B-x\nis O\na O\nnumber O\n\n" for n in range(40))),
}


@pytest.mark.parametrize("task", RARE)
def test_a_class_weighs_the_more_the_rarer_it_is(task, config, cache, file):
    path = str(file(*RARE[task]))
    dataset = prepare(config("file", task, data__path=path, data__validation_path=path), cache=cache)
    assert dataset.labels == ["B-x", "O"]
    assert dataset.class_weights().tolist() == pytest.approx([4 / 2, 4 / 3 / 2])


def test_other_data_in_the_terms_of_a_trained_model(config, cache, file):
    made = config("file", "classification", data__path=str(file("a.csv", ROWS)))
    dataset = prepare(made, cache=cache)
    other = made.data.model_copy(update={"path": str(file("b.csv", "text,label\nthis is it,odd\n"))})
    split = evaluation_split(other, dataset.tokenizer, dataset.labels, 16, cache=cache)
    (batch,) = split.once(8)
    assert batch.labels.tolist() == [1]
    assert dataset.tokenizer.decode(batch.inputs["input_ids"][0]) == "this is it"


def test_a_foreign_tokenizer_is_taken_as_it_is(config, cache, tmp_path):
    made = config("copy", "translation", data__max_examples=50)
    path = tmp_path / "tokenizer.json"
    prepare(made, cache=cache).tokenizer.save(path)
    again = prepare(made.replaced(tokenizer__kind="file", tokenizer__path=str(path)), cache=cache)
    assert again.tokenizer.encode("abc") == prepare(made, cache=cache).tokenizer.encode("abc")


# ── all or nothing ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("phase", ["reading", "training the tokenizer", "tokenising"])
def test_cancelled_leaves_nothing(phase, config, cache):
    def progress(now: str, done: int, total: int) -> None:
        if now == phase:
            raise Cancelled

    with pytest.raises(Cancelled):
        prepare(config("reverse", "translation", data__max_examples=100), progress, cache)
    assert [path for path in cache.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("harm", ["truncated", "missing", "no summary", "bad summary"])
def test_a_damaged_dataset_is_made_anew(harm, config, cache):
    made = config("reverse", "translation", data__max_examples=100)
    folder = prepare(made, cache=cache).folder
    if harm == "truncated":
        os.truncate(folder / "training.source.ids", 10)
    elif harm == "missing":
        (folder / "tokenizer.json").unlink()
    elif harm == "no summary":
        (folder / "dataset.json").unlink()
    else:
        (folder / "dataset.json").write_text("{")
    assert len(prepare(made, cache=cache).train) == 90


def test_old_litter_is_swept(config, cache):
    litter = cache / "data" / ".0123456789abcdef-1-abcd"
    litter.mkdir(parents=True)
    os.utime(litter, (0, 0))
    prepare(config("reverse", "translation", data__max_examples=100), cache=cache)
    assert not litter.exists()


def test_two_at_once_make_the_same(config, cache):
    made = config("reverse", "translation", data__max_examples=2000)
    code = (
        "import json, sys; from pathlib import Path\n"
        "from tfmcore.config import Config; from tfmcore.data import prepare\n"
        "print(prepare(Config.parse(json.loads(sys.argv[1])), cache=Path(sys.argv[2])).fingerprint)"
    )
    command = [sys.executable, "-c", code, json.dumps(made.raw()), str(cache)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    marks = {child.communicate()[0] for child in children}
    assert {child.returncode for child in children} == {0}
    assert len(marks) == 1
    assert len(list((cache / "data").iterdir())) == 1


def test_a_cache_that_cannot_be_written(config, tmp_path):
    (tmp_path / "data").write_text("a file where a folder should be")
    with pytest.raises(UserError, match="cannot be stored"):
        prepare(config("reverse", "translation", data__max_examples=100), cache=tmp_path)


# ── data that says something is wrong ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.fault(13)
def test_one_token_is_warned_about(config, cache, file):
    path = str(file("a.txt", "a" * 1000))
    dataset = prepare(config("file", "language_modeling", data__path=path), cache=cache)
    assert [warning for warning in dataset.warnings if "loss will always be 0" in warning]


@pytest.mark.fault(15)
def test_what_is_cut_is_counted(config, cache):
    made = config("copy", "translation", data__max_examples=100, data__min_length=9, data__max_length=9)
    (warning,) = prepare(made.replaced(model__context_length=9), cache=cache).warnings
    assert warning.startswith("100 of 100 examples are longer than the context of 9 tokens")
    assert "model.context_length of 10 " in warning
    assert prepare(made.replaced(model__context_length=10), cache=cache).warnings == []


def test_unknown_tokens_are_counted(config, cache, file):
    text = "abcdefghij" * 100 + "xyz" * 20
    made = config("file", "language_modeling", data__path=str(file("a.txt", text)), model__context_length=8)
    assert prepare(made, cache=cache).warnings[0].endswith("unknown to the tokenizer: increase tokenizer.vocab_size")


def test_empty_texts_are_left_out_and_counted(config, cache, file):
    made = config("file", "classification", data__path=str(file("a.csv", ROWS + " ,odd\n")), data__header="no")
    dataset = prepare(made, cache=cache)
    assert dataset.counts["train"] + dataset.counts["validation"] == 100
    assert dataset.warnings == ["examples skipped because one of their texts is empty: 1"]


REFUSED = {
    "empty": ("a.txt", "", "language_modeling", "contains no examples"),
    "empty table": ("a.csv", "text,label\n", "classification", "contains no examples"),
    "too short": ("a.txt", "short text", "language_modeling", "too few for one window of 65"),
    "one token": ("a.txt", "a", "language_modeling", "left for validation"),
    "one label": ("a.csv", "text,label\na,x\nb,x\n", "classification", "only one label, 'x'"),
    "one example": ("a.csv", "text,label\na,x\na,y\n", "classification", "fewer than two distinct examples"),
    "all different labels": ("a.csv", "text,label\n" + "".join(f"a{n},b{n}\n" for n in range(2000)), "classification",
                             "2000 labels, more than 1000"),
}  # fmt: skip


@pytest.mark.fault(16)
@pytest.mark.parametrize(("name", "content", "task", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_data_that_cannot_be_learned_from_is_refused(name, content, task, sentence, config, cache, file):
    with pytest.raises(UserError, match=sentence):
        prepare(config("file", task, data__path=str(file(name, content))), cache=cache)
    assert not list(cache.rglob(".*-*-*"))


@pytest.mark.fault(16)
def test_a_part_without_examples_is_refused(config, cache, file):
    made = config("file", "language_modeling", data__path=str(file("a.txt", "some words")), model__context_length=4)
    with pytest.raises(UserError, match="left for validation: more data"):
        prepare(made.replaced(data__validation_fraction=0.01), cache=cache)
    paths = {"data__path": str(file("a.csv", ROWS)), "data__validation_path": str(file("b.csv", ""))}
    with pytest.raises(UserError, match="left for validation: more data"):
        prepare(config("file", "classification", **paths), cache=cache)


def test_every_option_of_a_source_is_in_its_fingerprint():
    for name, facts in FACTS.items():
        assert set(facts.options) <= set(Config().data.model_dump()), name
        assert name in SOURCES


def test_a_tokenizer_learns_from_the_prefix(config, tmp_path):
    made = config("reverse", "translation", tokenizer__kind="char", data__prefix="Turn: ", data__max_examples=50)
    tokenizer = prepare(made, cache=tmp_path).tokenizer
    assert tokenizer.decode(tokenizer.encode("Turn: ")) == "Turn: "
