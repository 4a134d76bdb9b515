"""Spans of labelled words, as conlleval reads them, and how many of them are right."""

import itertools

import pytest

from tfmcore.data.entities import count_entities, entities, f1_of
from tfmcore.data.sources.labelled_words import in_bio


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ("O B-a I-a O", [(1, 3, "a")]),
        ("B-a B-a I-b I-b", [(0, 1, "a"), (1, 2, "a"), (2, 4, "b")]),
        ("I-a I-a O I-a", [(0, 2, "a"), (3, 4, "a")]),
        ("B-a E-a E-a S-a I-a", [(0, 2, "a"), (2, 3, "a"), (3, 4, "a"), (4, 5, "a")]),
        ("B-a I-a L-a U-a U-a", [(0, 3, "a"), (3, 4, "a"), (4, 5, "a")]),
        ("NOUN NOUN X-y", [(0, 1, "NOUN"), (1, 2, "NOUN"), (2, 3, "X-y")]),
        ("B-part-of I-part-of", [(0, 2, "part-of")]),
        ("O", []),
        ("", []),
    ],
)
def test_labels_become_what_they_name(labels, found):
    assert entities(labels.split()) == found


def conlleval(labels):
    """The chunks of conlleval.pl, from its `startOfChunk` and `endOfChunk` as they stand there."""
    starts = {("B", "B"), ("I", "B"), ("O", "B"), ("O", "I"), ("E", "E"), ("E", "I"), ("O", "E")}
    ends = {("B", "B"), ("B", "O"), ("I", "B"), ("I", "O"), ("E", "E"), ("E", "I"), ("E", "O")}
    found, begun, before = [], None, ("O", "")
    for place, label in enumerate([*labels, "O"]):
        now = tuple(label.split("-")) if label != "O" else ("O", "")
        changed = before[1] != now[1]
        if begun is not None and ((before[0], now[0]) in ends or (before[0] != "O" and changed)):
            found.append((begun, place, before[1]))
            begun = None
        if (before[0], now[0]) in starts or (now[0] != "O" and changed):
            begun = place
        before = now
    return found


def test_every_short_row_is_read_as_conlleval_reads_it():
    known = ["O", "B-a", "I-a", "E-a", "B-b", "I-b"]
    for labels in itertools.product(known, repeat=4):
        if ("E-a", "B-a") not in itertools.pairwise(labels):  # there conlleval.pl forgets to end the first
            assert entities(labels) == conlleval(labels), labels


def test_a_file_marks_what_its_labels_did_before_they_became_bio():
    known = ["O", "B-a", "I-a", "E-a", "S-a", "B-b", "I-b", "L-b", "U-b"]
    for labels in itertools.product(known, repeat=4):
        assert entities(in_bio(list(labels))) == entities(labels), labels


def scores(pairs: list) -> tuple[float, float, float]:
    return f1_of(*count_entities(pairs))


def test_precision_recall_and_f1():
    true = ["B-a", "I-a", "O", "B-b", "O", "B-a"]
    predicted = ["B-a", "I-a", "O", "B-a", "O", "B-a"]
    assert scores([(predicted, true)]) == (pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert scores([(["I-a", "I-a", "O", "O", "O", "O"], true)]) == (1.0, pytest.approx(1 / 3), pytest.approx(1 / 2))
    assert scores([(["O"] * 6, true)]) == (0.0, 0.0, 0.0)
    assert scores([(["O"], ["O"])]) == (0.0, 0.0, 0.0)
    assert scores([(["B-a"], ["B-a"]), (["B-a"], ["O"])])[0] == 0.5  # a span of one text is none of another
