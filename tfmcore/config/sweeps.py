"""A sweep: the configs that differ from one in a few options, in every combination or drawn at random."""

import itertools
import math
import random
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

from tfmcore.config.config import Config, Raw, apply_overrides
from tfmcore.config.options import Option, options
from tfmcore.config.problems import ConfigError, Problem, UserError

MOST_RUNS = 10_000
COMMA = re.compile(r"""("(?:\\.|[^"\\])*"|'[^']*'|\[[^]]*]|\{[^}]*})|,""")
"""One that stands between values, and not in a text, a list or a table of TOML, which is the group."""
Combination = tuple[str, ...]
"""One `section.name=value` for each axis."""


@dataclass(frozen=True)
class Axis:
    """An option and what it takes: the values listed (as text) or, where there are none, any from `low` to `high`.

    Real numbers between positive bounds are chosen by ratio, as suits learning rates; all others evenly.
    """

    path: str
    values: tuple[str, ...]
    low: float = 0.0
    high: float = 0.0

    def draw(self, generator: random.Random) -> str:
        """One value at random."""
        if self.values:
            return generator.choice(self.values)
        share = generator.random()
        by_ratio = self.low > 0
        value = self.low * (self.high / self.low) ** share if by_ratio else self.low + (self.high - self.low) * share
        return f"{value:.4g}"


def parse_axis(text: str) -> Axis:
    """`a.b=1,2,3` lists values, as TOML or as they stand; `a.b=0..4` are all whole numbers between, or any real number
    between. Raises UserError."""
    path, separator, right = text.partition("=")
    path = path.strip()
    option = next((option for option in options() if option.path == path), None)
    if option is None:
        raise UserError(f"--over {text}: {path or 'this'} is not an option (`tfm options` lists them)")
    if not separator or not right.strip():
        raise UserError(f"--over {text}: write its values, such as {path}=1,2,3 or {path}=1..3")
    low, dots, high = right.partition("..")
    if dots and option.kind in ("int", "float"):
        return _range(option, low, high, text)
    values = tuple(value.strip() for value in COMMA.sub(lambda found: found[1] or "\0", right).split("\0"))
    if "" in values or len(set(values)) < len(values):
        raise UserError(f"--over {text}: list each value once, separated by commas; quote a text that holds one")
    return Axis(path, values)


def combinations(axes: Sequence[Axis], num_random: int | None = None, seed: int = 0) -> list[Combination]:
    """Every combination of the axes' values, or `num_random` different ones drawn at random (fewer where there are no
    more). Raises UserError for an option named twice, for a range of real numbers in a grid, and for too many."""
    paths = [axis.path for axis in axes]
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise UserError(f"{twice} is swept twice: name it once, with all its values")
    if num_random is not None:
        return list(itertools.islice(_drawn(axes, seed, tries=100 * num_random), num_random))
    if open_range := next((axis for axis in axes if not axis.values), None):
        reason = "has infinitely many values between its bounds: list some, or draw them with --random N"
        raise UserError(f"{open_range.path} {reason}")
    if (number := math.prod(len(axis.values) for axis in axes)) > MOST_RUNS:
        raise UserError(f"{number:,} runs are too many (at most {MOST_RUNS:,}): draw some with --random N")
    grid = itertools.product(*(axis.values for axis in axes))
    return [_named(axes, values) for values in grid]


def swept(raw: Raw, combinations: Sequence[Combination]) -> list[Config]:
    """The config of each combination, which changes `raw`; raises ConfigError with the problems of all, each once."""
    configs, problems = list[Config](), dict[str, Problem]()
    for combination in combinations:
        changed = deepcopy(raw)
        apply_overrides(changed, combination)
        try:
            configs.append(Config.parse(changed))
        except ConfigError as error:
            problems |= {str(problem): problem for problem in error.problems}
    if problems:
        raise ConfigError(list(problems.values()))
    return configs


def short(assignment: str) -> str:
    """`training.learning_rate=1e-3` without its section."""
    return assignment.partition(".")[2]


def label(name: str, combination: Combination) -> str:
    """What a run of a sweep is called: "nano-decoder learning_rate=1e-3 seed=2"."""
    return " ".join([name, *map(short, combination)])


def _range(option: Option, low: str, high: str, text: str) -> Axis:
    try:
        first, last = (int(low), int(high)) if option.kind == "int" else (float(low), float(high))
    except ValueError:
        kind = "whole numbers" if option.kind == "int" else "numbers"
        raise UserError(f"--over {text}: the bounds of a range must be {kind}") from None
    if not -math.inf < first < last < math.inf:
        raise UserError(f"--over {text}: the range must go up, such as {option.path}={high}..{low}")
    if option.kind == "float":
        return Axis(option.path, (), first, last)
    if last - first >= MOST_RUNS:
        raise UserError(f"--over {text}: {last - first + 1:,} values are too many (at most {MOST_RUNS:,})")
    return Axis(option.path, tuple(str(number) for number in range(int(first), int(last) + 1)))


def _drawn(axes: Sequence[Axis], seed: int, tries: int) -> Iterator[Combination]:
    generator, seen = random.Random(seed), set[Combination]()
    for _ in range(tries):
        found = _named(axes, [axis.draw(generator) for axis in axes])
        if found not in seen:
            seen.add(found)
            yield found


def _named(axes: Sequence[Axis], values: Sequence[str]) -> Combination:
    return tuple(f"{axis.path}={value}" for axis, value in zip(axes, values, strict=True))
