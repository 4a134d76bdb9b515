"""Metrics are called as people call them, and those drawn together are shares."""

from app.metrics import metric_title, shares, short_titles
from tfmcore.messages import Evaluated


def test_titles() -> None:
    assert metric_title("macro_f1") == "macro F1"
    assert short_titles(["accuracy", "macro_f1"]) == ["accuracy", "macro F1"]
    assert short_titles(["place_accuracy", "place_f1"]) == ["accuracy", "F1"]
    assert short_titles(["accuracy", "place_accuracy", "place_f1"]) == ["accuracy", "place accuracy", "place F1"]


def test_a_perplexity_is_no_share_even_where_it_is_one() -> None:
    found = [Evaluated(loss=loss, metrics={"perplexity": each, "accuracy": 1.0}) for loss, each in ((2, 7.4), (0, 1))]
    assert shares(found, "loss") == ["accuracy"]
    assert shares([], "loss") == []
