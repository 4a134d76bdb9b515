"""Metrics are called as people call them, and those drawn beside the main one are shares."""

from app.metrics import drawn, metric_title, short_titles
from tfmcore.messages import Evaluated


def test_titles() -> None:
    assert metric_title("macro_f1") == "macro F1"
    assert short_titles(["accuracy", "macro_f1"]) == ["accuracy", "macro F1"]
    assert short_titles(["place_accuracy", "place_f1"]) == ["accuracy", "F1"]
    assert short_titles(["accuracy", "place_accuracy", "place_f1"]) == ["accuracy", "place accuracy", "place F1"]


def test_a_perplexity_is_no_share_even_where_it_is_one() -> None:
    found = [Evaluated(loss=loss, metrics={"perplexity": each, "accuracy": 1.0}) for loss, each in ((2, 7.4), (0, 1))]
    assert drawn(found, "loss") == ["accuracy"]
    assert drawn([], "loss") == []


def test_what_the_best_checkpoint_has_the_most_of_is_drawn_even_where_it_is_no_share() -> None:
    found = [Evaluated(loss=1.0, metrics={"accuracy": 0.5, "r2": each, "bits": 3.0}) for each in (-0.2, 0.4)]
    assert drawn(found, "r2") == ["r2", "accuracy"]
