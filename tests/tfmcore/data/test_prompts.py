"""Prompts and what completes them, from tables of one's own: which columns, what is given, what is left out or cut."""

import numpy as np
import pytest

from tests.tfmcore.conftest import choices
from tfmcore.config import DataConfig, TokenizerConfig, UserError
from tfmcore.data import IGNORED, evaluation_split, prepare
from tfmcore.data import preparation as module
from tfmcore.data.preview import preview
from tfmcore.data.progress import silent
from tfmcore.data.sources import SOURCES, Example
from tfmcore.data.sources.file import file_roles, layout
from tfmcore.data.tasks import TASKS
from tfmcore.data.tokenizer_training import train_tokenizer

TASK = "language_modeling"
WORDS = ["apple", "bread", "cloud", "dream", "eagle", "flame", "grape", "house", "igloo", "joker", "knife", "lemon"]
PAIRS = "prompt,completion\n" + "".join(f"{word.upper()},{word}\n" for word in WORDS)


def data(path, **fields):
    return DataConfig(source="file", task=TASK, path=str(path), **fields)


def roles(file, header, **columns):
    row = ",".join("a longer field" if name == "comment" else "b" for name in header.split(","))
    return file_roles(data(file("a.csv", f"{header}\n{row}\n{row}\n"), columns=columns))


@pytest.fixture
def table(file):
    return file("pairs.csv", PAIRS)


@pytest.fixture
def made(config, table):
    """The config of such a table, with other fields."""
    given = {"data__path": str(table), "tokenizer__kind": "byte"}
    return lambda **fields: config("file", TASK, **(given | fields))


@pytest.mark.parametrize(
    ("header", "prompt", "text"),
    [
        ("prompt,completion", "prompt", "completion"),
        ("id,response,instruction", "instruction", "response"),
        ("instruction,input,output", "instruction + input", "output"),
        ("Instruction,Context,Response,Category", "Instruction + Context", "Response"),
        ("id,instruction,output", "instruction", "output"),
        ("Question,Answer", "Question", "Answer"),
        ("input,target", "input", "target"),
        ("prompt,text", "prompt", "text"),
        ("source,target", "source", "target"),
        ("source,text", "", "text"),  # where a text is from
        ("question,comment", "", "question"),  # nothing that is called as completions are
        ("text,label", "", "text"),
    ],
)
def test_prompts_are_told_by_the_names_of_columns(file, header, prompt, text):
    assert roles(file, header) == {"text": text} | ({"prompt": prompt} if prompt else {})


def test_what_is_chosen_counts(file):
    assert roles(file, "b,a,text", prompt="a + b") == {"text": "text", "prompt": "a + b"}
    assert roles(file, "a + b,a,text", prompt="a + b") == {"text": "text", "prompt": "a + b"}
    assert roles(file, "instruction,input,output", prompt="input") == {"text": "output", "prompt": "input"}
    assert roles(file, "question,comment", prompt="question") == {"text": "comment", "prompt": "question"}
    assert roles(file, "source,text", prompt="source") == {"text": "text", "prompt": "source"}
    assert roles(file, "question,answer,comment", text="comment") == {"text": "comment"}
    assert roles(file, "prompt,answer,output", text="output") == {"text": "output", "prompt": "prompt"}
    assert roles(file, "prompt,completion", prompt="", text="completion") == {"text": "completion"}
    assert roles(file, "question,answer", prompt="") == {"text": "question"}


@pytest.mark.parametrize("task", [task for task in TASKS if task != TASK])
def test_other_tasks_know_no_prompts(file, task):
    columns = "context,question,answer,prompt,completion,text,labels,label,source,target"
    path = file("a.csv", f"{columns}\n{columns.upper()}\n")
    assert "prompt" not in file_roles(DataConfig(source="file", task=task, path=str(path)))


def test_an_optional_column_can_be_left_out_of_any_task(file):
    path = str(file("a.csv", "text,pair,label\na,b,x\n"))
    kept = {"text": "text", "label": "label"}
    for columns, found in (({}, kept | {"pair": "pair"}), ({"pair": ""}, kept)):
        assert file_roles(DataConfig(source="file", task="classification", path=path, columns=columns)) == found


def test_a_column_that_is_not_there_is_refused_with_the_nearest(table):
    for columns in ({"prompt": "promt"}, {"prompt": "completion + promt"}, {"text": "compltion"}):
        with pytest.raises(UserError, match=r"its columns are prompt, completion, the nearest '(prompt|completion)'"):
            list(SOURCES["file"].examples(data(table, columns=columns)))
    with pytest.raises(UserError, match="no column '' for the role text"):
        file_roles(data(table, columns={"text": ""}))


