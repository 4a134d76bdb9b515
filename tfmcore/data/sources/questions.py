"""Questions about texts: SQuAD's JSON (versions 1.1 and 2), and tables with a question, a context and an answer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from tfmcore.config.problems import UserError
from tfmcore.data.sources.lines import MAX_FIELD, Row
from tfmcore.data.sources.source import Example

MAX_CHARACTERS = 512 * 2**20
Place = str
"""Where in the file something stands, such as data[0].paragraphs[3]."""


def read(path: Path, file: TextIO) -> Iterator[tuple[int, Row]]:
    """Each question, counted from 1, with its context, its accepted answers (one a line) and where the first starts."""
    text = file.read(MAX_CHARACTERS + 1)
    if len(text) > MAX_CHARACTERS:
        raise UserError(
            f"{path} is too large for a file of questions (more than {MAX_CHARACTERS // 2**20} million characters)"
        )
    try:
        whole = json.loads(text) if text.strip() else {"data": []}
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {str(error)[:100] or 'nested too deeply'}") from None
    del text
    number = 0
    for article_place, article in _each(path, whole, "data", ""):
        for paragraph_place, paragraph in _each(path, article, "paragraphs", article_place):
            context = _text(path, paragraph, "context", paragraph_place)
            for place, question in _each(path, paragraph, "qas", paragraph_place):
                number += 1
                yield number, _row(path, question, context, place)


def _row(path: Path, question: Any, context: str, place: Place) -> Row:
    answers = list[str]()
    start = ""
    if not question.get("is_impossible", False):
        for place_of_answer, answer in _each(path, question, "answers", place):
            answers.append(_text(path, answer, "text", place_of_answer))
            if not start:
                begin = answer.get("answer_start")
                if not isinstance(begin, int) or isinstance(begin, bool) or begin < 0:
                    raise UserError(f"{path}, {place_of_answer}: `answer_start` must be a whole number from 0 on")
                start = str(begin)
    lines = dict.fromkeys(answer.replace("\n", " ") for answer in answers)
    return {
        "question": _text(path, question, "question", place),
        "context": context,
        "answer": "\n".join(lines),
        "answer_start": start,
    }


def _each(path: Path, holder: Any, name: str, place: Place) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The objects of a list, each with its place in the file."""
    here = f"{place}.{name}" if place else name
    found = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(found, list):
        raise UserError(f"{path}: {here} is not a list, as in SQuAD's files")
    for number, item in enumerate(found):
        if not isinstance(item, dict):
            raise UserError(f"{path}: {here}[{number}] is not an object")
        yield f"{here}[{number}]", item


def _text(path: Path, holder: dict[str, Any], name: str, place: Place) -> str:
    value = holder.get(name)
    if not isinstance(value, str):
        raise UserError(f"{path}: {place}.{name} is not a string")
    if len(value) > MAX_FIELD:
        raise UserError(f"{path}: {place}.{name} is longer than {MAX_FIELD} characters")
    return value


def finish(example: Example) -> str:
    """Find the answer in the context where its start is not given; says what is wrong with the answer."""
    answer = example.setdefault("answer", "").split("\n")[0]
    start = example.get("answer_start", "").strip()
    if not answer:
        example["answer"] = example["answer_start"] = ""
        return ""
    context = example["context"].replace("\n", " ")
    start = start or str(context.find(answer))
    if not start.isdecimal() or not context.startswith(answer, int(start)):
        where = f" at character {start}" if start.isdecimal() else ""
        return f"the answer {answer[:60]!r} does not occur in the context{where}"
    example["answer_start"] = start
    return ""
