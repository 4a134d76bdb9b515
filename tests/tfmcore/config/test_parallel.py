"""What processes can share, and what is said where they cannot: with the nearest value that they can."""

import math

import pytest

from tfmcore.config import Config
from tfmcore.config.config import find_problems
from tfmcore.config.parallel import data_parallel_size, default_sizes, sizes, stage_layers

MODEL = {"d_model": 48, "num_heads": 6, "num_layers": 3, "d_ff": 96}


def problems(model=(), **training) -> dict:
    raw = {"model": {**MODEL, **dict(model)}, "training": {"batch_size": 12, **training}}
    return {problem.field: problem for problem in find_problems(raw)}


@pytest.mark.parametrize(
    ("training", "field", "nearest"),
    [
        ({"parallel": ["dta"]}, "parallel", ["data"]),
        ({"parallel": ["data", "data"]}, "parallel", ["data"]),
        ({"parallel": ["fsdp", "pipeline"]}, "parallel", ["fsdp"]),
        ({"parallel": ["data", "tensor"], "num_processes": 3}, "num_processes", 4),
        ({"parallel": ["data", "tensor"], "num_processes": 4, "parallel_sizes": [4]}, "parallel_sizes", [2, 2]),
        ({"parallel": ["data", "tensor"], "num_processes": 12, "parallel_sizes": [2, 3]}, "parallel_sizes", [3, 4]),
        ({"parallel": ["data", "tensor"], "num_processes": 4, "parallel_sizes": [1, 4]}, "parallel_sizes", [2, 2]),
        ({"parallel": ["tensor"], "num_processes": 4}, "num_processes", 3),
        ({"parallel": ["pipeline"], "num_processes": 5}, "num_processes", 3),
        ({"parallel": ["data"], "num_processes": 5}, "batch_size", 15),
        ({"parallel": ["data", "fsdp"], "num_processes": 8}, "batch_size", 16),
        ({"parallel": ["tensor"], "optimizer": "muon"}, "optimizer", "adamw"),
        ({"parallel": ["fsdp"], "ema_decay": 0.9}, "ema_decay", 0.0),
        ({"parallel": ["pipeline"], "precision": "fp16"}, "precision", "bf16"),
        ({"parallel": ["fsdp"], "lora_rank": 2, "finetune_from": "x"}, "lora_rank", 0),
        ({"parallel": ["data"], "device": "mps"}, "device", "cpu"),
    ],
)
def test_what_cannot_be_shared_is_named_with_the_nearest_that_can(training, field, nearest):
    found = problems(**training)
    assert list(found) == [f"training.{field}"]
    assert found[f"training.{field}"].nearest == nearest
    if field not in ("parallel_sizes", "num_processes"):
        assert not problems(**{**training, field: nearest, "num_processes": training.get("num_processes", 2)})


def test_a_mended_number_of_processes_is_valid():
    assert not problems(parallel=["tensor"], num_processes=3)
    assert not problems(parallel=["pipeline"], num_processes=3)
    assert not problems(parallel=["tensor", "data"], num_processes=6, parallel_sizes=[3, 2])


@pytest.mark.parametrize("given", [{"tensor": 4}, {"tensor": 4, "data": 2}, {"data": 2, "pipeline": 5}])
def test_given_sizes_and_their_product_become_smaller_together(given):
    training = {"parallel": list(given), "parallel_sizes": list(given.values())}
    found = problems(**training, num_processes=math.prod(given.values()))
    assert list(found) == ["training.parallel_sizes", "training.num_processes"]
    sizes, number = (problem.nearest for problem in found.values())
    assert sizes == [3 if kind != "data" else 2 for kind in given]
    assert not problems(parallel=list(given), parallel_sizes=sizes, num_processes=number)


def test_one_head_cannot_be_shared():
    found = problems({"num_kv_heads": 1}, parallel=["data", "tensor"], num_processes=4)
    assert found["training.parallel"].nearest == ["data"]
    assert "1 key/value heads" in found["training.parallel"].reason


def test_one_process_has_no_such_problems():
    assert not problems({"num_kv_heads": 1}, num_processes=7, parallel_sizes=[3], optimizer="muon")


def test_without_sizes_two_kinds_share_evenly():
    assert [default_sizes(2, number) for number in (4, 6, 8, 12)] == [[2, 2], [2, 3], [2, 4], [3, 4]]
    config = Config.parse({"training": {"parallel": ["tensor", "data"], "num_processes": 8, "batch_size": 8}})
    assert sizes(config.training) == {"data": 4, "tensor": 2}
    assert list(sizes(config.training)) == ["data", "tensor"]
    assert data_parallel_size(config.training) == 4
    assert sizes(Config().training) == {}


def test_stages_have_layers_as_evenly_as_can_be():
    assert stage_layers(7, 3) == [range(3), range(3, 5), range(5, 7)]
    assert stage_layers(2, 2) == [range(1), range(1, 2)]
