"""The sources of data by name, the same as in the schema."""

from tfmcore.data.sources import file, induction, modular_addition, phrases, python_manual, sentences, strings
from tfmcore.data.sources.source import Example, Layout, Source

SOURCES: dict[str, Source] = {
    "python_manual": Source(python_manual.examples, python_manual.version, lambda data: "documents"),
    "cldr_translation": Source(phrases.translation, phrases.version),
    "cldr_language": Source(phrases.language, phrases.version),
    "cldr_tagging": Source(sentences.tagging, phrases.version),
    "cldr_answers": Source(sentences.answers, phrases.version),
    "copy": Source(strings.copy),
    "reverse": Source(strings.reverse),
    "sort": Source(strings.sort),
    "modular_addition": Source(modular_addition.examples),
    "brackets": Source(strings.brackets),
    "induction": Source(induction.examples),
    "file": Source(file.examples, file.version, file.layout, file.size),
}

__all__ = ["SOURCES", "Example", "Layout", "Source"]
