"""A choice of source, file, task or preset leaves a draft that fits together."""

import pytest

from app import fitting
from app.draft import Draft
from tfmcore.config import SOURCES, TASKS, presets
from tfmcore.config.tasks import TEXT_TASKS


@pytest.fixture
def draft(qtbot) -> Draft:
    return Draft()


@pytest.mark.parametrize("name", presets())
def test_every_source_and_task_can_be_chosen_from_every_preset(draft, name):
    for source, facts in SOURCES.items():
        draft.load_preset(name)
        draft.set_many(fitting.choose_source(draft, source))
        for task in facts.tasks:
            draft.set_many(fitting.choose_task(draft, task))
            wrong = {problem.field for problem in draft.problems} - {"data.path"}
            assert not wrong, (source, task)


@pytest.mark.parametrize("task", TASKS)
def test_the_architecture_comes_along_in_one_step_and_is_said(draft, task):
    changes = fitting.choose_task(draft, task)
    draft.set_many(changes)
    fits = "decoder" in TASKS[task].architectures
    assert bool(fitting.consequences(changes)) != fits
    draft.undo()
    assert draft.value("data.task") == "language_modeling"
    assert draft.value("model.architecture") == "decoder"


@pytest.mark.parametrize(
    ("paths", "task"),
    [
        (["/a/book.txt"], "language_modeling"),
        (["/a/book.TXT.gz"], "language_modeling"),
        (["/a/reviews.tsv"], "classification"),
        (["/a/reviews.jsonl.gz"], "classification"),
        (["/a/names.conll"], "token_tagging"),
        (["/a/names.BIO.gz"], "token_tagging"),
        (["/a/squad.json"], "question_answering"),
        (["/a/en.txt", "/a/hu.txt"], "translation"),
    ],
)
def test_a_file_brings_its_task(draft, paths, task):
    draft.set_many(fitting.choose_files(draft, paths))
    assert draft.config is not None
    assert (draft.config.data.source, draft.config.data.path) == ("file", paths[0])
    assert draft.config.data.task == task
    assert draft.config.data.target_path == "".join(paths[1:])


@pytest.mark.parametrize("task", TEXT_TASKS)
def test_a_running_text_of_ones_own_leaves_the_task_that_learns_from_one(draft, task):
    draft.set_many(fitting.choose_task(draft, task))
    architecture = draft.value("model.architecture")
    draft.set_many(fitting.choose_files(draft, ["/a/book.txt"]))
    assert (draft.value("data.task"), draft.value("model.architecture")) == (task, architecture)


@pytest.mark.parametrize(
    ("paths", "tokens"),
    [
        (["/a/reviews.csv"], ("wordpiece", True)),
        (["/a/names.conll"], ("wordpiece", False)),
        (["/a/en.txt", "/a/hu.txt"], ("byte_bpe", False)),
    ],
)
def test_short_texts_get_the_pieces_that_suit_them(draft, paths, tokens):
    draft.set_many(fitting.choose_files(draft, paths))
    assert (draft.value("tokenizer.kind"), draft.value("tokenizer.lowercase")) == tokens


def test_a_running_text_gets_letters_again(draft):
    draft.set_many(fitting.choose_files(draft, ["/a/reviews.csv"]))
    changes = fitting.choose_files(draft, ["/a/book.txt"])
    draft.set_many(changes)
    assert (draft.value("tokenizer.kind"), draft.value("tokenizer.lowercase")) == ("char", False)
    assert "Tokens are now letters" in fitting.consequences(changes)


def test_the_tokens_of_a_text_that_are_no_tables_stay(draft):
    draft.set("tokenizer.kind", "byte_bpe")
    draft.set_many(fitting.choose_files(draft, ["/a/book.txt"]))
    assert draft.value("tokenizer.kind") == "byte_bpe"


@pytest.mark.parametrize(
    ("columns", "rows", "task"),
    [
        (["sentence", "label"], [], "classification"),
        (["Text", "Sentiment", "id"], [], "classification"),
        (["source", "target"], [["ja", "yes"]] * 9, "translation"),
        (["en", "hu"], [], "translation"),
        (["question", "answer"], [], "translation"),
        (["Prompt", "Completion"], [], "language_modeling"),
        (["instruction", "input", "output"], [["say it", "", "it"]] * 9, "language_modeling"),
        (["body"], [["a poem"], ["another"]], "language_modeling"),
        (["1", "2"], [[f"review number {n}", str(n % 2)] for n in range(9)], "classification"),
        (["1", "2"], [[f"review number {n}", "0"] for n in range(9)], "classification"),
        (["1", "2"], [[f"a text {n}", f"another {n}"] for n in range(9)], "language_modeling"),
    ],
)
def test_a_table_suggests_a_task(columns, rows, task):
    assert fitting.task_of_table(columns, rows) == task


def test_a_preset_keeps_ones_own_file_only_where_it_can_learn_it(draft):
    draft.set_many(fitting.choose_files(draft, ["/a/book.txt"]))
    kept = fitting.choose_preset(draft, "gpt2-mini")
    assert (kept.data.path, kept.model.preset) == ("/a/book.txt", "gpt2-mini")
    assert fitting.choose_preset(draft, "reverse").data.source == "reverse"
    draft.load_preset("reverse")
    assert fitting.choose_preset(draft, "gpt2-mini") == presets()["gpt2-mini"].config()


def test_a_decoder_that_classifies_may_become_an_encoder(draft):
    draft.set_many(fitting.choose_task(draft, "language_modeling"))
    assert fitting.better_architecture(draft) == ""
    draft.set_many({"data.source": "brackets", "data.task": "classification"})
    assert fitting.better_architecture(draft) == "encoder"
    draft.set("model.architecture", "encoder")
    assert fitting.better_architecture(draft) == ""


@pytest.mark.parametrize("kind", ["char", "unigram"])
@pytest.mark.parametrize("task", ["language_modeling", "translation", "classification"])
def test_what_writes_keeps_capitals_unless_the_tokens_were_chosen(task, kind):
    draft = Draft()
    draft.set("tokenizer.kind", kind)
    opened = fitting.choose_files(draft, ["/data/a.csv"])
    draft.set_many(opened)
    draft.set_many(fitting.choose_guess(draft, task, opened))
    pieces = ("wordpiece", True) if task == "classification" else ("byte_bpe", False)
    found = draft.value("tokenizer.kind"), draft.value("tokenizer.lowercase")
    assert found == (pieces if kind == "char" else ("unigram", False))
