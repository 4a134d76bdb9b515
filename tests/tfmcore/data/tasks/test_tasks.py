"""Every task: what a batch is made of, what is cut, what is to be predicted; and the same for a prompt."""

import numpy as np
import pytest

from tests.tfmcore.data.tasks.conftest import labels_of
from tfmcore.config.tasks import TASKS as FACTS
from tfmcore.data import IGNORED, TASKS, Example
from tfmcore.data.tasks import Item

EXAMPLES = {
    "language_modeling": [Example(text="3+4=7", prompt="3+4="), Example(text="a longer text")],
    "masked_language_modeling": [Example(text="some words to hide"), Example(text="fewer")],
    "span_corruption": [Example(text="some words to be taken out of it, several"), Example(text="fewer")],
    "denoising": [Example(text="A sentence. Another one! Is it?"), Example(text="fewer")],
    "classification": [
        Example(text="good film", pair="I liked it", label="yes"),
        Example(text="bad", pair="no", label="no"),
    ],
    "token_tagging": [
        Example(text="Ann lives in Rome .", labels="B-who O O B-where O"),
        Example(text="No one", labels="O O"),
    ],
    "question_answering": [
        Example(question="who?", context="it was Ann", answer="Ann", answer_start="7"),
        Example(question="why?", context="no", answer="", answer_start=""),
    ],
    "translation": [Example(source="abc", target="cba"), Example(source="longer than it", target="x")],
}
OPTIONS = [
    *((name, {}) for name in TASKS),
    ("masked_language_modeling", {"whole_word_masking": True}),
    ("masked_language_modeling", {"next_sentence_prediction": True}),
    ("span_corruption", {"noise_density": 0.5, "mean_span_length": 1.5}),
    ("denoising", {"infilling_rate": 0.0, "permute_sentences": False}),
    ("translation", {"prefix": "turn: "}),
]
ALL = pytest.mark.parametrize(("name", "fields"), OPTIONS, ids=["-".join([name, *fields]) for name, fields in OPTIONS])
ARGUMENTS = {"input_ids", "attention_mask", "token_type_ids", "decoder_input_ids", "decoder_attention_mask"}
REWRITING = ("span_corruption", "denoising", "translation")
NOISED = ("masked_language_modeling", "span_corruption", "denoising")


def written(tokenizer, row):
    return "".join(tokenizer.tokens([id for id in row if id not in (IGNORED, tokenizer.pad_id)]))


def test_the_registry_is_the_schema():
    assert list(TASKS) == list(FACTS) == list(EXAMPLES)
    for name, task in TASKS.items():
        assert set(task.roles) <= {*FACTS[name].roles, *FACTS[name].optional_roles}
        assert set(task.apart) <= set(task.roles)


@pytest.mark.parametrize("context", [4, 8, 64])
@ALL
def test_a_batch_has_the_models_arguments(name, fields, context, letters, task_of, collated):
    batch = collated(task_of(name, **fields), EXAMPLES[name], context)
    inputs, labels = batch.inputs, batch.labels
    assert set(inputs) <= ARGUMENTS
    assert {array.dtype for array in (*inputs.values(), labels, *batch.further.values())} == {np.dtype(np.int64)}
    assert all(array.shape[0] == 2 and array.shape[1] <= context for array in inputs.values())
    assert {array.shape for array in batch.further.values()} <= {(2,)}
    for prefix in ("", "decoder_"):
        if (mask := inputs.get(f"{prefix}attention_mask")) is not None:
            assert ((inputs[f"{prefix}input_ids"] == letters.pad_id) == (mask == 0)).all()
    if (shape := {"classification": (2,), "question_answering": (2, 2)}.get(name)) is not None:
        assert labels.shape == shape
        assert (labels >= 0).all()
        return
    assert labels.shape == inputs.get("decoder_input_ids", inputs["input_ids"]).shape
    mask = inputs.get("decoder_attention_mask", None if name in REWRITING else inputs.get("attention_mask"))
    assert mask is None or (labels[mask == 0] == IGNORED).all()
    assert name not in REWRITING or mask is None or ((labels == IGNORED) == (mask == 0)).all()


