"""A GPU is known by what its driver and torch have left on the disk."""

import sys
from types import SimpleNamespace

import pytest

from tfmcore.config import cuda


@pytest.mark.parametrize(
    ("driver", "built", "found"),
    [
        (True, "cuda: Optional[str] = '13.0'", True),
        (True, "cuda: Optional[str] = None", False),
        (True, "cuda = '12.8'", True),
        (False, "cuda: Optional[str] = '13.0'", False),
    ],
)
def test_a_driver_and_a_torch_that_was_built_for_it(tmp_path, monkeypatch, driver, built, found):
    (tmp_path / "version.py").write_text(f"__all__ = ['cuda']\n{built}\nhip: Optional[str] = None\n")
    if driver:
        (tmp_path / "driver").touch()
    monkeypatch.setitem(cuda.DRIVERS, sys.platform, (tmp_path / "none", tmp_path / "driver"))
    monkeypatch.setattr(cuda.importlib.util, "find_spec", lambda name: SimpleNamespace(origin=tmp_path / "__init__.py"))
    assert cuda.has_cuda.__wrapped__() is found


def test_where_torch_is_not_installed_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setitem(cuda.DRIVERS, sys.platform, (tmp_path,))
    monkeypatch.setattr(cuda.importlib.util, "find_spec", lambda name: None)
    assert not cuda.has_cuda.__wrapped__()


def test_it_is_what_torch_says():
    torch = pytest.importorskip("torch")
    assert cuda.has_cuda() == torch.cuda.is_available()
