"""Where to compute, and with how many threads."""

from contextlib import suppress

import pytest
import torch

from tfmcore.config import UserError
from tfmcore.training.controls import Controls
from tfmcore.training.devices import choose_device, choose_threads, threads_chosen
from tfmcore.training.trainer import TransformerTrainer


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(UserError, match="there is no cuda here; this machine has cpu"):
        choose_device("cuda")


@pytest.mark.parametrize(("num_gpus", "auto"), [(0, "cpu"), (1, "cpu"), (2, "cuda"), (4, "cuda")])
def test_processes_that_share_a_training_have_a_gpu_each_or_none(monkeypatch, num_gpus, auto):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: num_gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto", num_sharing=2).type == auto
    assert choose_device("auto").type == ("cuda" if num_gpus else "mps")
    if num_gpus >= 2:
        assert choose_device("cuda", num_sharing=2).type == "cuda"
    else:
        reason = (
            "need a GPU each, and this machine has 1" if num_gpus else "there is no cuda here; this machine has cpu"
        )
        with pytest.raises(UserError, match=reason):
            choose_device("cuda", num_sharing=2)
    with pytest.raises(UserError, match="there is no mps here"):
        choose_device("mps", num_sharing=2)


def test_a_device_that_is_not_there_is_refused_before_the_data_are_read(make_run, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run, phases = make_run("reverse", "training.device=cuda"), []
    with pytest.raises(UserError, match="there is no cuda here"):
        TransformerTrainer.prepare(
            run.config(), run, Controls(run.folder), lambda phase, done, total: phases.append(phase)
        )
    assert phases == []


def test_threads_are_as_wanted_or_one_a_core():
    before = torch.get_num_threads()
    try:
        assert choose_threads(3) == torch.get_num_threads() == 3
        assert choose_threads(None) >= 1
    finally:
        torch.set_num_threads(before)


def test_a_piece_of_work_leaves_the_threads_as_they_were():
    before = torch.get_num_threads()
    with suppress(RuntimeError), threads_chosen(before + 1):
        assert torch.get_num_threads() == before + 1
        raise RuntimeError
    assert torch.get_num_threads() == before
