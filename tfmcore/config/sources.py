"""The sources of data, as facts that forms and checks need: what each one is and which tasks it serves."""

from dataclasses import dataclass

from tfmcore.config.tasks import TEXT_TASKS


@dataclass(frozen=True)
class SourceFacts:
    """`options` names the fields of `[data]` that matter to this source."""

    title: str
    help: str
    tasks: tuple[str, ...]
    options: tuple[str, ...] = ()


STRING = ("min_length", "max_length", "max_examples")

SOURCES = {
    "python_manual": SourceFacts(
        "Python reference",
        "The language reference that ships with every Python: 380,000 characters of English.",
        TEXT_TASKS,
    ),
    "cldr_translation": SourceFacts(
        "Phrases in two languages",
        "Dates, durations, prices, countries and languages of the Unicode CLDR, in any two of its languages.",
        ("translation",),
        ("source_language", "target_language", "max_examples"),
    ),
    "cldr_language": SourceFacts(
        "Phrases and their language",
        "The same phrases in many languages; the label is the language. Phrases shared by two are left out.",
        ("classification",),
        ("languages", "max_examples"),
    ),
    "cldr_tagging": SourceFacts(
        "Sentences with dates, prices and places",
        "English sentences generated around phrases of the CLDR; each word is labelled.",
        ("token_tagging",),
        ("max_examples",),
    ),
    "cldr_answers": SourceFacts(
        "Questions about dates, prices and places",
        "The same sentences, a few at a time, with questions about them; some have no answer in the text.",
        ("question_answering",),
        ("max_examples",),
    ),
    "copy": SourceFacts("Copy", "A random string, to be repeated unchanged.", ("translation",), STRING),
    "reverse": SourceFacts("Reverse", "A random string, to be written backwards.", ("translation",), STRING),
    "sort": SourceFacts("Sort", "A random string, its letters to be sorted.", ("translation",), STRING),
    "modular_addition": SourceFacts(
        "Modular addition",
        "a + b modulo 97: the task in which grokking was first seen.",
        ("language_modeling", "translation"),
        ("max_examples",),
    ),
    "brackets": SourceFacts("Balanced brackets", "A string of brackets: is it balanced?", ("classification",), STRING),
    "induction": SourceFacts(
        "Induction",
        "A random pattern of letters, repeated: after an earlier A B, an induction head predicts B after A.",
        ("language_modeling",),
        STRING,
    ),
    "file": SourceFacts(
        "A file of your own",
        "Text (.txt), a table (.csv, .tsv), records (.jsonl), words with labels (.conll), questions (SQuAD's .json), "
        "or two parallel .txt files; .gz of each.",
        (*TEXT_TASKS, "classification", "token_tagging", "question_answering", "translation"),
        ("path", "target_path", "validation_path", "columns", "header", "encoding", "max_examples"),
    ),
}

ENCODINGS = {
    "utf-8": "UTF-8", "utf-16": "UTF-16", "latin-1": "Latin-1 (Western)", "cp1252": "cp1252 (Western, Windows)",
    "iso8859-15": "ISO 8859-15 (Western, €)", "iso8859-2": "ISO 8859-2 (Central European)",
    "cp1250": "cp1250 (Central European, Windows)", "cp1251": "cp1251 (Cyrillic, Windows)",
    "koi8-r": "KOI8-R (Cyrillic)", "iso8859-7": "ISO 8859-7 (Greek)", "iso8859-9": "ISO 8859-9 (Turkish)",
    "cp1255": "cp1255 (Hebrew)", "cp1256": "cp1256 (Arabic)", "shift_jis": "Shift JIS (Japanese)",
    "euc_jp": "EUC-JP (Japanese)", "euc_kr": "EUC-KR (Korean)", "gb18030": "GB 18030 (Chinese)",
    "big5": "Big5 (Chinese)",
}  # fmt: skip

LANGUAGES = {
    "af": "Afrikaans", "ar": "Arabic", "az": "Azerbaijani", "be": "Belarusian", "bg": "Bulgarian", "bn": "Bangla",
    "bs": "Bosnian", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "ga": "Irish", "gl": "Galician", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese",
    "ka": "Georgian", "kk": "Kazakh", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian",
    "mn": "Mongolian", "ms": "Malay", "nb": "Norwegian", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian",
    "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian",
    "ur": "Urdu", "uz": "Uzbek", "vi": "Vietnamese", "zh": "Chinese", "zu": "Zulu",
}  # fmt: skip