@ALL
def test_nothing_is_masked_where_nothing_is_padded(name, fields, task_of, collated):
    example = EXAMPLES[name][0]
    inputs = collated(task_of(name, **fields | {"infilling_length": 1.0}), [example]).inputs
    assert not {"attention_mask", "decoder_attention_mask"} & set(inputs)


@ALL
def test_lengths_are_those_of_the_batch(name, fields, letters, task_of, collated):
    task = task_of(name, **fields)
    for example in EXAMPLES[name]:
        (item,) = task.items([example], letters, labels_of(task, [example]))
        (length,) = task.lengths({role: np.array([len(ids)]) for role, ids in item.ids.items()})
        inputs = collated(task, [example]).inputs
        assert length == max(array.shape[1] for array in inputs.values())


@ALL
def test_a_prompt_is_read_as_in_training(name, fields, letters, task_of, collated):
    task, example = task_of(name, **fields), EXAMPLES[name][0]
    texts = {role: example[role] for role in task.roles if role in example}
    for context in (8, 64):
        read = task.inputs(texts, letters, context)
        trained = collated(task, [example], context).inputs
        if name == "language_modeling":
            assert read["input_ids"].tolist() == [letters.encode(example["text"])[-context:]]
        elif name in ("span_corruption", "denoising"):  # what a prompt lacks is written in it already
            assert set(read) == {"input_ids"} < set(trained)
            assert read["input_ids"].tolist() == [[*letters.encode(example["text"])[: context - 1], letters.eos_id]]
        elif name == "masked_language_modeling":
            assert written(letters, read["input_ids"][0]) == f"[CLS]{example['text'][: context - 2]}[SEP]"
        else:
            assert set(read) == set(trained)
            assert all((read[argument] == trained[argument]).all() for argument in read)


@ALL
def test_what_is_to_be_predicted_is_told_in_words(name, fields, letters, task_of, collated):
    task = task_of(name, **fields)
    names = list(labels_of(task, EXAMPLES[name]))
    batch = collated(task, EXAMPLES[name])
    read = batch.inputs.get("decoder_input_ids", batch.inputs["input_ids"])
    for row, example in enumerate(EXAMPLES[name]):
        told = task.targets(batch.labels[row], read.shape[1], letters, names)
        assert len(told) == read.shape[1]
        label = task.label(batch, row, names)
        assert bool(label) == (name == "classification" or "next_sentence_prediction" in fields)
        if name == "classification":
            assert (label, set(told)) == (example["label"], {""})
        elif name == "token_tagging":
            assert [word for word in told if word] == example["labels"].split()
        elif name == "question_answering":
            places = [(place, word) for place, word in enumerate(told) if word]
            assert places == ([(13, "start"), (15, "end")] if row == 0 else [(0, "start, end")])
        else:
            ids = [id for id in batch.labels[row].tolist() if id != IGNORED]
            assert [word for word in told if word] == letters.tokens(ids) != []


@ALL
def test_the_same_seed_makes_the_same_batch_and_another_spoils_a_text_elsewhere(name, fields, task_of, collated):
    task, examples = task_of(name, **fields), [Example(example) for example in EXAMPLES[name] * 4]
    first, again, other = (collated(task, examples, seed=seed) for seed in (1, 1, 2))

    def rows(batch):
        return {key: array.tolist() for key, array in [*batch.inputs.items(), ("labels", batch.labels)]}

    assert rows(first) == rows(again)
    noised = name in NOISED and "infilling_rate" not in fields
    assert (rows(first) != rows(other)) == noised


