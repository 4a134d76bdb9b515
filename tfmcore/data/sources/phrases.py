"""Phrases of the Unicode CLDR in any of its languages: dates, durations, prices, measures, names.

Every phrase is a new combination, so one that is held out was never seen, while all its words were: no country or
language stands alone, and what could mean two things ("May 2" is long and short alike) is taken in one meaning only.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, time, timedelta
from functools import cache
from importlib.metadata import version as version_of
from random import Random
from typing import Literal

from babel import Locale, dates, lists, numbers, units

from tfmcore.config.data import DataConfig
from tfmcore.config.problems import UserError
from tfmcore.data.sources.source import REPEATS, Example, num_examples

Phrase = Callable[[Locale], str]

DAY_FORMS = ("full", "long", "medium", "yMMMEd", "MMMMEEEEd", "yMMMM", "MMMMd")
CURRENCIES = (
    "USD EUR GBP JPY CHF CNY INR KRW SEK NOK DKK PLN CZK HUF RON TRY BRL CAD AUD ILS MXN ZAR THB UAH"
)  # fmt: skip
NAMES = {
    "territories": "AR AT AU BE BG BR CA CH CL CN CZ DE DK EG ES FI FR GB GR HR HU ID IE IL IN IS IT JP KE KR MX NL NO "
    "NZ PE PL PT RO RS SE SI SK TH TR UA US VN ZA",
    "languages": "ar bg cs da de el en es et fa fi fr he hi hr hu id is it ja ko lt lv nl no pl pt ro ru sk sl sv th "
    "tr uk vi zh",
}
SPANS = {"year": 40, "month": 11, "week": 4, "day": 6, "hour": 23, "minute": 59, "second": 59}
"""How many of each may stand beside a longer one."""
MEASURES = (
    "length-kilometer length-meter length-centimeter mass-kilogram mass-gram volume-liter temperature-celsius "
    "speed-kilometer-per-hour duration-year duration-month duration-week duration-day duration-hour duration-minute"
)
SPACES = dict.fromkeys((0xA0, 0x2007, 0x2009, 0x202F), " ") | dict.fromkeys((0x200E, 0x200F, 0x061C))
"""Spaces that no keyboard writes become plain ones; marks of direction go."""
PROBES = 3000


def translation(data: DataConfig) -> Iterator[Example]:
    """The same phrase in the source and the target language."""
    source, target = _locale(data.source_language), _locale(data.target_language)
    random, seen, repeats = Random(f"phrases {data.seed}"), set[str](), 0
    while len(seen) < num_examples(data) and repeats < REPEATS:
        phrase, others = _phrase(random)
        text, repeats = write(phrase, source), repeats + 1
        if text in seen or any(write(other, source) == text for other in others):
            continue
        seen.add(text)
        repeats = 0
        yield Example(source=text, target=write(phrase, target))


def language(data: DataConfig) -> Iterator[Example]:
    """Phrases of at least ten letters and the language each is in, as many of each; what stands in two is left out.

    Raises UserError where a language has hardly any phrase of its own.
    """
    locales = {code: _locale(code) for code in data.languages}
    share = max(1, num_examples(data) // len(locales))
    random, found = Random(f"phrases {data.seed}"), dict[str, Example]()
    languages: dict[str, set[str]] = defaultdict(set)
    counts, idle = Counter[str](), Counter[str]()
    while any(counts[code] < share and idle[code] < PROBES for code in locales):
        phrase, _ = _phrase(random)
        written = {code: write(phrase, locale) for code, locale in locales.items()}
        for code, text in written.items():
            languages[text.lower()].add(code)
        for code, text in written.items():
            idle[code] += 1
            new = text.lower() not in found and languages[text.lower()] == {code}
            if counts[code] < share and new and _num_letters(text) >= 10:
                found[text.lower()] = Example(text=text, label=code)
                counts[code] += 1
                idle[code] = 0
    if few := [code for code in locales if counts[code] < min(share, 10)]:
        raise UserError(f"data.languages: too few phrases are only in {few[0]}; leave out a similar language")
    yield from (example for key, example in found.items() if len(languages[key]) == 1)


def version(data: DataConfig) -> str:
    """Another Babel may have another CLDR."""
    return version_of("Babel")


def write(phrase: Phrase, locale: Locale) -> str:
    """The phrase in a language."""
    return phrase(locale).translate(SPACES).strip()


def _num_letters(text: str) -> int:
    """Letters of a text; a Chinese or Japanese character says as much as two."""
    return sum(1 + ("\u3040" <= letter <= "\u9fff") for letter in text if letter.isalpha())


def _phrase(random: Random) -> tuple[Phrase, list[Phrase]]:
    """A phrase, and the phrases that go before it where they look the same."""
    (kind,) = random.choices(list(KINDS), list(KINDS.values()))
    return kind(random)


def day_phrase(random: Random) -> tuple[Phrase, list[Phrase]]:
    day = date(1900, 1, 1) + timedelta(random.randrange(200 * 365))
    (rank,) = random.choices(range(len(DAY_FORMS)), (10, 6, 4, 3, 3, 1, 1))
    forms = [_in_form(day, form) for form in DAY_FORMS[: rank + 1]]
    return forms[-1], forms[:-1]


def _in_form(day: date, form: str) -> Phrase:
    if form in ("full", "long", "medium"):
        return lambda locale: dates.format_date(day, form, locale)
    return lambda locale: dates.format_date(day, _pattern(form, locale), locale)


@cache
def _pattern(skeleton: str, locale: Locale) -> str:
    """The language's pattern for a skeleton, as `babel.dates.format_skeleton` finds it at length each time."""
    known = locale.datetime_skeletons
    matched = skeleton if skeleton in known else dates.match_skeleton(skeleton, known)
    return str(known[matched].pattern)


