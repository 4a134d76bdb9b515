"""Which column of a table is what: told by the columns' names, else by what stands in them."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from statistics import mean

from tfmcore.config.columns import PLUS, columns_of
from tfmcore.config.problems import UserError
from tfmcore.config.tasks import TASKS

NAMES = {
    "text": ("text", "sentence", "content", "review", "document", "body", "sentence1", "text1", "premise", "question1",
             "question", "comment", "tweet", "title", "tokens", "words"),
    "prompt": ("prompt", "instruction", "question", "input", "source"),
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
COMPLETIONS = ("completion", "response", "answer", "output", "target", "text")
"""What the text may be called where there are prompts; a prompt that nobody chose is one only beside such a column."""
PROMPTED, UNPROMPTED = NAMES | {"text": (*COMPLETIONS, *NAMES["text"])}, NAMES | {"prompt": ()}
FURTHER = {"instruction": ("input", "context")}
"""What else of a prompt stands beside such a column, in a column of its own."""
ORIGIN = ("source", "text")
"""Not a prompt and what completes it, but where a text is from."""
LONG = ("text", "context")
MANY_LABELS = 100
LONG_LABEL = 40


def is_header(rows: Sequence[Sequence[str]], wanted: Sequence[str]) -> bool:
    """Whether the first of some rows names the columns: it holds the `wanted` names (which are no places: "1", "2", …),
    a known name, or a word above numbers or above few labels that come again and again."""
    first, *rest = rows
    if wanted and set(wanted) <= {str(n + 1) for n in range(len(first))}:
        return False
    if wanted and set(wanted) <= set(first):
        return True
    if len(set(first)) < len(first) or not all(cell.strip() for cell in first) or max(map(len, first)) > LONG_LABEL:
        return False
    if {cell.strip().lower() for cell in first} & {name for names in (*NAMES.values(), COMPLETIONS) for name in names}:
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

    What `chosen` says counts ("": an optional role has no column); then names; then contents: the label has few short
    values, a text is long. Raises UserError where a chosen column does not exist or no column is left for a role.
    """
    facts = TASKS[task]
    named = [(role, name) for role in chosen for name in columns_of(role, chosen[role], columns)]
    for role, name in named:
        if name not in columns and (name or role in facts.roles):
            known, near = ", ".join(columns), difflib.get_close_matches(name, columns, n=1)
            nearest = f", the nearest {near[0]!r}" if near else ""
            raise UserError(
                f"{path} has no column {name!r} for the role {role}; its columns are {known}{nearest} (data.columns)"
            )
    roles = {role: name for role, name in chosen.items() if name}
    by_lower = {name.strip().lower(): name for name in columns}
    names = _names(by_lower, chosen) if "prompt" in facts.optional_roles else NAMES
    for role in (*facts.roles, *facts.optional_roles):
        free = [name for name in by_lower if by_lower[name] not in _taken(roles, columns)]
        if role not in chosen and (first := next((name for name in names[role] if name in free), "")):
            further = [name for name in FURTHER.get(first, ()) if name in free]
            roles[role] = PLUS.join(by_lower[name] for name in (first, *further))
    for role in sorted(facts.roles, key=lambda role: role != "label"):  # the label first: it is the easiest to tell
        free = [name for name in columns if name not in _taken(roles, columns)]
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


def _names(columns: Collection[str], chosen: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """What columns may be called in a table that may have prompts, from its columns in lower case."""
    if "prompt" in chosen:
        return PROMPTED if chosen["prompt"] else UNPROMPTED
    prompt = next((name for name in NAMES["prompt"] if name in columns), "")
    text = next((name for name in COMPLETIONS if name in columns), "")
    text = chosen.get("text", text).strip().lower()
    return PROMPTED if prompt and text in COMPLETIONS and (prompt, text) != ORIGIN else UNPROMPTED


def text_of(role: str, name: str, row: Mapping[str, str]) -> str:
    """The text of a role in a row: of several columns, those that are not empty, one below the other."""
    texts = [row.get(column, "") for column in columns_of(role, name, row)]
    return "\n".join(text for text in texts if text.strip() or len(texts) == 1)


def _taken(roles: Mapping[str, str], columns: Collection[str]) -> set[str]:
    """The columns that have a role."""
    return {column for role, name in roles.items() for column in columns_of(role, name, columns)}


def _unlike_label(cells: Sequence[str]) -> tuple[bool, bool, int]:
    """Smaller for a column that looks more like labels: short, more than one, and few different ones."""
    different = set(cells)
    return max(map(len, cells), default=0) > LONG_LABEL, len(different) < 2, len(different)
