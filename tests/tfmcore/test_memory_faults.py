"""Whatever ran out of memory is known by its words, and how much was wanted."""

import pytest

from tfmcore.memory_faults import is_out_of_memory, missing_memory


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1048576 bytes.", "1.0 MiB"),
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 3221225472 bytes.", "3.00 GiB"),
        ("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has …", "2.00 GiB"),
        ("Unable to allocate 7.28 TiB for an array with shape (9,)", "7.28 TiB"),
        ("Cannot allocate memory", ""),
    ],
)
def test_what_could_not_be_had_is_told_in_large_units(words, missing):
    assert is_out_of_memory(RuntimeError(words))
    assert missing_memory(RuntimeError(words)) == missing


def test_other_errors_are_none_of_memory():
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))
