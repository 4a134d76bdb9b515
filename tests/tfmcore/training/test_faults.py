"""Why a run could not go on, in one sentence."""

import pytest
import torch

from tfmcore.config import Config, UserError
from tfmcore.config.memory import memory_to_train
from tfmcore.config.resuming import changed
from tfmcore.memory_faults import is_out_of_memory
from tfmcore.training import faults
from tfmcore.training.faults import Failure, exit_code, failed, memory_of_a_step, smaller_step


def config(**training: object) -> Config:
    return Config().replaced(**{f"training__{name}": value for name, value in training.items()})


def test_bad_input_ends_with_its_own_sentence_and_code_2():
    error = UserError("line 3 has no label", "the line")
    event = failed(4, error)
    assert (event.step, event.sentence, event.details) == (4, "line 3 has no label", "the line")
    assert (exit_code(error), exit_code(Failure("the disk is full")), exit_code(ValueError())) == (2, 1, 1)


def test_the_unexpected_is_named_with_its_traceback():
    try:
        {}["missing\nkey"]
    except KeyError as error:
        event = failed(4, error)
    assert event.sentence.startswith("training ended unexpectedly after step 4: KeyError:")
    assert "\n" not in event.sentence
    assert "Traceback" in event.details


@pytest.mark.parametrize(
    ("error", "amount"),
    [
        (lambda: torch.empty(2**50), "4.00 PiB"),
        (lambda: bytearray(2**60), "could not allocate more"),
    ],
)
def test_too_little_memory_says_how_much_and_what_would_fit(error, amount, monkeypatch):
    with pytest.raises((RuntimeError, MemoryError)) as raised:
        error()
    assert is_out_of_memory(raised.value)
    monkeypatch.setattr(faults, "memory_of_a_step", lambda error: 0)
    event = failed(1, raised.value, config(batch_size=12, accumulation=2))
    assert amount in event.sentence or "could not allocate another" in event.sentence
    least = ["training.batch_size=1", "training.accumulation=24", "training.gradient_checkpointing=true"]
    assert event.remedy == least
    assert f"the same step needs the least memory with {' and '.join(least)}" in event.sentence
    monkeypatch.setattr(faults, "memory_of_a_step", lambda error: 2**40)
    event = failed(1, raised.value, config(batch_size=12, accumulation=2))
    assert "the same step fits in memory with training.batch_size=8 and training.accumulation=3" in event.sentence


def test_the_remedy_is_the_largest_batch_that_fits_or_layers_computed_twice():
    design = config(batch_size=12)
    limit = memory_to_train(design.replaced(training__batch_size=4, training__accumulation=3))
    assert smaller_step(design, limit) == (["training.batch_size=4", "training.accumulation=3"], True)
    assert memory_to_train(design) > limit
    least = memory_to_train(design.replaced(training__batch_size=1, training__accumulation=12))
    checkpointed, fits = smaller_step(design, 0.9 * least)
    assert fits
    assert "training.gradient_checkpointing=true" in checkpointed
    assert 0 < memory_of_a_step(MemoryError()) < 2**45


@pytest.mark.parametrize(("batch_size", "accumulation"), [(12, 4096), (6000, 3)])
def test_the_remedy_is_one_that_a_run_can_be_changed_to(batch_size, accumulation):
    design = config(batch_size=batch_size, accumulation=accumulation)
    remedy, _ = smaller_step(design, 0)
    assert remedy
    assert changed(design, remedy).training.sequences_per_step == batch_size * accumulation


def test_what_needs_no_less_than_now_is_no_remedy():
    """Gradients of a batch before take more than the activations of half a batch."""
    design = config(batch_size=2, shares=1).replaced(model__context_length=2, model__num_layers=1, model__d_model=512)
    remedy, fits = smaller_step(design, 1e12)
    assert not fits
    assert remedy == []


@pytest.mark.parametrize(("fraction", "limit"), [(1.0, 2 + 3), (0.25, 4)])
def test_what_fits_a_gpu_is_told_by_what_it_has(monkeypatch, fraction, limit):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (3 * 2**30, 16 * 2**30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 2 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda: fraction)
    assert memory_of_a_step(torch.OutOfMemoryError("CUDA out of memory.")) == faults.SURE * limit * 2**30


def test_processes_on_one_machine_share_what_is_free(monkeypatch):
    monkeypatch.setattr(faults, "free_memory", lambda: 2**50)
    alone = memory_of_a_step(MemoryError())
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert memory_of_a_step(MemoryError()) == pytest.approx(alone / 4, rel=1e-3)


def test_the_last_resort_is_a_smaller_model():
    training = config(batch_size=1, gradient_checkpointing=True)
    error = RuntimeError("CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has …")
    assert failed(1, error, training).sentence == (
        "memory ran out after step 1: could not allocate another 1.50 GiB; try a smaller model or a shorter context"
    )
