"""What labels of words mark: spans of words with a type, in the strict reading of BIO."""

from collections.abc import Sequence


def entities(labels: Sequence[str]) -> list[tuple[int, int, str]]:
    """The spans (first word, the word after the last, type): B- begins one, I- of the same type right after it goes on
    with it, and an I- that nothing began marks nothing."""
    found, start = list[tuple[int, int, str]](), -1
    for place, label in enumerate([*labels, "O"]):
        if start >= 0 and label != f"I-{labels[start][2:]}":
            found.append((start, place, labels[start][2:]))
            start = -1
        if label.startswith("B-"):
            start = place
    return found


def entity_f1(pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> tuple[float, float, float]:
    """Precision, recall and F1 (0 to 1) of (predicted, true) labels: a span counts where both its ends and its type are
    right. All are 0 where nothing is right."""
    predicted = [set(entities(labels)) for labels, _ in pairs]
    true = [set(entities(labels)) for _, labels in pairs]
    hits = sum(len(a & b) for a, b in zip(predicted, true, strict=True))
    precision, recall = hits / max(1, sum(map(len, predicted))), hits / max(1, sum(map(len, true)))
    return precision, recall, 2 * precision * recall / max(1e-12, precision + recall)
