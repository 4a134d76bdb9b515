"""The validation metrics of a run: what they are called, and which of them are drawn together."""

from collections import Counter
from collections.abc import Sequence

from tfmcore.messages import Evaluated


def metric_title(name: str) -> str:
    """ "macro_f1" as "macro F1"."""
    return name.replace("_", " ").replace("f1", "F1")


def short_titles(names: Sequence[str]) -> list[str]:
    """Their titles side by side, without a first word that several have: "entity F1" and "entity recall" say much the
    same without it."""
    first = Counter(name.partition("_")[0] for name in names)
    short = [name.partition("_")[2] if first[name.partition("_")[0]] > 1 else name for name in names]
    return [metric_title(name) for name in (short if all(short) and len(set(short)) == len(short) else names)]


def drawn(evaluations: Sequence[Evaluated], main: str) -> list[str]:
    """`main` first, whatever its values, and the metrics that are shares of 0 to 1, as accuracies and F1 are and
    perplexities are not."""
    values: dict[str, list[float]] = {}
    for evaluation in evaluations:
        for name, value in evaluation.metrics.items():
            values.setdefault(name, []).append(value)
    found = [name for name, each in values.items() if name == main or (min(each) >= 0 and max(each) <= 1)]
    return sorted(found, key=lambda name: name != main)
