"""What follows from a choice of source, file, task or preset, so that the draft fits together in one step of undo."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.draft import Draft
from tfmcore.config import SOURCES, TASKS, Config, SavedModel, find_preset
from tfmcore.config.config import Raw
from tfmcore.config.tasks import TEXT_TASKS
from tfmcore.messages import DataPreviewed

TABLES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson")
TASK_OF_ENDING = {".json": "question_answering", **dict.fromkeys((".conll", ".bio", ".iob", ".iob2"), "token_tagging")}
"""What a file whose form says it is for: SQuAD's questions, words with a label each."""
LABELS = {"label", "labels", "class", "category", "target", "sentiment", "intent", "topic", "language", "lang"}
MOST_CHARACTERS = 300
WRITING = ("generate", "translate")
TOKENS = {
    "char": "letters, which keep the lines and capitals of a text",
    "byte_bpe": "byte-level BPE subwords, which keep capitals and spaces and so suit what is to be written",
    "wordpiece": "WordPiece subwords, which suit short texts",
}
PROMPTS, COMPLETIONS = {"prompt", "instruction"}, {"completion", "response", "answer", "output", "target"}
PAIRS = ({"source", "target"}, {"src", "tgt"}, {"input", "output"}, {"question", "answer"}, {"text", "summary"})


def choose_source(draft: Draft, source: str) -> dict[str, Any]:
    """The changes for another source: its first task where it cannot serve the one of now."""
    tasks, task = SOURCES[source].tasks, draft.value("data.task")
    changes = {"data.source": source, "data.columns": {}, "data.separator": ""}
    return changes | (choose_task(draft, task if task in tasks else tasks[0]))


def choose_task(draft: Draft, task: str) -> dict[str, Any]:
    """The changes for another task: an architecture that can learn it, and no columns of the roles before."""
    changes: dict[str, Any] = {"data.task": task}
    if task != draft.value("data.task"):
        changes["data.columns"] = {}
    can = TASKS[task].architectures
    if draft.value("model.architecture") not in can:
        changes["model.architecture"] = can[0]
        if can[0] == "decoder" and draft.value("model.convolution"):
            changes["model.convolution"] = 0  # it would see the tokens that a decoder is to write
    return changes


def choose_files(draft: Draft, paths: Sequence[str]) -> dict[str, Any]:
    """The changes for one's own file, or two parallel ones. A table is taken for labelled texts until its columns are
    known. For all but running text letters make poor tokens; a text to be written wants its lines and capitals back."""
    first, second = paths[0], paths[1] if len(paths) > 1 else ""
    if second:
        task = "translation"
    elif is_table(first):
        task = "classification"
    elif not (task := TASK_OF_ENDING.get(_ending(first), "")):
        now = draft.value("data.task")
        task = now if now in TEXT_TASKS else "language_modeling"
    files = {
        "data.source": "file",
        "data.path": first,
        "data.target_path": second,
        "data.columns": {},
        "data.separator": "",
    }
    changes = choose_task(draft, task) | files
    kind = draft.value("tokenizer.kind")
    if task in TEXT_TASKS:
        if TASKS[task].verb in WRITING and kind == "wordpiece" and draft.value("tokenizer.lowercase"):
            changes |= {"tokenizer.kind": "char", "tokenizer.lowercase": False}
    else:
        if not second:
            changes["model.architecture"] = TASKS[task].architectures[0]
        if kind == "char":
            changes |= tokens_for(task)
    return {path: value for path, value in changes.items() if value != draft.value(path) or path.startswith("data.")}


def _ending(path: str) -> str:
    return Path(path.lower().removesuffix(".gz")).suffix


def is_table(path: str) -> bool:
    """Whether the file has columns, by its name."""
    return _ending(path) in TABLES


def choose_guess(draft: Draft, task: str, opened: dict[str, Any]) -> dict[str, Any]:
    """The changes for the task that a table suggests; `opened` are those that came with it."""
    return choose_task(draft, task) | (tokens_for(task) if "tokenizer.kind" in opened else {})


