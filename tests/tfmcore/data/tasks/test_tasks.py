"""Every task: what a batch is made of, what is cut, what is to be predicted; and the same for a prompt."""

import numpy as np
import pytest

from tfmcore.config.tasks import TASKS as FACTS
from tfmcore.data import IGNORED, TASKS, Example
from tfmcore.data.tasks import Item

EXAMPLES = {
    "language_modeling": [Example(text="3+4=7", prompt="3+4="), Example(text="a longer text")],
    "masked_language_modeling": [Example(text="some words to hide"), Example(text="fewer")],
    "classification": [
        Example(text="good film", pair="I liked it", label="yes"),
        Example(text="bad", pair="no", label="no"),
    ],
    "translation": [Example(source="abc", target="cba"), Example(source="longer than it", target="x")],
}
ARGUMENTS = {"input_ids", "attention_mask", "token_type_ids", "decoder_input_ids", "decoder_attention_mask"}


def items(task, tokenizer, examples):
    return TASKS[task].items(examples, tokenizer, {"no": 0, "yes": 1} if task == "classification" else {})


def collated(task, tokenizer, context=64, examples=None, seed=0):
    made = items(task, tokenizer, examples or EXAMPLES[task])
    return TASKS[task].collate(made, tokenizer, context, np.random.default_rng(seed))


def written(tokenizer, row):
    return "".join(tokenizer.tokens([id for id in row if id not in (IGNORED, tokenizer.pad_id)]))


def test_the_registry_is_the_schema():
    assert list(TASKS) == list(FACTS)


@pytest.mark.parametrize("context", [4, 8, 64])
@pytest.mark.parametrize("task", TASKS)
def test_a_batch_has_the_models_arguments(task, context, letters):
    inputs, labels = collated(task, letters, context)
    assert set(inputs) <= ARGUMENTS
    assert {array.dtype for array in inputs.values()} | {labels.dtype} == {np.dtype(np.int64)}
    assert all(array.shape[0] == 2 and array.shape[1] <= context for array in inputs.values())
    if labels.ndim == 2:
        assert labels.shape == inputs.get("decoder_input_ids", inputs["input_ids"]).shape
    for prefix in ("", "decoder_"):
        if (mask := inputs.get(f"{prefix}attention_mask")) is not None:
            assert ((inputs[f"{prefix}input_ids"] == letters.pad_id) == (mask == 0)).all()
    if labels.ndim == 2:
        mask = inputs.get("decoder_attention_mask", inputs.get("attention_mask"))
        assert mask is None or (labels[mask == 0] == IGNORED).all()


@pytest.mark.parametrize("task", TASKS)
def test_nothing_is_masked_where_nothing_is_padded(task, letters):
    example = EXAMPLES[task][0]
    inputs, _ = collated(task, letters, examples=[example, example])
    assert not {"attention_mask", "decoder_attention_mask"} & set(inputs)


@pytest.mark.parametrize("task", TASKS)
def test_lengths_are_those_of_the_batch(task, letters):
    for example in EXAMPLES[task]:
        (item,) = items(task, letters, [example])
        (length,) = TASKS[task].lengths({role: np.array([len(ids)]) for role, ids in item.ids.items()})
        inputs, _ = collated(task, letters, examples=[example])
        assert length == max(array.shape[1] for array in inputs.values())


@pytest.mark.parametrize("task", TASKS)
def test_a_prompt_is_read_as_in_training(task, letters):
    example = EXAMPLES[task][0]
    roles = FACTS[task].roles + FACTS[task].optional_roles
    texts = {role: example[role] for role in roles if role in example and role != "label"}
    for context in (8, 64):
        read = TASKS[task].inputs(texts, letters, context)
        trained, _ = collated(task, letters, context, [example])
        assert set(read) == set(trained)
        if task == "language_modeling":
            assert read["input_ids"].tolist() == [letters.encode(example["text"])[-context:]]
        elif task != "masked_language_modeling":
            assert all((read[name] == trained[name]).all() for name in read)


def test_language_modeling_predicts_the_next_token(letters):
    inputs, labels = collated("language_modeling", letters)
    assert [written(letters, row) for row in inputs["input_ids"]] == ["3+4=7", "a longer text"]
    assert [written(letters, row) for row in labels] == ["7[EOS]", " longer text[EOS]"]
    assert labels[0].tolist()[:3] == [IGNORED] * 3  # what the prompt gives is not predicted


def test_the_end_of_what_could_go_on_is_not_predicted(letters):
    example = Example(text="abab", prompt="aba")
    example.ends = False
    inputs, labels = collated("language_modeling", letters, examples=[example])
    assert written(letters, inputs["input_ids"][0]) == "aba"
    assert written(letters, labels[0]) == "b"


def test_an_empty_prompt_begins_somewhere(letters):
    assert TASKS["language_modeling"].inputs({"text": ""}, letters, 8)["input_ids"].tolist() == [[letters.bos_id]]


def test_translation_shifts_the_target(letters):
    inputs, labels = collated("translation", letters)
    assert [written(letters, row) for row in inputs["input_ids"]] == ["abc[EOS]", "longer than it[EOS]"]
    assert [written(letters, row) for row in inputs["decoder_input_ids"]] == ["[BOS]cba", "[BOS]x"]
    assert [written(letters, row) for row in labels] == ["cba[EOS]", "x[EOS]"]
    short, labels = collated("translation", letters, context=3)
    assert [written(letters, row) for row in short["input_ids"]] == ["ab[EOS]", "lo[EOS]"]
    assert written(letters, labels[0]) == "cba"  # cut, so its end is not predicted


def test_a_pair_is_told_apart_and_the_longer_text_is_cut(letters):
    inputs, labels = collated("classification", letters)
    assert labels.tolist() == [1, 0]
    assert written(letters, inputs["input_ids"][1]) == "[CLS]bad[SEP]no[SEP]"
    assert inputs["token_type_ids"][1].tolist()[:8] == [0, 0, 0, 0, 0, 1, 1, 1]
    short, _ = collated("classification", letters, context=10)
    assert [written(letters, row) for row in short["input_ids"]] == ["[CLS]goo[SEP]I li[SEP]", "[CLS]bad[SEP]no[SEP]"]
    single, _ = collated("classification", letters, examples=[Example(text="good", label="yes")])
    assert "token_type_ids" not in single


def test_masking_hides_fifteen_per_cent_in_three_ways(letters):
    ids = letters.encode_arrays(["the quick brown fox jumps over the lazy dog " * 50])[0]
    task, random = TASKS["masked_language_modeling"], np.random.default_rng(0)
    inputs, labels = task.collate([Item({"text": ids})] * 8, letters, 2048, random)
    chosen = labels != IGNORED
    now, was = inputs["input_ids"][chosen], labels[chosen]
    assert abs(chosen.mean() - 0.15) < 0.01
    assert abs((now == letters.mask_id).mean() - 0.8) < 0.02
    assert abs((now == was).mean() - 0.1) < 0.02
    assert not np.isin(now[now != letters.mask_id], list(letters.special_ids)).any()
    untouched = [letters.cls_id, *ids[:2046].tolist(), letters.sep_id]
    assert all((inputs["input_ids"][n][~chosen[n]] == np.array(untouched)[~chosen[n]]).all() for n in range(8))


def test_a_short_text_has_something_to_predict(letters):
    for seed in range(20):
        _, labels = collated("masked_language_modeling", letters, examples=[Example(text="ab")], seed=seed)
        assert (labels != IGNORED).sum() >= 1
