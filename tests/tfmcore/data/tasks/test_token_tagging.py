"""Tagging: a word's label stands at its first piece, once in all windows, and a written text is read like a file."""

import numpy as np
import pytest

from tests.tfmcore.data.tasks.conftest import WORDS, labels_of
from tfmcore.data import IGNORED, Example

TEXT = " ".join(WORDS[:8]) + " unbelievably ( fast ) ."
LABELS = " ".join(f"L{number}" for number in range(len(TEXT.split())))
EXAMPLE = Example(text=TEXT, labels=LABELS)


def placed(row, labels):
    """Place → label, of a row of labels."""
    names = list(labels)
    return {place: names[label] for place, label in enumerate(row.tolist()) if label != IGNORED}


def test_each_label_stands_at_the_first_piece_of_its_word(pieces, task_of, collated):
    task = task_of("token_tagging")
    batch = collated(task, [EXAMPLE], 512, tokenizer=pieces)
    found = placed(batch.labels[0], labels_of(task, [EXAMPLE]))
    assert sorted(found.values()) == sorted(LABELS.split())
    words, read = TEXT.split(), batch.inputs["input_ids"][0].tolist()
    for (place, label), nearest in zip(found.items(), [*list(found)[1:], len(read) - 1], strict=True):
        word = words[LABELS.split().index(label)]
        assert pieces.decode(read[place:nearest]).strip() == pieces.decode(pieces.encode(word)).strip()
    assert max(np.diff(list(found))) > 1  # some words have several pieces
    assert read[0] == pieces.cls_id
    assert read[-1] == pieces.sep_id


@pytest.mark.parametrize("stride", [0, 3, 32])
@pytest.mark.parametrize("context", [5, 9, 16, 200])
def test_every_word_is_labelled_once_over_the_windows(context, stride, letters, task_of):
    task = task_of("token_tagging", stride=stride)
    labels = labels_of(task, [EXAMPLE])
    (item,) = task.items([EXAMPLE], letters, labels)
    sequences = task.sequences({"text": np.array([len(item.ids["text"])])}, context)
    seen = []
    for start, length in zip(sequences.starts.tolist(), sequences.lengths.tolist(), strict=True):
        part = type(item)(item.ids, marks=item.marks, start=start)
        batch = task.collate([part], letters, context, np.random.default_rng(0))
        read = batch.inputs["input_ids"][0].tolist()
        assert len(read) == length <= context
        for place, label in placed(batch.labels[0], labels).items():
            seen.append((start + place - 1, label))
            before = place - 1  # what of the text stands before the word in this window
            assert before >= min(start, min(stride, (context - 2) // 2))
    assert [label for _, label in sorted(seen)] == LABELS.split()
    starts = [0, *(np.cumsum([1 + len(word) for word in TEXT.split()])[:-1]).tolist()]
    assert [place for place, _ in sorted(seen)] == starts
    shared = min(stride, (context - 2) // 2)
    assert (np.diff(sequences.starts) == context - 2 - shared).all()
    assert (len(sequences.starts) == 1) == (len(TEXT) <= context - 2)


@pytest.mark.parametrize("context", [9, 24, 200])
def test_a_written_text_is_read_in_the_windows_of_a_stored_one(context, letters, task_of):
    task = task_of("token_tagging", stride=6)
    written = TEXT.replace(" ( fast ) .", " (fast).\n") + "\t "
    labels = labels_of(task, [EXAMPLE])
    (item,) = task.items([EXAMPLE], letters, labels)
    starts = task.sequences({"text": np.array([len(item.ids["text"])])}, context).starts.tolist()
    windows = task.windows(written, letters, context)
    assert len(windows) == len(starts)
    for window, start in zip(windows, starts, strict=True):
        part = type(item)(item.ids, marks=item.marks, start=start)
        batch = task.collate([part], letters, context, np.random.default_rng(0))
        assert window.inputs["input_ids"].tolist() == batch.inputs["input_ids"].tolist()
        assert window.places == np.flatnonzero(batch.labels[0] != IGNORED).tolist()
    words = [written[start:end] for window in windows for start, end in window.words]
    assert words == TEXT.split()
    first = task.inputs({"text": written}, letters, context)
    assert first["input_ids"].tolist() == windows[0].inputs["input_ids"].tolist()


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_a_text_without_words_is_one_window_without_labels(text, letters, task_of):
    (window,) = task_of("token_tagging").windows(text, letters, 16)
    assert (window.places, window.words) == ([], [])
    assert window.inputs["input_ids"].tolist() == [[letters.cls_id, letters.sep_id]]


def test_words_that_no_token_stands_for_have_no_label(task_of, collated, pieces):
    example = Example(text="the \u200b fox", labels="A B C")  # a space of no width
    task = task_of("token_tagging")
    found = placed(collated(task, [example], 64, tokenizer=pieces).labels[0], labels_of(task, [example]))
    assert list(found.values()) in (["A", "C"], ["A", "B", "C"])
    assert len(found) == len(set(found))
