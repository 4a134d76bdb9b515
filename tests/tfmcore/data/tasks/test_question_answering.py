"""Question answering: windows of a long text, where the answer stands in them, and texts that hold none."""

import numpy as np
import pytest

from tests.tfmcore.data.tasks.conftest import WORDS
from tfmcore.data import Example
from tfmcore.data.tasks.question_answering import accepted

CONTEXT = " ".join(WORDS * 2) + ", at last."
QUESTION = "what jumps?"


def asked(answer, nth=0):
    start = -1
    for _ in range(nth + 1):
        start = CONTEXT.index(answer, start + 1)
    return Example(question=QUESTION, context=CONTEXT, answer=answer, answer_start=str(start))


NONE = Example(question=QUESTION, context=CONTEXT, answer="", answer_start="")


def windows_of(task, example, tokenizer, context):
    """Each window's start, ids and label."""
    (item,) = task.items([example], tokenizer, {})
    lengths = {role: np.array([len(ids)]) for role, ids in item.ids.items()}
    sequences = task.sequences(lengths, context)
    for start, length in zip(sequences.starts.tolist(), sequences.lengths.tolist(), strict=True):
        part = type(item)(item.ids, marks=item.marks, start=start)
        batch = task.collate([part], tokenizer, context, np.random.default_rng(0))
        read = batch.inputs["input_ids"][0].tolist()
        assert len(read) == length <= context
        border = read.index(tokenizer.sep_id) + 1
        assert batch.inputs["token_type_ids"][0].tolist() == [0] * border + [1] * (length - border)
        yield start, read, batch.labels[0].tolist()


@pytest.mark.parametrize("answer", ["fox", "unbelievably", "lazy dog and runs", ", at last", "brown fox jumps"])
@pytest.mark.parametrize("nth", [0, 1])
def test_the_label_is_the_place_of_the_answer(answer, nth, pieces, task_of, collated):
    if CONTEXT.count(answer) <= nth:
        nth = 0
    example = asked(answer, nth)
    batch = collated(task_of("question_answering"), [example, NONE], 512, tokenizer=pieces)
    first, last = batch.labels[0].tolist()
    read = batch.inputs["input_ids"][0].tolist()
    found, plain = pieces.decode(read[first : last + 1]).strip(), pieces.decode(pieces.encode(answer)).strip()
    assert found == plain
    before = pieces.decode(read[read.index(pieces.sep_id) + 1 : first]).replace(" ", "")
    assert before == pieces.decode(pieces.encode(CONTEXT[: int(example["answer_start"])])).replace(" ", "")
    assert batch.labels[1].tolist() == [0, 0]
    assert read[0] == pieces.cls_id


@pytest.mark.parametrize("stride", [0, 4, 16])
@pytest.mark.parametrize("context", [24, 40, 100, 512])
def test_windows_overlap_and_label_the_answer_where_they_hold_it_whole(context, stride, letters, task_of):
    task = task_of("question_answering", stride=stride)
    asked_length = min(len(QUESTION), (context - 3) // 2)
    room = context - 3 - asked_length
    for answer, nth in (("fox jumps", 0), ("dog", 1), ("the", 0), (", at last.", 0)):
        example, held, starts = asked(answer, nth), 0, []
        place = int(example["answer_start"])
        for start, read, (first, last) in windows_of(task, example, letters, context):
            starts.append(start)
            whole = start <= place and place + len(answer) <= min(start + room, len(CONTEXT))
            assert ((first, last) != (0, 0)) == whole
            if whole:
                held += 1
                assert "".join(letters.tokens(read[first : last + 1])) == answer
        assert (np.diff(starts) == room - min(stride, room // 2)).all()
        assert starts[-1] + room >= len(CONTEXT)
        if len(answer) <= min(stride, room // 2) + 1:
            assert held >= 1  # what is no longer than what two windows share is whole in one of them


def test_a_text_without_an_answer_points_at_the_first_token_in_every_window(letters, task_of):
    labels = [label for *_, label in windows_of(task_of("question_answering"), NONE, letters, 40)]
    assert len(labels) > 3
    assert set(map(tuple, labels)) == {(0, 0)}


def test_a_long_question_takes_half_of_the_room(letters, task_of):
    task = task_of("question_answering")
    example = Example(question="why " * 50, context="it is so", answer="so", answer_start="6")
    *_, (_, read, (first, last)) = windows_of(task, example, letters, 23)
    text = "".join(letters.tokens(read))
    assert text == "[CLS]why why wh[SEP]it is so[SEP]"
    assert text.replace("[CLS]", "C").replace("[SEP]", "S")[first : last + 1] == "so"


@pytest.mark.parametrize("context", [24, 40, 512])
def test_a_question_of_a_user_is_read_in_the_windows_of_a_stored_one(context, letters, task_of):
    task = task_of("question_answering", stride=8)
    windows = task.windows(QUESTION, CONTEXT, letters, context)
    stored = list(windows_of(task, asked("fox"), letters, context))
    assert [window.inputs["input_ids"][0].tolist() for window in windows] == [read for _, read, _ in stored]
    for window, (start, read, _) in zip(windows, stored, strict=True):
        assert window.first == read.index(letters.sep_id) + 1
        for place, (left, right) in enumerate(window.offsets):
            assert CONTEXT[left:right].strip() in ("", letters.tokens(read)[window.first + place])
            assert left in (start + place, start + place + 1)
    first = task.inputs({"question": QUESTION, "context": CONTEXT}, letters, context)
    assert first["input_ids"].tolist() == windows[0].inputs["input_ids"].tolist()


def test_an_answer_that_begins_or_ends_inside_a_token_gets_all_of_it(pieces, task_of, collated):
    example = Example(question="?", context="a quick fox", answer="uick fo", answer_start="3")
    batch = collated(task_of("question_answering"), [example], 64, tokenizer=pieces)
    first, last = batch.labels[0].tolist()
    found = pieces.decode(batch.inputs["input_ids"][0].tolist()[first : last + 1])
    assert "uickfo" in found.replace(" ", "").lower()


def test_the_first_accepted_answer_is_the_one_that_is_learned():
    assert accepted({"answer": "in Rome\nRome"}) == ["in Rome", "Rome"]
    assert accepted({"answer": ""}) == accepted({}) == []
