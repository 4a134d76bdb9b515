"""Labels of words: B-place, I-place and O, the schemes that are like it, and labels that name single words."""

from collections.abc import Iterable

OUTSIDE = "O"
PREFIXES = frozenset("BIESLU")
"""What may stand before the name: the word begins what is named, is inside, ends it (E, L) or is all of it (S, U)."""


def parts_of(label: str) -> tuple[str, str]:
    """Prefix and name of a label, such as B and place; none and "" outside; S of labels without prefixes, like parts of
    speech, each of which names a single word."""
    prefix, dash, name = label.partition("-")
    if label == OUTSIDE:
        return "", ""
    return (prefix, name) if dash and name and prefix in PREFIXES else ("S", label)


def names_of(labels: Iterable[str]) -> list[str]:
    """What labels name, each once: "O", "B-place", "I-place", "B-date" → "place", "date"."""
    return list(dict.fromkeys(name for _, name in map(parts_of, labels) if name))


def mark_spans(labels: Iterable[str]) -> bool:
    """Whether labels have prefixes, and so can mark more than single words."""
    return any(parts_of(label)[1] not in ("", label) for label in labels)
