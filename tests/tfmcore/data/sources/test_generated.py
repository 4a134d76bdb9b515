"""Every source that is built in: what it promises of itself, and that its answers are right."""

from collections import Counter
from itertools import islice

import pytest
from babel import Locale

from tfmcore.config import LANGUAGES, TASKS, DataConfig, UserError
from tfmcore.config.sources import SOURCES as FACTS
from tfmcore.data.entities import entities
from tfmcore.data.sources import SOURCES, phrases
from tfmcore.data.sources.modular_addition import MODULUS
from tfmcore.data.sources.strings import is_balanced

MADE = [(name, task) for name, facts in FACTS.items() if name != "file" for task in facts.tasks]


def made(source: str, task: str, count: int = 300, **fields: object) -> list[dict[str, str]]:
    data = DataConfig.model_validate({"source": source, "task": task, "max_examples": count, **fields})
    return list(SOURCES[source].examples(data))


def test_the_registry_is_the_schema():
    assert list(SOURCES) == list(FACTS)


@pytest.mark.parametrize(("source", "task"), MADE)
def test_examples_are_distinct_and_decided_by_the_seed(source, task):
    examples = made(source, task)
    assert 50 < len(examples) <= 300
    roles = {*TASKS[task].roles, *TASKS[task].optional_roles}
    assert all(set(TASKS[task].roles) <= set(example) <= roles for example in examples)
    assert all(example[role] for example in examples for role in TASKS[task].roles)
    assert len({tuple(example.values()) for example in examples}) == len(examples)
    assert made(source, task) == examples
    if source != "python_manual":
        assert made(source, task, seed=1) != examples


@pytest.mark.parametrize(
    ("source", "answer"),
    [("copy", str), ("reverse", lambda text: text[::-1]), ("sort", lambda text: "".join(sorted(text)))],
)
def test_strings_have_the_right_answer_and_length(source, answer):
    examples = made(source, "translation", min_length=3, max_length=5)
    assert all(example["target"] == answer(example["source"]) for example in examples)
    assert {len(example["source"]) for example in examples} == {3, 4, 5}


def test_a_small_space_of_strings_ends():
    assert len(made("copy", "translation", 1000, min_length=1, max_length=1)) == 26


def test_brackets_are_labelled_right_and_evenly():
    examples = made("brackets", "classification", 1000)
    assert all(is_balanced(example["text"]) == (example["label"] == "balanced") for example in examples)
    assert 400 < Counter(example["label"] for example in examples)["balanced"] < 600
    assert {len(example["text"]) % 2 for example in examples} == {0}


def test_every_sum_is_right():
    for example in made("modular_addition", "language_modeling", MODULUS**2):
        left, answer = example["text"].split("=")
        a, b = left.split("+")
        assert (int(a) + int(b)) % MODULUS == int(answer)
        assert example["prompt"] == f"{left}="


def test_induction_repeats_its_symbols():
    for example in made("induction", "language_modeling", min_length=4, max_length=60):
        symbols, length = example["text"].split(), len(example["prompt"].split()) - 1
        assert 4 <= length <= 60
        assert len(symbols) == 240
        assert all(symbol == symbols[place % length] for place, symbol in enumerate(symbols))
        assert example["text"].startswith(example["prompt"])
        assert length > 26 or len(set(symbols)) == length


def test_no_paragraph_of_the_manual_comes_twice():
    text = "\n\n".join(example["text"] for example in made("python_manual", "language_modeling", 1000))
    paragraphs = Counter(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    assert not [paragraph for paragraph, count in paragraphs.items() if count > 1 and len(paragraph) >= 60]
    assert len(text) > 250_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_writes_every_kind_of_phrase(language):
    into = language if language != "en" else "de"
    examples = made("cldr_translation", "translation", 400, source_language="en", target_language=into)
    assert not [example for example in examples if any(unit in example["target"] for unit in phrases.MEASURES.split())]
    assert not [letter for example in examples for letter in example["target"] if ord(letter) in phrases.SPACES]
    back = made("cldr_translation", "translation", 400, source_language=into, target_language="en")
    assert len({example["source"] for example in back}) == 400


def test_dates_are_written_as_the_cldr_has_them():
    examples = made("cldr_translation", "translation", 2000, source_language="en", target_language="hu")
    pairs = {example["source"]: example["target"] for example in examples}
    assert pairs["November 9, 2075"] == "2075. november 9."
    assert pairs["Thursday, June 25, 1998"] == "1998. június 25., csütörtök"


def test_what_could_mean_two_things_is_taken_in_one_meaning():
    chinese = islice(phrases.translation(DataConfig(source_language="zh", target_language="en")), 2000)
    days = [example["target"] for example in chinese if "年" in example["source"] and "–" not in example["target"]]
    assert not [day for day in days if day.startswith("Jan ")]  # long and medium dates are one in Chinese


def test_no_phrase_stands_in_two_languages():
    languages = ["da", "nb", "sv", "en", "bs", "hr"]
    examples = made("cldr_language", "classification", 600, languages=languages)
    texts = Counter(example["text"].lower().strip() for example in examples)
    assert max(texts.values()) == 1
    assert all(95 <= count <= 100 for count in Counter(example["label"] for example in examples).values())
    assert not [text for text in texts if text.endswith(" kilometer")]  # Danish, Norwegian and Swedish alike


def test_languages_that_cannot_be_told_apart_are_refused(monkeypatch):
    monkeypatch.setattr(phrases, "PROBES", 50)
    monkeypatch.setattr(phrases, "_locale", lambda code: Locale.parse("en"))
    with pytest.raises(UserError, match="leave out a similar language"):
        made("cldr_language", "classification", languages=["en", "de"])


def test_dates_prices_and_places_are_labelled_from_their_first_to_their_last_word():
    examples = made("cldr_tagging", "token_tagging", 500)
    kinds = Counter[str]()
    for example in examples:
        words, labels = example["text"].split(" "), example["labels"].split(" ")
        assert len(words) == len(labels)
        for start, end, name in entities(labels):
            marked = " ".join(words[start:end])
            kinds[name] += 1
            assert (name == "place") == (not any(letter.isdigit() for letter in marked)), marked
            assert labels[start] == f"B-{name}"
    assert set(kinds) == {"date", "price", "place"}
    assert min(kinds.values()) > 200
    assert any(label == "O" and word.isdigit() for e in examples for word, label in pairs_of(e))  # other numbers too


def pairs_of(example):
    return zip(example["text"].split(" "), example["labels"].split(" "), strict=True)


def test_answers_stand_where_they_are_said_to_and_a_fifth_have_none():
    examples = made("cldr_answers", "question_answering", 1000)
    for example in examples:
        if start := example["answer_start"]:
            assert example["context"].startswith(example["answer"], int(start))
    without = [example for example in examples if not example["answer"]]
    assert len(without) / len(examples) == pytest.approx(0.2, abs=0.04)
    assert {example["answer_start"] for example in without} == {""}
