"""Runs as rows of a sheet: what came of each, and the options in which they differ, sorted by any of them; beside the
loss of a run, how those do that differ from it in nothing but the seed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from operator import attrgetter
from typing import Any

from PySide6.QtCore import QModelIndex, QObject, Qt
from PySide6.QtGui import QColor

from app.forms.field import tooltip, value_words
from app.repeats import Spread, apart_from_seed, repeats, spread_of
from app.run_rows import LEFT, RIGHT, Index, RunRows
from app.run_watch import RunFacts
from app.session import Session
from app.theme import body_font
from app.widgets.curve import colour_of, dot
from tfmcore import units
from tfmcore.config import Option, options

ASCENDING = Qt.SortOrder.AscendingOrder
ARROW_ROOM = 4 * "\N{NO-BREAK SPACE}"
"""Behind the heading that is sorted by."""
OF_TOKENS = ("data", "tokenizer")
"""Sections: losses of runs that differ in them are of other tokens, and say nothing of each other."""
OF_TEXT = ("data.", "tokenizer.lowercase")
"""Beginnings of options: runs that differ in them do not even predict the same text."""


@dataclass(frozen=True)
class Column:
    """`value` of a run is what is sorted by and written to a file, None where there is none; `words` say it."""

    name: str
    title: str
    value: Callable[[RunFacts], Any]
    words: Callable[[Any], str] = str
    tip: str = ""


LOSS = Column(
    "validation_loss",
    "Validation loss",
    attrgetter("best_loss"),
    units.number,
    "Of the best checkpoint, in nats; the lowest is bold if all learn from the same tokens",
)
BITS = Column(
    "bits_per_byte",
    "Bits per byte",
    attrgetter("best_bits"),
    units.number,
    "Of the best checkpoint, for the validation text in UTF-8; the lowest is bold if all read the same text in "
    "different tokens, where losses cannot be compared",
)
FIRST = Column("run", "Run", lambda facts: facts.label), LOSS
LAST = (
    Column(
        "training_loss", "Training loss", lambda facts: facts.status.loss if facts.status else None, units.number,
        "Smoothed, in nats",
    ),
    Column("steps", "Steps done", lambda facts: facts.step, "{:,}".format),
    Column("state", "State", lambda facts: facts.words),
)  # fmt: skip
"""Of all runs; between them stand the options in which they differ."""
OF_SEEDS = (
    ("mean", "Mean of seeds", "Mean validation loss of all runs that differ from this one only in the seed"),
    ("deviation", "± of seeds", "Standard deviation of these losses"),
)
"""Fields of Spread; behind the loss, where runs were repeated."""


def differing(runs: Sequence[RunFacts]) -> list[Option]:
    """The options that are not the same in all runs whose config can be read."""
    configs, found = [facts.config for facts in runs if facts.config], list[Option]()
    for section in dict.fromkeys(option.section for option in options()) if configs else ():
        mine = getattr(configs[0], section)
        unlike = [theirs for config in configs[1:] if (theirs := getattr(config, section)) != mine]
        for option in options(section) if unlike else ():
            if any(getattr(theirs, option.name) != getattr(mine, option.name) for theirs in unlike):
                found.append(option)
    return found


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def measure_of(runs: Sequence[RunFacts], options: Sequence[Column]) -> Column | None:
    """By what runs that differ in these options can be compared: their loss where all predict the same tokens, bits per
    byte where they are language models of the same text."""
    apart = [column.name for column in options if column.name.partition(".")[0] in OF_TOKENS]
    if not apart:
        return LOSS
    same_text = not any(name.startswith(OF_TEXT) for name in apart)
    return BITS if same_text and any(BITS.value(facts) is not None for facts in runs) else None


def _column(option: Option) -> Column:
    def value(facts: RunFacts) -> Any:
        return getattr(getattr(facts.config, option.section), option.name) if facts.config else None

    return Column(option.path, option.title, value, lambda value: value_words(option, value), tooltip(option))


def _configs(runs: Sequence[RunFacts]) -> set[tuple[str, int]]:
    """The runs and their very configs: a run that goes on with another batch has another one."""
    return {(facts.id, id(facts.config)) for facts in runs}


class SheetRows(RunRows):
    """Runs by `columns`, in the order that was asked for; those without a value come last in either direction."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(session, parent)
        self.options: list[Column] = []
        """Those in which the runs differ."""
        self.columns = [*FIRST, *LAST]
        self.best = ""
        self._sames: dict[str, str] = {}
        self._spreads: dict[str, Spread] = {}
        self.colours: dict[str, int] = {}
        self._by, self._order = LOSS, ASCENDING

    def show(self, rows: list[RunFacts]) -> None:
        has_bits = any(BITS.value(facts) is not None for facts in rows)
        others = _configs(rows) != _configs(self.rows) or has_bits != (BITS in self.columns)
        if others:  # the view is told of it below
            self._sames = {facts.id: apart_from_seed(facts) for facts in rows}
            self.options = [*map(_column, differing(rows))]
            seeds = self._of_seeds() if self.has_repeats else ()
            self.columns = [*FIRST, *[BITS][:has_bits], *seeds, *self.options, *LAST]
            self._by = next((column for column in self.columns if column.name == self._by.name), LOSS)
        before = self.best, self._spreads
        spreads = [(group, spread_of(group)) for group in self.grouped(rows)]
        self._spreads = {facts.id: spread for group, spread in spreads if spread for facts in group}
        measure = measure_of(rows, self.options)
        measured = [facts for facts in rows if measure and measure.value(facts) is not None]
        self.best = min(measured, key=measure.value).id if measure and measured else ""
        (self.reset if others else super().show)(self._arranged(rows))
        if rows and before != (self.best, self._spreads):
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(self.columns) - 1))

    @property
    def has_repeats(self) -> bool:
        """Whether some differ in nothing but the seed."""
        return len(set(self._sames.values())) < len(self._sames)

    def grouped(self, runs: Sequence[RunFacts]) -> list[list[RunFacts]]:
        """Those together that differ in nothing but the seed."""
        return repeats(runs, [self._sames[facts.id] for facts in runs])

    def _of_seeds(self) -> Iterator[Column]:
        for name, title, tip in OF_SEEDS:
            yield Column(f"{LOSS.name}_{name}", title, partial(self._spread, name), units.number, tip)

    def _spread(self, name: str, facts: RunFacts) -> float | None:
        spread = self._spreads.get(facts.id)
        return getattr(spread, name) if spread else None

    def colour(self, groups: Sequence[Sequence[str]]) -> None:
        """Give the runs of each group a colour of the series, which they keep while they have one."""
        before, kept = self.colours, dict[int, int]()
        for place, ids in enumerate(groups):
            number = next((before[id] for id in ids if id in before), None)
            if number is not None and number not in kept.values():
                kept[place] = number
        free = (number for number in count() if number not in kept.values())
        numbers = [kept[place] if place in kept else next(free) for place in range(len(groups))]
        self.colours = {id: number for ids, number in zip(groups, numbers, strict=True) for id in ids}
        if self.rows and self.colours != before:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, 0))

    @property
    def sorted_by(self) -> tuple[int, Qt.SortOrder]:
        """The column, and the direction."""
        return self.columns.index(self._by), self._order

    def sort(self, column: int, order: Qt.SortOrder = ASCENDING) -> None:
        self._by, self._order = self.columns[column], order
        super().show(self._arranged(self.rows))

    def _arranged(self, runs: list[RunFacts]) -> list[RunFacts]:
        def key(facts: RunFacts) -> Any:
            value = self._by.value(facts)
            return (0, value) if isinstance(value, int | float) else (1, self._by.words(value).casefold())

        known = [facts for facts in runs if self._by.value(facts) is not None]
        known.sort(key=key, reverse=self._order != ASCENDING)
        return known + [facts for facts in runs if self._by.value(facts) is None]

    def table(self) -> list[list[object]]:
        """Headings and values, the run's id first."""
        headings = ["id", *(column.name for column in self.columns)]
        return [headings, *([facts.id, *(column.value(facts) for column in self.columns)] for facts in self.rows)]

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = self.columns[section]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return f"{column.title}{ARROW_ROOM}" if column is self._by else column.title
            case Qt.ItemDataRole.ToolTipRole:
                return column.tip
            case Qt.ItemDataRole.TextAlignmentRole:
                return RIGHT if any(is_number(column.value(facts)) for facts in self.rows) else LEFT
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        facts, column = self.rows[index.row()], self.columns[index.column()]
        value = column.value(facts)
        match role:
            case Qt.ItemDataRole.UserRole:
                return facts
            case Qt.ItemDataRole.DisplayRole:
                return units.NO_NUMBER if value is None else column.words(value)
            case Qt.ItemDataRole.ToolTipRole if column is FIRST[0]:
                return "\n".join(filter(None, (facts.label, facts.id, facts.ending)))
            case Qt.ItemDataRole.DecorationRole if column is FIRST[0]:
                number = self.colours.get(facts.id)
                return dot(QColor(Qt.GlobalColor.transparent) if number is None else colour_of(f"series:{number}"))
            case Qt.ItemDataRole.FontRole if facts.id == self.best:
                font = body_font()
                font.setBold(True)
                return font
            case Qt.ItemDataRole.TextAlignmentRole if value is None or is_number(value):
                return RIGHT
        return None
