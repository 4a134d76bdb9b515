"""What a source holds at a glance, and what is wrong with it, as sentences."""

import pytest

from tfmcore.config import DataConfig
from tfmcore.config.sources import SOURCES as FACTS
from tfmcore.data.preview import preview

EVERYTHING = [(source, task) for source, facts in FACTS.items() if source != "file" for task in facts.tasks]


@pytest.mark.parametrize(("source", "task"), EVERYTHING)
def test_every_source_is_shown(source, task):
    shown = preview(DataConfig(source=source, task=task), rows=5)
    assert len(shown.rows) == 5
    assert all(len(row) == len(shown.columns) for row in shown.rows)
    assert set(shown.roles.values()) <= set(shown.columns)
    assert min(shown.lengths) > 0


def test_a_table_shows_all_its_columns(file, letters):
    path = file("a.csv", "id,text,label\n1,abc,x\n2,defgh,y\n")
    data = DataConfig(source="file", task="classification", path=str(path))
    shown = preview(data, letters)
    assert shown.columns == ["id", "text", "label"]
    assert shown.roles == {"text": "text", "label": "label"}
    assert shown.rows == [["1", "abc", "x"], ["2", "defgh", "y"]]
    assert (shown.num_examples, shown.lengths, shown.problems) == (2, [3, 5], [])


def test_a_large_file_is_read_at_its_head_only(file):
    path = file("a.txt", "a line\n" * 500_000)
    shown = preview(DataConfig(source="file", path=str(path)))
    assert shown.num_examples is None
    assert shown.problems == ["only the first 1,000 rows were read, of about 500,000"]


def test_wrong_columns_are_said_and_the_right_ones_shown(file):
    path = file("a.csv", "text,label\n" + "a,b\n" * 5)
    data = DataConfig(source="file", task="classification", path=str(path), header="yes", columns={"label": "nope"})
    shown = preview(data)
    assert shown.columns == ["text", "label"]
    assert "no column 'nope'" in shown.problems[0]


@pytest.mark.parametrize(
    ("content", "task", "sentence"),
    [
        ("", "language_modeling", "there are no examples"),
        ("text", "classification", "needs a table"),
        ("caf\xe9".encode("latin-1"), "language_modeling", "byte 3"),
    ],
)
def test_what_is_wrong_is_a_sentence(content, task, sentence, file):
    shown = preview(DataConfig(source="file", task=task, path=str(file("a.txt", content))))
    assert sentence in shown.problems[0]


def test_parallel_files_are_shown_side_by_side(file):
    paths = {"path": str(file("a.txt", "eins\nzwei\n")), "target_path": str(file("b.txt", "one\ntwo\n"))}
    shown = preview(DataConfig(source="file", task="translation", **paths))
    assert shown.rows == [["eins", "one"], ["zwei", "two"]]