def test_language_modeling_predicts_the_next_token(letters, task_of, collated):
    batch = collated(task_of("language_modeling"), EXAMPLES["language_modeling"])
    assert [written(letters, row) for row in batch.inputs["input_ids"]] == ["3+4=7", "a longer text"]
    assert [written(letters, row) for row in batch.labels] == ["7[EOS]", " longer text[EOS]"]
    assert batch.labels[0].tolist()[:3] == [IGNORED] * 3  # what the prompt gives is not predicted


def test_the_end_of_what_could_go_on_is_not_predicted(letters, task_of, collated):
    example = Example(text="abab", prompt="aba")
    example.ends = False
    batch = collated(task_of("language_modeling"), [example])
    assert written(letters, batch.inputs["input_ids"][0]) == "aba"
    assert written(letters, batch.labels[0]) == "b"


def test_an_empty_prompt_begins_somewhere(letters, task_of):
    read = task_of("language_modeling").inputs({"text": ""}, letters, 8)
    assert read["input_ids"].tolist() == [[letters.bos_id]]


def test_translation_shifts_the_target(letters, task_of, collated):
    task, examples = task_of("translation"), EXAMPLES["translation"]
    batch = collated(task, examples)
    assert [written(letters, row) for row in batch.inputs["input_ids"]] == ["abc[EOS]", "longer than it[EOS]"]
    assert [written(letters, row) for row in batch.inputs["decoder_input_ids"]] == ["[BOS]cba", "[BOS]x"]
    assert [written(letters, row) for row in batch.labels] == ["cba[EOS]", "x[EOS]"]
    short = collated(task, examples, 3)
    assert [written(letters, row) for row in short.inputs["input_ids"]] == ["ab[EOS]", "lo[EOS]"]
    assert written(letters, short.labels[0]) == "cba"  # cut, so its end is not predicted


def test_a_prefix_stands_before_every_source(letters, task_of, collated):
    task = task_of("translation", prefix="turn: ")
    sources = [written(letters, row) for row in collated(task, EXAMPLES["translation"]).inputs["input_ids"]]
    assert sources == ["turn: abc[EOS]", "turn: longer than it[EOS]"]
    assert written(letters, task.inputs({"source": "abc"}, letters, 64)["input_ids"][0]) == "turn: abc[EOS]"


def test_a_pair_is_told_apart_and_the_longer_text_is_cut(letters, task_of, collated):
    task, examples = task_of("classification"), EXAMPLES["classification"]
    batch = collated(task, examples)
    assert batch.labels.tolist() == [1, 0]
    assert written(letters, batch.inputs["input_ids"][1]) == "[CLS]bad[SEP]no[SEP]"
    assert batch.inputs["token_type_ids"][1].tolist()[:8] == [0, 0, 0, 0, 0, 1, 1, 1]
    short = collated(task, examples, 10).inputs["input_ids"]
    assert [written(letters, row) for row in short] == ["[CLS]goo[SEP]I li[SEP]", "[CLS]bad[SEP]no[SEP]"]
    single = collated(task, [Example(text="good", label="yes")]).inputs
    assert "token_type_ids" not in single


def test_the_first_rows_of_a_batch_are_a_batch(task_of, collated):
    task = task_of("masked_language_modeling", next_sentence_prediction=True)
    batch = collated(task, EXAMPLES["masked_language_modeling"])
    first = batch.rows(0, 1)
    assert {len(array) for array in (*first.inputs.values(), first.labels, *first.further.values())} == {1}
    assert first.num_labels < batch.num_labels


def test_an_item_that_is_too_long_is_cut_to_the_context(letters, task_of):
    ids = np.full(500, letters.encode("a")[0], np.uint32)
    for name, context in ((name, context) for name in NOISED for context in (5, 16, 100)):
        task = task_of(name)
        batch = task.collate([Item({"text": ids})], letters, context, np.random.default_rng(0))
        assert max(array.shape[1] for array in batch.inputs.values()) <= context, name
        assert len(ids[: task.window(context)]) <= 500
