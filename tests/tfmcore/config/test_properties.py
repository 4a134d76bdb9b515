"""Whatever is in a config: valid ones survive their file, and the values offered for wrong ones lead to a valid one."""

import math
import string
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tfmcore.config import LANGUAGES, Config, UserError, apply_overrides, find_problems, load_config, options, to_toml

SETTINGS = settings(max_examples=100)
NEAREST_ROUNDS = 5
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def within(option):
    """Values that are right for the option alone."""
    match option.kind:
        case "choice":
            return st.sampled_from(option.choices)
        case "bool":
            return st.booleans()
        case "int":
            return st.integers(int(option.minimum), int(min(option.maximum, 4 * max(option.default or 0, 64))))
        case "float":
            return st.floats(
                option.minimum,
                option.maximum,
                exclude_min=option.exclusive_minimum,
                exclude_max=option.exclusive_maximum,
            )
        case "table":
            return st.dictionaries(st.sampled_from(["text", "label", "a b", "ä"]), text, max_size=3)
        case "list" if option.name == "languages":
            return st.lists(st.sampled_from(sorted(LANGUAGES)), min_size=2, max_size=5)
        case "list" if option.choices:
            return st.lists(st.sampled_from(option.choices), unique=True, max_size=option.max_items)
        case "list":
            return st.lists(text, max_size=3)
        case _:
            return st.just("en") if option.name.endswith("language") else text


def anything():
    numbers = st.integers() | st.floats() | st.sampled_from([0, -1, 10**12, math.nan, math.inf])
    return st.none() | st.booleans() | numbers | text | st.lists(text, max_size=2) | st.dictionaries(text, text)


def raws(values):
    """Raw configs of a few options, each with a value from `values(option)`."""
    chosen = st.lists(st.sampled_from(options()), max_size=8, unique_by=lambda option: option.path)
    return chosen.flatmap(lambda some: st.tuples(*(st.tuples(st.just(option), values(option)) for option in some))).map(
        lambda pairs: {
            section: {option.name: value for option, value in pairs if option.section == section}
            for section in Config.model_fields
        }
    )


def mended(raw, problem):
    """`raw` with the nearest value put in, or the field left out where there is none."""
    section, _, name = problem.field.partition(".")
    values = {key: value for key, value in raw.get(section, {}).items() if key != name}
    if problem.nearest is not None:
        values[name] = problem.nearest
    elif name == "path":
        values[name] = "a.txt"
    return {**raw, section: values}


def mend(raw):
    """A valid config, by taking every nearest value for a few rounds."""
    for _ in range(NEAREST_ROUNDS):
        problems = find_problems(raw)
        if not problems:
            return Config.parse(raw)
        for problem in problems:
            raw = mended(raw, problem)
    raise AssertionError(f"still wrong after {NEAREST_ROUNDS} rounds: {find_problems(raw)} in {raw}")


@SETTINGS
@given(raws(within))
def test_nearest_values_lead_to_a_valid_config_that_survives_its_file(raw):
    config = mend(raw)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.toml"
        path.write_text(to_toml(config, comments=True), encoding="utf-8")
        assert load_config(path) == config


@SETTINGS
@given(raws(lambda option: within(option) | anything()))
def test_nearest_values_mend_anything(raw):
    assert find_problems(mend(raw).raw()) == []


@SETTINGS
@given(st.dictionaries(text, anything() | st.dictionaries(text, anything(), max_size=3), max_size=3))
def test_any_table_is_a_config_or_has_problems(raw):
    for problem in find_problems(raw):
        assert problem.field or "" in raw
        assert len(str(problem)) < 2000


@SETTINGS
@given(st.lists(text | st.from_regex(r"(model|data|nothing)\.[a-z_]+=.*", fullmatch=True), max_size=3))
def test_overrides_are_taken_or_refused_in_a_sentence(overrides):
    raw = {}
    with suppress(UserError):
        apply_overrides(raw, overrides)
        find_problems(raw)


@SETTINGS
@given(st.text(string.printable, max_size=60))
def test_value_of_a_text_option_is_taken_as_it_stands(value):
    raw = {}
    apply_overrides(raw, [f"data.path={value}"])
    assert isinstance(raw.get("data", {}).get("path", ""), str)