@pytest.mark.parametrize("name", ["a.jsonl", "a.tsv"])
def test_each_row_is_an_example(file, name):
    rows = {
        "a.jsonl": '{"prompt": "2+2=", "completion": "4"}\n{"prompt": null, "completion": "x"}\n',
        "a.tsv": "prompt\tcompletion\n2+2=\t4\n\tx\n",
    }
    chosen = data(file(name, rows[name]))
    assert layout(chosen) == "examples"
    assert list(SOURCES["file"].examples(chosen)) == [{"text": "2+2=4", "prompt": "2+2="}, {"text": "x", "prompt": ""}]
    assert layout(chosen.model_copy(update={"columns": {"prompt": ""}})) == "documents"
    assert layout(data(file("a.txt", "2+2=4"))) == "text"


def test_a_prompt_of_several_columns_and_a_separator(file, made, tmp_path):
    """Columns that are empty or not there are left out; the separator is given with the prompt, and to a tokenizer."""
    rows = [
        '{"instruction": "Add", "input": "1, 2", "output": "3"}',
        '{"instruction": "Say 1", "input": null, "output": "1"}',
        '{"instruction": "Say 2", "output": "2"}',
        '{"instruction": "", "input": "", "output": "x"}',
    ]
    path = file("a.jsonl", "\n".join(rows))
    found = list(SOURCES["file"].examples(data(path, separator="\n= ")))
    assert [example["prompt"] for example in found] == ["Add\n1, 2", "Say 1", "Say 2", ""]
    assert [example["text"] for example in found] == ["Add\n1, 2\n= 3", "Say 1\n= 1", "Say 2\n= 2", "\n= x"]
    dataset = prepare(made(data__path=str(path), data__separator="\n= ", tokenizer__kind="char"), cache=tmp_path)
    for split in (dataset.train, dataset.validation):
        for number, example in enumerate(split.examples(9)):
            item = split.stored.item(number)
            given = item.ids["text"][: item.number].tolist()
            assert given == dataset.tokenizer.encode(example["prompt"] + "\n= ")
    assert dataset.tokenizer.unk_id not in dataset.tokenizer.encode("\n= ")


def test_another_separator_or_column_of_prompts_is_another_dataset(made, file):
    path = str(file("a.csv", "instruction,input,output\n" + "a,b,c\n" * 3))
    given = ({}, {"data__separator": "="}, {"data__columns": {"prompt": "instruction"}})
    marks = [module.fingerprint((config := made(data__path=path, **more)).data, config.tokenizer, silent)
             for more in given]  # fmt: skip
    assert len({*marks}) == 3


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_a_separator_needs_prompts(made, file, letters, tmp_path, name):
    plain = made(data__path=str(file(name, "comment\n" + "a few words\n" * 50)), data__separator="=")
    with pytest.raises(UserError, match="has no prompts: say which column"):
        prepare(plain, cache=tmp_path)
    assert any("there are no prompts: say which column" in sentence for sentence in preview(plain.data).problems)
    assert len(evaluation_split(plain.data, letters, [], 8, cache=tmp_path)), "a model may be evaluated on other text"


def test_running_text_has_no_prompts(file):
    with pytest.raises(UserError, match="is one running text, and language_modeling needs a table for its prompts"):
        list(SOURCES["file"].examples(data(file("a.txt", "text"), columns={"prompt": "prompt"})))


@pytest.mark.parametrize("kind", [kind for kind in choices("tokenizer.kind") if kind != "file"])
def test_what_is_given_are_the_tokens_that_a_prompt_becomes(kind):
    """Also where the pieces of the whole text would cross from the prompt into what follows it."""
    tokenizer = train_tokenizer(TokenizerConfig(kind=kind, vocab_size=300), ["the sea is the seaside, seaside"] * 20)
    example = Example(text="the seaside", prompt="the sea")
    (item,) = TASKS[TASK](DataConfig()).items([example], tokenizer, {})
    prompt, rest = tokenizer.encode("the sea"), tokenizer.encode("side")
    assert item.ids["text"].tolist() == [*prompt, *rest, tokenizer.eos_id]
    assert item.number == len(prompt)


def test_an_empty_prompt_is_the_end_token_as_it_is_where_one_writes(letters):
    (item,) = TASKS[TASK](DataConfig()).items([Example(text="ab", prompt="")], letters, {})
    assert item.ids["text"].tolist() == [letters.eos_id, *letters.encode("ab"), letters.eos_id]
    assert item.number == 1


def test_only_completions_are_predicted(made, tmp_path):
    dataset = prepare(made(), cache=tmp_path)
    assert not dataset.warnings
    assert dataset.counts["train"] + dataset.counts["validation"] == len(WORDS)
    for split in (dataset.train, dataset.validation):
        for batch in split.once(4):
            for ids, labels in zip(batch.inputs["input_ids"], batch.labels, strict=True):
                word = dataset.tokenizer.decode(ids[:5].tolist()).lower()
                known = labels[labels != IGNORED].tolist()
                assert dataset.tokenizer.decode(known) == word
                assert known[-1] == dataset.tokenizer.eos_id
                assert (labels[:4] == IGNORED).all()
    assert [example["prompt"].lower() for example in dataset.train.examples(100)] == [
        example["text"].removeprefix(example["prompt"]) for example in dataset.train.examples(100)
    ]


