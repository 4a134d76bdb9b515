"""Every option: it says what it is for, its default passes its own check, and each bound holds."""

import re
from pathlib import Path

import pytest

import tfmcore
from tfmcore.config import Config, options

OPTIONS = {option.path: option for option in options()}
NUMBERS = {path: option for path, option in OPTIONS.items() if option.kind in ("int", "float")}
WRONG = {"bool": "perhaps", "int": "many", "float": "much", "str": 3, "choice": "nonsense", "list": "a", "table": "b"}


def each(table):
    return pytest.mark.parametrize("option", table.values(), ids=table)


def problem_of(option, value):
    problem = option.problem(value)
    assert problem is not None, f"{option.path} = {value!r} was accepted"
    assert problem.field == option.path
    assert "\n" not in problem.reason
    return problem


@each(OPTIONS)
def test_explains_itself(option):
    assert option.title
    assert option.help.endswith((".", "…"))
    assert "\n" not in option.help
    assert option.paper == "" or option.paper.startswith("https://")
    assert option.kind in WRONG


@each(OPTIONS)
def test_default_passes_its_own_check(option):
    assert option.problem(option.default) is None
    assert (option.default is None) == option.optional


@each(OPTIONS)
def test_value_of_another_type_is_named(option):
    nearest = problem_of(option, WRONG[option.kind]).nearest
    assert nearest is None or nearest in option.choices or option.problem(nearest) is None
    assert isinstance(nearest, list) or option.kind != "list"


@each(NUMBERS)
def test_bounds(option):
    assert option.minimum is not None
    assert option.maximum is not None
    for bound, outside, exclusive in (
        (option.minimum, option.minimum - 1, option.exclusive_minimum),
        (option.maximum, option.maximum + 1, option.exclusive_maximum),
    ):
        beyond = problem_of(option, bound if exclusive else outside)
        assert "must be" in beyond.reason
        assert beyond.nearest == (option.default if exclusive else bound)
        if not exclusive:
            within = option.problem(bound)
            assert within is None or "out of range" not in within.reason  # it may still clash with another field


@each(NUMBERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), True], ids=str)
def test_no_number_is_refused(option, value):
    problem_of(option, value)


@each(OPTIONS)
def test_number_of_thousands_of_digits_is_refused(option):
    assert len(str(problem_of(option, 16**5000))) < 300


@each({path: option for path, option in NUMBERS.items() if option.kind == "int"})
def test_fraction_is_rounded_into_the_bounds(option):
    for value in (option.minimum + 0.5, option.maximum + 0.7, option.minimum - 2.5):
        nearest = problem_of(option, value).nearest
        assert isinstance(nearest, int)
        assert option.minimum <= nearest <= option.maximum


@each({path: option for path, option in OPTIONS.items() if option.kind == "choice"})
def test_every_choice_is_accepted_and_a_slip_finds_it(option):
    for choice in option.choices:
        clash = option.problem(choice)
        assert clash is None or "is not one of" not in clash.reason
        if len(choice) > 3:
            assert problem_of(option, choice[:-1] + "~").nearest in option.choices


@each({path: option for path, option in OPTIONS.items() if option.kind == "list" and option.choices})
def test_a_list_of_choices_takes_each_once_and_no_more_than_it_can_have(option):
    choices, most = list(option.choices), option.max_items or len(option.choices)
    for choice in choices:
        assert option.problem([choice]) is None
        slip = problem_of(option, [choice[:-1] + "~"])
        assert "is not one of" in slip.reason
        assert slip.nearest == [choice]
        assert problem_of(option, choice).nearest == [choice]
        twice = problem_of(option, [choice, choice])
        assert (twice.reason, twice.nearest) == (f"names {choice} twice", [choice])
    many = problem_of(option, [*choices[:most], choices[-1]])
    assert (many.reason, many.nearest) == (f"must have at most {most} items", choices[:most])
    assert problem_of(option, [choices[1], 3]).nearest == [choices[1]]
    assert problem_of(option, ["?"]).nearest == option.default


def test_sections_and_their_order():
    assert [option.section for option in options("model")] == ["model"] * len(options("model"))
    assert list(OPTIONS) == [option.path for section in Config.model_fields for option in options(section)]


def test_each_section_has_essentials():
    for section in Config.model_fields:
        assert any(option.essential for option in options(section)), section


def test_each_is_read_somewhere():
    code = "".join(path.read_text("utf-8") for path in Path(tfmcore.__file__).parent.rglob("*.py"))
    assert [path for path, option in OPTIONS.items() if not re.search(rf"\.{option.name}\b", code)] == []
