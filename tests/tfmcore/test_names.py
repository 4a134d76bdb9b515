"""The names of the literature import from `tfmcore`, which loads no torch until one of them is used."""

import ast
import inspect
import sys
from subprocess import run

import pytest

import tfmcore


def test_importing_loads_no_torch() -> None:
    code = "import sys, tfmcore; dir(tfmcore); sys.exit('torch' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", tfmcore.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(tfmcore, name).__name__ == name
    assert name in dir(tfmcore)


def test_editors_know_the_same_names() -> None:
    tree = ast.parse(inspect.getsource(tfmcore))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    names = [alias.name for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(names) == sorted(tfmcore.__all__)


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Perceiver'"):
        _ = tfmcore.Perceiver  # type: ignore[attr-defined]
