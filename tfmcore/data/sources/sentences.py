"""English sentences made around dates, prices and places of the CLDR: labelled words, and questions with answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from babel import Locale

from tfmcore.config.data import DataConfig
from tfmcore.data.sources import phrases
from tfmcore.data.sources.source import Example, distinct, num_examples
from tfmcore.data.words import WORDS

ENGLISH = Locale("en")
PEOPLE = (
    "Ada Amir Anna Aoife Bela Carlos Chen Dana Diego Elena Emil Fatima Felix Grace Hana Hugo Ines Ivan Jonas Julia "
    "Kofi Lars Leila Lina Luca Maria Marek Mei Mina Nadia Nils Noor Olga Omar Paula Pavel Petra Priya Rosa Ruth Samir "
    "Sara Sofia Tariq Tomas Vera Viktor Wei Yusuf Zoe"
)
THINGS = (
    "bicycle boat camera carpet clock flute guitar horse house lamp map mirror painting piano ring sofa stamp "
    "telescope tent violin"
)
ARTICLE = {"GB", "NL", "US"}
"""Countries that need one in English."""


@dataclass(frozen=True)
class Kind:
    """A sentence with gaps, and questions about it, each with the gap that answers it."""

    sentence: str
    questions: tuple[tuple[str, str], ...]


KINDS = (
    Kind(
        "{person} flew to {place} on {date} and paid {price} for the ticket.",
        (
            ("Where did {person} fly?", "place"),
            ("When did {person} fly?", "date"),
            ("How much did {person} pay for the ticket?", "price"),
        ),
    ),
    Kind(
        "On {date}, {person} bought {thing} in {place} for {price}.",
        (
            ("When did {person} buy {thing}?", "date"),
            ("Where did {person} buy {thing}?", "place"),
            ("How much did {person} pay for {thing}?", "price"),
        ),
    ),
    Kind(
        "{person} has lived in {place} since {date}, at number {number}.",
        (("Where does {person} live?", "place"), ("Since when has {person} lived there?", "date")),
    ),
    Kind(
        "For {price} {person} sold {thing} to a friend from {place}.",
        (("Where is the friend of {person} from?", "place"), ("How much did {person} get for {thing}?", "price")),
    ),
    Kind(
        "A letter of {number} pages from {place} reached {person} on {date}.",
        (
            ("Where did the letter to {person} come from?", "place"),
            ("When did the letter reach {person}?", "date"),
        ),
    ),
    Kind(
        "In {place}, {person} rents a room with {number} chairs, which costs {price} a month.",
        (("Where does {person} rent a room?", "place"), ("What is the rent of {person}?", "price")),
    ),
    Kind(
        "{person}, who had read {number} books, gave {thing} away on {date}.",
        (("When did {person} give {thing} away?", "date"),),
    ),
)
ASKED = {"date": "When did {person} leave?", "price": "How much did {person} owe?", "place": "Where was {person} born?"}
"""Questions that no sentence answers, though it may hold a date, a price or a place."""
MARKED = ("date", "price", "place")
MOST_SENTENCES = 3
UNANSWERABLE = 0.2


@dataclass(frozen=True)
class Sentence:
    """A filled-in sentence: what stands in each gap, and where it begins, in characters."""

    kind: Kind
    text: str
    filled: dict[str, str]
    starts: dict[str, int]


def tagging(data: DataConfig) -> Iterator[Example]:
    """One sentence each: its words, and whether each begins or goes on with a date, a price or a place."""
    random = Random(f"sentences {data.seed}")
    return distinct(
        (_labelled(_sentence(random, random.choice(PEOPLE.split()))) for _ in iter(int, 1)), num_examples(data)
    )


def answers(data: DataConfig) -> Iterator[Example]:
    """One to three sentences about different people, and a question about one of them; a fifth have no answer: nobody
    of that name is there, or it is not said."""
    random = Random(f"questions {data.seed}")
    return distinct((_asked(random) for _ in iter(int, 1)), num_examples(data))


def _sentence(random: Random, person: str) -> Sentence:
    kind = random.choice(KINDS)
    filled = {
        "person": person,
        "thing": f"a {random.choice(THINGS.split())}",
        "number": str(random.choice((random.randint(2, 99), random.randint(100, 2099)))),
        "place": _place(random),
        "date": phrases.write(phrases.day_phrase(random)[0], ENGLISH),
        "price": phrases.write(phrases.price_phrase(random)[0], ENGLISH),
    }
    text, starts = "", {}
    for part in kind.sentence.split("{"):
        gap, closed, rest = part.partition("}")
        if closed:
            starts[gap] = len(text)
        text += filled[gap] + rest if closed else part
    return Sentence(kind, text, {gap: filled[gap] for gap in starts}, starts)


def _place(random: Random) -> str:
    code = random.choice(phrases.NAMES["territories"].split())
    return f"{'the ' if code in ARTICLE else ''}{ENGLISH.territories[code]}"


def _labelled(sentence: Sentence) -> Example:
    spans = [(sentence.starts[gap], len(sentence.filled[gap]), gap) for gap in MARKED if gap in sentence.starts]
    words, labels = list[str](), list[str]()
    for match in WORDS.finditer(sentence.text):
        inside = [(start, name) for start, length, name in spans if start <= match.start() < start + length]
        labels += [f"{'B' if match.start() == start else 'I'}-{name}" for start, name in inside] or ["O"]
        words.append(match.group())
    return Example(text=" ".join(words), labels=" ".join(labels))


def _asked(random: Random) -> Example:
    people = random.sample(PEOPLE.split(), MOST_SENTENCES + 1)
    sentences = [_sentence(random, person) for person in people[: random.randint(1, MOST_SENTENCES)]]
    context, number = " ".join(sentence.text for sentence in sentences), random.randrange(len(sentences))
    about = sentences[number]
    question, gap = random.choice(about.kind.questions)
    if random.random() < UNANSWERABLE:
        if random.random() < 0.5:
            question, filled = ASKED[gap], about.filled
        else:
            filled = about.filled | {"person": people[-1]}
        return Example(question=question.format(**filled), context=context, answer="", answer_start="")
    start = sum(len(sentence.text) + 1 for sentence in sentences[:number]) + about.starts[gap]
    return Example(
        question=question.format(**about.filled), context=context, answer=about.filled[gap], answer_start=str(start)
    )
