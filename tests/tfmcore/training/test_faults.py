"""Why a run could not go on, in one sentence."""

import pytest
import torch

from tfmcore.config import TrainingConfig, UserError
from tfmcore.training.faults import Failure, exit_code, failed, is_out_of_memory, readable


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
        (lambda: bytearray(2**60), "what it needs"),
    ],
)
def test_too_little_memory_says_how_much_and_what_would_fit(error, amount):
    with pytest.raises((RuntimeError, MemoryError)) as raised:
        error()
    assert is_out_of_memory(raised.value)
    sentence = failed(1, raised.value, TrainingConfig(batch_size=12, accumulation=2)).sentence
    assert amount in sentence or "GiB more could not be had" in sentence
    assert "training.batch_size=6 with training.accumulation=4" in sentence
    assert "training.gradient_checkpointing=true" in sentence


def test_the_last_resort_is_a_smaller_model():
    training = TrainingConfig(batch_size=1, gradient_checkpointing=True)
    error = RuntimeError("CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has …")
    assert failed(1, error, training).sentence == (
        "memory ran out after step 1: 1.50 GiB more could not be had; try a smaller model or a shorter context"
    )
    assert [readable(amount) for amount in ("1048576 bytes", "3221225472 bytes", "2.00 GiB")] == [
        "1.0 MiB",
        "3.00 GiB",
        "2.00 GiB",
    ]
