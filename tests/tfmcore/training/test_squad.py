"""Answers are matched as in SQuAD's own evaluation."""

import pytest

from tfmcore.training.squad import best_match, match


@pytest.mark.parametrize(
    ("found", "expected", "f1", "exact"),
    [
        ("Rome", "rome", 1, True),
        ("the  Rome!", "Rome", 1, True),
        ("in Rome", "Rome", 2 / 3, False),
        ("a cat sat", "the cat", 2 / 3, False),
        ("cat cat", "cat", 2 / 3, False),
        ("Paris", "Rome", 0, False),
        ("", "Rome", 0, False),
        ("", "", 1, True),
        ("the", "", 1, True),  # nothing is left of it
        ("$12.50", "1250", 1, True),
    ],
)
def test_words_are_compared_without_case_signs_and_articles(found, expected, f1, exact):
    assert match(found, expected).f1 == pytest.approx(f1)
    assert match(found, expected).exact == exact


def test_the_best_of_several_accepted_answers_counts():
    assert best_match("in Rome", ["Paris", "Rome", "in Rome, Italy"]).f1 == pytest.approx(4 / 5)
    assert best_match("Rome", ["in Rome", "Rome"]).exact
    assert best_match("", []).exact
    assert (best_match("Rome", []).f1, best_match("Rome", []).exact) == (0, False)