def tokens_for(task: str) -> dict[str, Any]:
    """The changes for tokens that suit short texts: what is to be written keeps its capitals and spaces."""
    if TASKS[task].verb in WRITING:
        return {"tokenizer.kind": "byte_bpe", "tokenizer.lowercase": False}
    return {"tokenizer.kind": "wordpiece", "tokenizer.lowercase": task == "classification"}


def task_of_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The likeliest task for a table, by the names of its columns or, where they say nothing, by its first rows."""
    names = {column.strip().lower() for column in columns}
    languages = [name for name in names if len(name) == 2 and name.isalpha()]
    if names & PROMPTS and names & COMPLETIONS:
        return "language_modeling"
    if any(pair <= names for pair in PAIRS) or (len(languages) == 2 and len(names) == 2):
        return "translation"
    by_column = list(zip(*rows, strict=False))
    few = [len(set(values)) <= max(2, len(values) // 3) and max(map(len, values)) <= 32 for values in by_column]
    if names & LABELS or (any(few) and not all(few)):
        return "classification"
    return "language_modeling"


def example_of(preview: DataPreviewed) -> str:
    """The text of the first row, to show as a sample."""
    if not preview.rows or not preview.columns:
        return ""
    column = next(iter(preview.roles.values()), preview.columns[0])
    place = preview.columns.index(column) if column in preview.columns else 0
    return preview.rows[0][place][:MOST_CHARACTERS] if place < len(preview.rows[0]) else ""


def choose_preset(draft: Draft, name: str) -> Config:
    """The whole preset; but one's own file, and how it is tokenised, stay where its task suits the architecture."""
    config = find_preset(name).config()
    own = draft.config
    if own and own.data.source == "file" and config.model.architecture in TASKS[own.data.task].architectures:
        config = Config.parse(config.raw() | {"data": own.raw()["data"], "tokenizer": own.raw()["tokenizer"]})
    return config


def begin_from(raw: Raw, saved: SavedModel, folder: str) -> Raw:
    """A config that begins with the weights of the model in `folder`: the data of `raw` where it can learn their task,
    else the first source that it can learn from, a rate that does not wash away what it knows, and a validation of what
    it knows before the first step."""
    data = dict(raw.get("data", {}))
    can = [task for task, facts in TASKS.items() if saved.model.architecture in facts.architectures]
    if data.get("task") not in can:
        source = next((name for name, facts in SOURCES.items() if saved.task in facts.tasks), "file")
        task = saved.task if saved.task in SOURCES[source].tasks else can[0]
        data = {"source": source, "task": task}
    training = {"learning_rate": 1e-4, "schedule": "linear", "minimum_learning_rate": 0.0, "eval_at_start": True}
    return {"data": data, "training": raw.get("training", {}) | training | {"finetune_from": folder}}


def consequences(changes: dict[str, Any]) -> str:
    """What came along with a choice, in a sentence or two; nothing where nothing did."""
    sentences = []
    if "model.architecture" in changes:
        kind = kind_words(changes["model.architecture"])
        sentences.append(f"The model is now {kind}, which suits {TASKS[changes['data.task']].title.lower()}.")
    if tokens := changes.get("tokenizer.kind"):
        case = ", all in lower case" if changes.get("tokenizer.lowercase") else ""
        sentences.append(f"Tokens are now {TOKENS[tokens]}{case}.")
    return " ".join(sentences)


def better_architecture(draft: Draft) -> str:
    """The architecture that suits the task best, where the draft has another one that can learn it too."""
    task = TASKS.get(draft.value("data.task"))
    if task is None or draft.value("model.architecture") not in task.architectures[1:]:
        return ""
    return task.architectures[0]


def kind_words(architecture: str) -> str:
    """ "an encoder", "a decoder", "an encoder-decoder"."""
    return f"{'an' if architecture.startswith('e') else 'a'} {architecture.replace('_', '-')}"
