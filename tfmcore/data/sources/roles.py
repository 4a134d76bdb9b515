"""Which column of a table is what: told by the columns' names, else by what stands in them."""

from collections.abc import Mapping, Sequence
from statistics import mean

from tfmcore.config.problems import UserError
from tfmcore.config.tasks import TASKS

NAMES = {
    "text": ("text", "sentence", "content", "review", "document", "body", "sentence1", "text1", "premise", "question1",
             "question", "comment", "tweet", "title", "tokens", "words"),
    "pair": ("pair", "sentence2", "text2", "hypothesis", "question2"),
    "label": ("label", "class", "category", "sentiment", "intent", "language", "lang", "target", "y"),
    "labels": ("labels", "tags", "ner_tags", "pos_tags", "ner", "pos"),
    "question": ("question", "query", "q"),
    "context": ("context", "passage", "paragraph", "text", "document"),
    "answer": ("answer", "answers", "answer_text"),
    "answer_start": ("answer_start", "start"),
    "source": ("source", "src", "input", "question", "document", "text", "from", "en"),
    "target": ("target", "tgt", "output", "answer", "summary", "translation", "to", "de"),
}  # fmt: skip
"""What a column may be called to have a role without being asked, likeliest first."""
LONG = ("text", "context")
MANY_LABELS = 100
LONG_LABEL = 40


def is_header(rows: Sequence[Sequence[str]], wanted: Sequence[str]) -> bool:
    """Whether the first of some rows names the columns: it holds the `wanted` names (which are no places: "1", "2", …),
    a known name, or a word above numbers or above few labels that come again and again."""
    first, *rest = rows
    if wanted and set(wanted) <= {str(n + 1) for n in range(len(first))}:
        return False
    if wanted:
        return set(wanted) <= set(first)
    if len(set(first)) < len(first) or not all(cell.strip() for cell in first) or max(map(len, first)) > LONG_LABEL:
        return False
    if {cell.strip().lower() for cell in first} & {name for names in NAMES.values() for name in names}:
        return True
    below = [[row[n] for row in rest if len(row) > n] for n in range(len(first))]
    return any(_heads(cell, column) for cell, column in zip(first, below, strict=True))


def _heads(cell: str, column: Sequence[str]) -> bool:
    if not column or _is_number(cell):
        return False
    few = len(set(column)) <= min(MANY_LABELS, len(column) // 2)
    return all(map(_is_number, column)) or (few and cell not in column)


def _is_number(cell: str) -> bool:
    return cell.strip().lstrip("+-").replace(".", "", 1).isdecimal()


def choose_columns(
    task: str, columns: Mapping[str, Sequence[str]], chosen: Mapping[str, str], path: str
) -> dict[str, str]:
    """Role → column name, for a task and a table's head (column name → its first fields).

    What `chosen` says counts; then names; then contents: the label has few short values, a text is long.
    Raises UserError where a chosen column does not exist or no column is left for a role.
    """
    for role, name in chosen.items():
        if name not in columns:
            known = ", ".join(columns)
            raise UserError(
                f"{path} has no column {name!r} for the role {role}; its columns are {known} (data.columns)"
            )
    facts = TASKS[task]
    roles = dict(chosen)
    by_lower = {name.strip().lower(): name for name in columns}
    for role in (*facts.roles, *facts.optional_roles):
        free = [by_lower[name] for name in NAMES[role] if name in by_lower and by_lower[name] not in roles.values()]
        if free:
            roles.setdefault(role, free[0])
    for role in sorted(facts.roles, key=lambda role: role != "label"):  # the label first: it is the easiest to tell
        free = [name for name in columns if name not in roles.values()]
        if role in roles:
            continue
        if not free:
            raise UserError(f"{path} has no column left for the role {role}: {task} needs {', '.join(facts.roles)}")
        if role == "label":
            roles[role] = min(free, key=lambda name: _unlike_label(columns[name]))
        elif role in LONG:
            roles[role] = max(free, key=lambda name: mean(map(len, columns[name] or [""])))
        else:
            roles[role] = free[0]
    return {role: roles[role] for role in (*facts.roles, *facts.optional_roles) if role in roles}


def _unlike_label(cells: Sequence[str]) -> tuple[bool, bool, int]:
    """Smaller for a column that looks more like labels: short, more than one, and few different ones."""
    different = set(cells)
    return max(map(len, cells), default=0) > LONG_LABEL, len(different) < 2, len(different)
