"""Questions of a user's own: SQuAD's files and tables, where the answer stands, and what is wrong with one."""

import gzip
import json

import pytest

from tests.tfmcore.data.sources.test_files import read
from tfmcore.config import UserError

CONTEXT = "Ann lives in Rome.\nShe likes Rome."


def squad(*questions, context=CONTEXT):
    return json.dumps(
        {"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": context, "qas": [*questions]}]}]}
    )


def question(*answers, text="where?", **more):
    return {
        "id": "1",
        "question": text,
        "answers": [{"text": a, "answer_start": start} for a, start in answers],
        **more,
    }


def of(path, **fields):
    return read(path, "question_answering", **fields)


@pytest.mark.parametrize("packed", [False, True])
def test_squad_of_both_versions(file, packed):
    raw = squad(
        question(("Rome", 13), ("in Rome", 10), ("Rome", 29)),
        question(is_impossible=True, plausible_answers=[{"text": "Rome", "answer_start": 13}]),
        question(),
    ).encode()
    examples = of(file("a.json" + ".gz" * packed, gzip.compress(raw) if packed else raw))
    common = {"question": "where?", "context": CONTEXT}
    none = common | {"answer": "", "answer_start": ""}
    assert examples == [common | {"answer": "Rome\nin Rome", "answer_start": "13"}, none, none]
    assert [example.row for example in examples] == [1, 2, 3]


def test_a_table_of_questions_finds_the_answer_itself(file):
    rows = "question,context,answer\nwhere?,Ann lives in Rome.,Rome\nwho?,Ann lives in Rome.,\n"
    first, second = of(file("a.csv", rows))
    assert first == {"question": "where?", "context": "Ann lives in Rome.", "answer": "Rome", "answer_start": "13"}
    assert (second["answer"], second["answer_start"]) == ("", "")
    given = "question,context,answer,answer_start\nwhere?,Rome is Rome.,Rome,8\n"
    assert of(file("b.csv", given))[0]["answer_start"] == "8"


def test_an_answer_over_two_lines_is_one(file):
    (example,) = of(file("a.json", squad(question(("Rome.\nShe", 13)))))
    assert (example["answer"], example["answer_start"]) == ("Rome. She", "13")


BAD = {
    "no JSON": ("{", r"is not JSON"),
    "deep": ("[" * 100_000, r"is not JSON"),
    "a list": ("[]", r"data is not a list, as in SQuAD's files"),
    "no paragraphs": ('{"data": [{}]}', r"data\[0\]\.paragraphs is not a list"),
    "no object": ('{"data": [3]}', r"data\[0\] is not an object"),
    "no context": ('{"data": [{"paragraphs": [{"qas": []}]}]}', r"data\[0\]\.paragraphs\[0\]\.context is not a string"),
    "a long context": (squad(context="x" * 200_000), r"context is longer than 131072"),
    "no question": (squad({"answers": []}), r"qas\[0\]\.question is not a string"),
    "no start": (
        squad(question(("Rome", None))),
        r"qas\[0\]\.answers\[0\]: `answer_start` must be a whole number from 0",
    ),
    "a wrong place": (
        squad(question(("Rome", 3))),
        r"row 1: the answer 'Rome' does not occur in the context at character 3",
    ),
}


@pytest.mark.fault(31)
@pytest.mark.parametrize(("content", "sentence"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_with_its_place(file, content, sentence):
    path = file("a.json", content)
    with pytest.raises(UserError, match=sentence) as raised:
        of(path)
    assert str(path) in str(raised.value)


def test_an_answer_that_stands_nowhere_is_refused(file):
    rows = "question,context,answer\nwhere?,Ann lives in Rome.,Paris\n"
    with pytest.raises(UserError, match=r"row 2: the answer 'Paris' does not occur in the context$"):
        of(file("a.csv", rows))
