"""What labels of words mark: spans of words with a name, as conlleval, the evaluation of CoNLL, reads them."""

from collections.abc import Sequence

from tfmcore.config.labels import parts_of


def entities(labels: Sequence[str]) -> list[tuple[int, int, str]]:
    """The spans (first word, the word after the last, name), from BIO, IOB, IOBES or BILOU: I, E and L go on with what
    B or I of the same name began right before, and begin something themselves where nothing did."""
    found, going_on = list[tuple[int, int, str]](), ""
    for place, (prefix, name) in enumerate(map(parts_of, labels)):
        if name and name == going_on and prefix in "IEL":
            found[-1] = (found[-1][0], place + 1, name)
        elif name:
            found.append((place, place + 1, name))
        going_on = name if prefix in ("B", "I") else ""
    return found


def count_entities(pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> tuple[int, int, int]:
    """Of (predicted, true) labels: how many spans are right, both their ends and the name; how many were predicted; how
    many there are."""
    predicted = [set(entities(labels)) for labels, _ in pairs]
    true = [set(entities(labels)) for _, labels in pairs]
    hits = sum(len(a & b) for a, b in zip(predicted, true, strict=True))
    return hits, sum(map(len, predicted)), sum(map(len, true))


def f1_of(hits: int, num_predicted: int, num_true: int) -> tuple[float, float, float]:
    """Precision, recall and F1 (0 to 1); all are 0 where nothing is right."""
    precision, recall = hits / max(1, num_predicted), hits / max(1, num_true)
    return precision, recall, 2 * precision * recall / max(1e-12, precision + recall)