def _short_day(random: Random) -> tuple[Phrase, list[Phrase]]:
    day = date(2000, 1, 1) + timedelta(random.randrange(50 * 365))  # two digits of a year say no century
    return lambda locale: dates.format_date(day, "short", locale), []


def _interval(random: Random) -> tuple[Phrase, list[Phrase]]:
    first = date(1900, 1, 1) + timedelta(random.randrange(200 * 365))
    last = first + timedelta(random.randint(1, 60))
    return lambda locale: dates.format_interval(first, last, "yMMMd", locale=locale), []


def _time(random: Random) -> tuple[Phrase, list[Phrase]]:
    moment, form = (
        time(random.randrange(24), random.randrange(60), random.randrange(60)),
        random.choice(("short", "medium")),
    )
    return lambda locale: dates.format_time(moment, form, locale=locale), []


def _duration(random: Random) -> tuple[Phrase, list[Phrase]]:
    longer = random.randrange(len(SPANS) - 1)
    parts = [(random.randint(1, most), f"duration-{span}") for span, most in [*SPANS.items()][longer : longer + 2]]

    def phrase(locale: Locale) -> str:
        style: Literal["unit", "standard"] = "unit" if "2" in dict(locale.list_patterns).get("unit", {}) else "standard"
        return lists.format_list([_measured(*part, locale) for part in parts], style, locale)

    return phrase, []


def _relative(random: Random) -> tuple[Phrase, list[Phrase]]:
    span: Literal["day", "hour", "minute", "second", "week"]
    span, sign = random.choice(("day", "hour", "minute", "second", "week")), random.choice((-1, 1))
    delta = sign * random.randint(1, 99) * timedelta(**{f"{span}s": 1})
    return lambda locale: dates.format_timedelta(
        delta, granularity=span, threshold=1000, add_direction=True, locale=locale
    ), []  # fmt: skip


def price_phrase(random: Random) -> tuple[Phrase, list[Phrase]]:
    amount, currency = random.randrange(1, 10 ** random.randint(3, 6)) / 100, random.choice(CURRENCIES.split())
    form: Literal["standard", "name"] = random.choice(("standard", "name"))
    return lambda locale: numbers.format_currency(amount, currency, locale=locale, format_type=form), []


def _measure(random: Random) -> tuple[Phrase, list[Phrase]]:
    number = random.randrange(1, 10 ** random.randint(1, 4)) / random.choice((1, 10))
    number, unit = int(number) if number == int(number) else number, random.choice(MEASURES.split())
    return lambda locale: _measured(number, unit, locale), []


def _measured(number: float, unit: str, locale: Locale) -> str:
    """Babel does not know that a language without a long form uses its short one; then it writes the unit's code."""
    forms = (units.format_unit(number, unit, length, locale=locale) for length in ("long", "short", "narrow"))
    return next(text for text in forms if unit not in text)


def _names(random: Random) -> tuple[Phrase, list[Phrase]]:
    kind, count = random.choice(list(NAMES)), random.choice((2, 3))
    codes = random.sample(NAMES[kind].split(), count)

    def phrase(locale: Locale) -> str:
        names = getattr(locale, kind)
        return lists.format_list([names[code] for code in codes], "standard", locale)

    return phrase, []


KINDS: dict[Callable[[Random], tuple[Phrase, list[Phrase]]], int] = {
    day_phrase: 56,
    _short_day: 3,
    _interval: 4,
    _time: 3,
    _duration: 7,
    _relative: 4,
    price_phrase: 12,
    _measure: 6,
    _names: 5,
}
"""How often each kind comes, in per cent: what reorders words most comes most often."""


@cache
def _locale(code: str) -> Locale:
    return Locale.parse(code)
