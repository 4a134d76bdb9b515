"""Whether a processor has bf16 is read where Linux says it, and else taken to be so."""

import sys

import pytest

from tfmcore.config import processor

ZEN_3 = "flags\t\t: fpu sse2 avx avx2 bmi1 fma"


@pytest.mark.parametrize(
    ("said", "has"),
    [
        (ZEN_3, False),
        (f"{ZEN_3} avx512f avx512dq avx512bw avx512vl", True),
        (f"{ZEN_3} avx512f avx512dq", False),
        (f"{ZEN_3} avx_ne_convert", True),
        ("Features\t: fp asimd bf16", True),
        ("Features\t: fp asimd", False),
    ],
)
def test_its_features_say_it(tmp_path, monkeypatch, said, has):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{said}\n\nprocessor\t: 1\n{said}\n")
    assert processor.has_bf16.__wrapped__() is has


def test_where_there_is_no_such_file_it_is_taken_to(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "none")
    assert processor.has_bf16.__wrapped__()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_it_is_what_torch_says():
    pytest.importorskip("torch")
    from tfmcore.nn.kernels.linear import HAS_BF16

    assert processor.has_bf16() == HAS_BF16
