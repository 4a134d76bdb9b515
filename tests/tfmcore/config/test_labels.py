"""Labels of words: what each says of its word, and what all of them name."""

import pytest

from tfmcore.config.labels import OUTSIDE, PREFIXES, mark_spans, names_of, parts_of


@pytest.mark.parametrize(
    ("labels", "names", "spans"),
    [
        (["O", "B-PER", "I-PER", "B-LOC"], ["PER", "LOC"], True),
        (["B-PER", "E-PER", "S-LOC", "L-ORG", "U-ORG"], ["PER", "LOC", "ORG"], True),
        (["NOUN", "VERB", "O"], ["NOUN", "VERB"], False),
        (["B-", "X-y", "-", "BIO"], ["B-", "X-y", "-", "BIO"], False),
        (["I-a-b", "B-a-b"], ["a-b"], True),
        ([], [], False),
    ],
)
def test_what_labels_name(labels, names, spans):
    assert names_of(labels) == names
    assert mark_spans(labels) == spans


def test_each_prefix_is_told_from_its_name():
    assert [parts_of(f"{prefix}-a-b") for prefix in sorted(PREFIXES)] == [
        (prefix, "a-b") for prefix in sorted(PREFIXES)
    ]
    assert parts_of(OUTSIDE) == ("", "")
    assert parts_of("NOUN") == ("S", "NOUN")
