"""`[data]`: where the text comes from, what is learned from it and what is held out."""

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from tfmcore.config.option import Section, option
from tfmcore.config.problems import Problem
from tfmcore.config.sources import ENCODINGS, LANGUAGES, SOURCES
from tfmcore.config.tasks import TASKS

if TYPE_CHECKING:
    SourceName = str
    TaskName = str
    Encoding = str
else:
    SourceName, TaskName, Encoding = Literal[tuple(SOURCES)], Literal[tuple(TASKS)], Literal[tuple(ENCODINGS)]


class DataConfig(Section):
    """What the model learns from."""

    source: SourceName = option(
        "python_manual",
        title="Source",
        help="Where the examples come from: a built-in source, or a file of your own.",
        essential=True,
    )
    task: TaskName = option(
        "language_modeling", title="Task", help="What the model learns to do with the examples.", essential=True
    )
    path: str = option(
        "",
        title="File",
        help="Your file: .txt, .csv, .tsv, .jsonl, .conll or SQuAD's .json, each also as .gz; for the source `file`.",
        essential=True,
        max_length=4096,
    )
    target_path: str = option(
        "",
        title="Target file",
        help="For translation from parallel .txt files: the file whose line N translates line N of the first.",
        max_length=4096,
    )
    validation_path: str = option(
        "",
        title="Validation file",
        help="A file of the same format to validate on; empty: a part of the first file is held out.",
        max_length=4096,
    )
    columns: dict[str, str] = option(
        {},
        title="Columns",
        help="Which column has which role, by name: text and prompt; text, pair and label; text and labels; "
        "question, context, answer and answer_start; or source and target. What is left out is guessed from the "
        'names of the columns; an optional role set to "" has no column. A prompt may have several columns, such as '
        "`instruction + input`: those that are not empty stand one below the other.",
        essential=True,
        max_length=8,
    )
    header: Literal["auto", "yes", "no"] = option(
        "auto",
        title="Header line",
        help="Whether a .csv or .tsv file begins with column names; without them, columns are named 1, 2, 3 …",
    )
    encoding: Encoding = option(
        "utf-8",
        title="Encoding",
        help="Text encoding of your files; nearly all are UTF-8, with or without a byte order mark.",
    )
    source_language: str = option(
        "en", title="From", help="Language of the phrases to translate from (a CLDR locale).", max_length=16
    )
    target_language: str = option(
        "hu", title="Into", help="Language of the phrases to translate into (a CLDR locale).", max_length=16
    )
    languages: list[str] = option(
        ["en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "pl", "cs", "hu", "fi", "tr", "ro", "id"],
        title="Languages",
        help="The languages to tell apart (CLDR locales).",
        min_length=2,
        max_length=60,
    )
    min_length: int = option(
        4, title="Shortest", help="Shortest string that the synthetic sources make.", unit="symbols", ge=1, le=1000
    )
    max_length: int = option(
        12, title="Longest", help="Longest string that the synthetic sources make.", unit="symbols", ge=1, le=1000
    )
    max_examples: int | None = option(
        None,
        title="Maximum examples",
        help="Maximum number of examples (lines, for running text); empty: all.",
        unit="examples",
        ge=2,
        le=1_000_000_000,
    )
    validation_fraction: float = option(
        0.1,
        title="Held out",
        help="Fraction of the examples (for language modelling, of the text, at its end) held out for validation.",
        ge=0.001,
        le=0.5,
    )
    seed: int = option(
        0, title="Data seed", help="Random seed of generated examples, of the split and of masking.", ge=0, le=2**31 - 1
    )

    whole_word_masking: bool = option(
        False,
        title="Whole words",
        help="Masked language modelling masks whole words, not single tokens of them.",
        paper="https://arxiv.org/abs/1906.08101",
    )
    next_sentence_prediction: bool = option(
        False,
        title="Next sentence",
        help="BERT's second task: does the second half of a text follow the first? In half of the examples it does "
        "not.",
        paper="https://arxiv.org/abs/1810.04805",
    )
    noise_density: float = option(
        0.15,
        title="Noise",
        help="Fraction of the tokens that span corruption removes.",
        paper="https://arxiv.org/abs/1910.10683",
        ge=0.01,
        le=0.9,
    )
    mean_span_length: float = option(
        3.0,
        title="Mean span",
        help="Mean length of the spans that span corruption removes.",
        unit="tokens",
        paper="https://arxiv.org/abs/1910.10683",
        ge=1.0,
        le=100.0,
    )
    infilling_rate: float = option(
        0.3,
        title="Infilling",
        help="Fraction of the tokens that denoising masks, with one mask per span.",
        paper="https://arxiv.org/abs/1910.13461",
        ge=0.0,
        le=0.9,
    )
    infilling_length: float = option(
        3.0,
        title="Span length λ",
        help="Mean of the Poisson distribution of span lengths; a span of length 0 inserts a mask.",
        unit="tokens",
        paper="https://arxiv.org/abs/1910.13461",
        ge=0.5,
        le=100.0,
    )
    permute_sentences: bool = option(
        True,
        title="Shuffle sentences",
        help="Denoising also shuffles the sentences.",
        paper="https://arxiv.org/abs/1910.13461",
    )
    prefix: str = option(
        "",
        title="Prefix",
        help="Put before every source text, such as `summarize: `, to tell the model which task it is.",
        paper="https://arxiv.org/abs/1910.10683",
        max_length=200,
    )
    separator: str = option(
        "",
        title="Separator",
        help="Put between each prompt of a table and the text that follows it, such as `=` or a line break (`\\n`). It "
        "is kept with the model and put after every prompt that it is given.",
        max_length=200,
    )
    stride: int = option(
        32,
        title="Window overlap",
        help="In tagging and question answering: tokens shared by consecutive windows of a text longer than the "
        "context.",
        unit="tokens",
        ge=0,
        le=1_000_000,
    )

    packing: bool = option(
        False,
        title="Packing",
        help="Short texts share rows as long as the context, and each token attends to its own text only: less "
        "padding, the same loss. In running text, documents are kept apart.",
        paper="https://arxiv.org/abs/2107.02027",
    )

    @property
    def predicts_next_sentence(self) -> bool:
        """Beside its task."""
        return self.next_sentence_prediction and "next_sentence_prediction" in TASKS[self.task].options

    def checks(self) -> Iterator[Problem]:
        source, task = SOURCES[self.source], TASKS[self.task]
        if self.task not in source.tasks:
            can = ", ".join(source.tasks)
            yield Problem("task", f"the source {self.source} is for {can}, not {self.task}", source.tasks[0])
        if self.source == "file" and not self.path:
            yield Problem("path", "the source `file` needs the path of a file")
        if self.min_length > self.max_length:
            yield Problem("min_length", f"is above max_length ({self.max_length})", self.max_length)
        if self.packing and ("packing" not in task.options or self.predicts_next_sentence):
            other = "next_sentence_prediction" if self.predicts_next_sentence else self.task
            yield Problem("packing", f"is for tasks that predict tokens of one text each, not for {other}", False)
        if self.separator and "separator" in task.options and self.source != "file":
            yield Problem("separator", f"is for the prompts of a table, and the source {self.source} is none", "")
        roles = task.roles + task.optional_roles
        if foreign := [role for role in self.columns if role not in roles]:
            kept = {role: column for role, column in self.columns.items() if role in roles}
            yield Problem("columns", f"{self.task} has no role {foreign[0]!r}; it has {', '.join(roles)}", kept)
        for name in ("source_language", "target_language"):
            if (code := getattr(self, name)) not in LANGUAGES:
                near = difflib.get_close_matches(code, LANGUAGES, n=1) or [type(self).model_fields[name].default]
                yield Problem(name, f"{code!r} is not a language in the phrase list", near[0])
        known = list(dict.fromkeys(code for code in self.languages if code in LANGUAGES))
        if len(known) < len(self.languages):
            wrong = next((code for code in self.languages if code not in LANGUAGES), None)
            reason = "names a language twice" if wrong is None else f"{wrong!r} is not a language in the phrase list"
            yield Problem("languages", reason, known if len(known) > 1 else DataConfig().languages)
        if "source_language" in SOURCES[self.source].options and self.source_language == self.target_language:
            nearest = "hu" if self.source_language != "hu" else "de"
            yield Problem("target_language", "is the same as the source language", nearest)
