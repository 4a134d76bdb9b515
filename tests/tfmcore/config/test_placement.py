"""Who holds what, in numbers and in words. That the processes do hold it is seen where they are tested."""

import sys
from subprocess import run

import pytest

from tfmcore.config import Config
from tfmcore.config.parallel import chunk_range, num_micro_batches
from tfmcore.config.placement import held_by, layout_words, num_processes, place_of, share_of, stage_of

MODEL = {"d_model": 48, "num_heads": 6, "num_layers": 3, "d_ff": 96}
BOTH = {"architecture": "encoder_decoder", "num_layers": 2, "num_decoder_layers": 2}


def config(parallel: list[str], number: int, model: dict | None = None, **training: object) -> Config:
    task = {"data": {"source": "cldr_translation", "task": "translation"}} if model and "architecture" in model else {}
    shared = {"parallel": parallel, "num_processes": number, "batch_size": 12, **training}
    return Config.parse({"model": MODEL | (model or {}), "training": shared} | task)


def words(made: Config) -> list[list[str]]:
    return [[h.sentence for h in held_by(made, share_of(made, r))] for r in range(num_processes(made.training))]


@pytest.mark.parametrize(
    ("parallel", "number", "expected"),
    [
        (["data"], 3, ["a full copy of the model", "examples 5–8 of 12"]),
        (["fsdp"], 4, ["1/4 of each weight (shard 2)", "examples 4–6 of 12"]),
        (["tensor"], 3, ["heads 3–4 of 6", "features 33–64 of 96", "all 12 examples"]),
        (["pipeline"], 3, ["layer 2", "all 12 examples"]),
        (["data", "fsdp"], 4, ["1/2 of each weight (shard 2)", "examples 4–6 of 12"]),
        (["tensor", "data"], 4, ["heads 4–6 of 6", "features 49–96 of 96", "examples 1–6 of 12"]),
        (["pipeline", "data"], 4, ["embedding, layers 1–2", "examples 7–12 of 12"]),
    ],
)
def test_what_the_second_process_holds_in_words(parallel, number, expected):
    assert words(config(parallel, number))[1] == expected


def test_key_value_heads_are_told_apart_where_they_are_fewer():
    found = words(config(["tensor"], 2, {"num_kv_heads": 2}))[1]
    assert found[:2] == ["heads 4–6 of 6", "key/value head 2 of 2"]


def test_stages_of_both_stacks_in_words():
    found = [held[0] for held in words(config(["pipeline"], 3, BOTH))]
    assert found == ["embedding, encoder layers 1–2", "embedding, decoder layer 1", "decoder layer 2, head"]
    assert [held[0] for held in words(config(["pipeline"], 2))] == ["embedding, layers 1–2", "layer 3, head"]


@pytest.mark.parametrize("parallel", [["data"], ["fsdp"], ["tensor"], ["pipeline"]])
def test_the_bars_of_all_processes_make_a_whole(parallel):
    made = config(parallel, 3)
    bars = [[(h.start, h.stop) for h in held_by(made, share_of(made, r)) if h.kind == parallel[0]] for r in range(3)]
    parts = [bar[-1] for bar in bars]
    assert parts[0][0] == 0.0
    assert parts[-1][1] == 1.0
    assert [stop for _, stop in parts[:-1]] == [start for start, _ in parts[1:]]


def test_neighbours_are_those_of_the_last_kind():
    found = [place_of(rank, {"data": 2, "tensor": 3}) for rank in range(6)]
    assert [place["tensor"] for place in found] == [0, 1, 2, 0, 1, 2]
    assert [place["data"] for place in found] == [0, 0, 0, 1, 1, 1]
    assert list(found[0]) == ["data", "tensor"]
    shared = config(["tensor", "data"], 6, parallel_sizes=[3, 2])
    assert layout_words(shared.training) == "6 processes: data 2 × tensor 3"


def test_one_stage_is_everything():
    stage = stage_of(config([], 2, BOTH).model)
    assert stage.is_first
    assert stage.is_last
    assert stage.writes
    assert stage.begins_writing
    assert stage.layers == {"encoder": range(2), "decoder": range(2)}


def test_pieces():
    assert [list(chunk_range(5, index, 3)) for index in range(3)] == [[0, 1], [2, 3], [4]]
    assert [list(chunk_range(2, index, 3)) for index in range(3)] == [[0], [1], []]
    assert num_micro_batches(12, 2) == 6
    assert num_micro_batches(7, 2) == 7


def test_it_loads_no_torch():
    code = "import sys; import tfmcore.config.placement; sys.exit('torch' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0