def test_the_tokenizer_learns_from_both(made, tmp_path):
    tokenizer = prepare(made(tokenizer__kind="char"), cache=tmp_path).tokenizer
    letters = {token for token in tokenizer.tokens(range(tokenizer.vocab_size)) if len(token) == 1}
    assert letters == {letter for lower in letters for letter in (lower.lower(), lower.upper())}
    assert len(letters) > 20


def test_several_share_a_row_where_they_are_packed(made, tmp_path):
    alone, packed = (
        prepare(made(data__packing=packing, model__context_length=24), cache=tmp_path).train.batch(0, 6, 0)
        for packing in (False, True)
    )
    assert packed.labels.shape == (3, 20)  # two texts of 10 tokens a row
    assert packed.num_labels == alone.num_labels == 6 * 6


def test_what_completes_nothing_is_left_out_and_counted(config, file, tmp_path):
    path = file("a.csv", PAIRS + "NOTHING,\nBLANK,  \n")
    dataset = prepare(config("file", TASK, data__path=str(path), tokenizer__kind="byte"), cache=tmp_path)
    assert dataset.warnings == ["examples skipped because one of their texts is empty: 2"]
    assert dataset.counts["train"] + dataset.counts["validation"] == len(WORDS)


def test_what_is_longer_than_the_context_is_cut_and_counted(config, file, tmp_path):
    path = file("a.csv", PAIRS + f"{'LONG' * 9},x\nSHORT,{'long' * 9}\n")
    made = config("file", TASK, data__path=str(path), tokenizer__kind="byte", model__context_length=16)
    dataset = prepare(made, cache=tmp_path)
    assert dataset.warnings == [
        "2 of 14 examples are longer than the context of 16 tokens and are cut; "
        "a model.context_length of 41 would hold them all",
        "examples of which nothing is learned because their prompt fills the context: 1",
    ]
    batches = [*dataset.train.once(1), *dataset.validation.once(1)]
    assert [batch.num_labels for batch in batches].count(0) == 1
    assert max(batch.inputs["input_ids"].shape[1] for batch in batches) == 16


def test_running_text_that_was_stored_is_not_taken_for_prompts(made, tmp_path, monkeypatch):
    """A dataset of before prompts were known, when the same config made running text of the same file."""
    with monkeypatch.context() as patched:
        patched.setattr(module.file, "layout", lambda data: "documents")
        before = module.fingerprint(made().data, made().tokenizer, silent)
    assert prepare(made(), cache=tmp_path).fingerprint != before
    plain = made(data__columns={"prompt": ""})
    assert len({prepare(plain, cache=tmp_path).fingerprint, prepare(made(), cache=tmp_path).fingerprint, before}) == 3
    assert not prepare(plain, cache=tmp_path).train.stored.ends


def test_a_validation_file_has_the_same_roles(made, config, file, tmp_path):
    other = file("other.csv", "prompt,completion\nZEBRA,zebra\n")
    dataset = prepare(made(data__validation_path=str(other)), cache=tmp_path)
    assert dataset.validation.examples(9) == [{"text": "ZEBRAzebra", "prompt": "ZEBRA"}]
    text = file("text.csv", "text\n" + "a few words\n" * 50)
    fields = {"data__path": str(text), "data__validation_path": str(file("b.csv", "text,prompt\nabc,ABC\n"))}
    plain = prepare(config("file", TASK, model__context_length=8, tokenizer__kind="byte", **fields), cache=tmp_path)
    assert plain.validation.examples(9) == [{"text": "abc"}]
    with pytest.raises(UserError, match="needs a table for its prompts"):
        prepare(made(data__validation_path=str(file("c.txt", "text"))), cache=tmp_path)


def test_a_trained_model_is_evaluated_on_completions(table, letters, tmp_path):
    split = evaluation_split(data(table), letters, [], 64, cache=tmp_path)
    assert len(split) == len(WORDS)
    assert sum(batch.num_labels for batch in split.once(5)) == 6 * len(WORDS)
    whole = evaluation_split(data(table, columns={"prompt": "", "text": "prompt"}), letters, [], 64, cache=tmp_path)
    assert sum(batch.num_labels for batch in whole.once(5)) == 6 * len(WORDS) - 1
    assert np.concatenate([whole.stored.ids["text"]]).tolist().count(letters.eos_id) == len(WORDS)


def test_the_preview_names_both_and_counts_both(table, letters):
    shown = preview(data(table), letters)
    assert shown.roles == {"text": "completion", "prompt": "prompt"}
    assert (shown.rows[0], set(shown.lengths), shown.problems) == (["APPLE", "apple"], {10}, [])
