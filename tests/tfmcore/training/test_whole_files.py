"""A compiler that is interrupted leaves no file that looks done."""

import os
import signal
import subprocess
import sys

import pytest

from tests.tfmcore.training.compilers import needs_compiler
from tfmcore.training.whole_files import writes_whole_files

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="scripts of a shell do not run here")
SLOW = """#!/bin/sh
echo half > "$4"
echo begun
[ "$1" = quick ] || sleep 60
echo half >> "$4"
"""


@pytest.fixture
def slow(tmp_path):
    compiler = tmp_path / "a folder" / "slow g++"
    compiler.parent.mkdir()
    compiler.write_text(SLOW)
    compiler.chmod(0o755)
    return compiler


@pytest.mark.fault(1)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_compiler_leaves_nothing_that_looks_done(slow, tmp_path, how):
    script, made = writes_whole_files(f"'{slow}'", tmp_path / "scripts"), tmp_path / "it's.so"
    assert script.endswith("slow g++")
    command = [script, "slow", "a", "-o", made]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout.readline() == "begun\n"
        os.killpg(process.pid, how)
        assert process.wait(20) != 0
    assert not made.exists()
    subprocess.run([script, "quick", "a", "-o", made], check=True, capture_output=True)
    assert made.read_text() == "half\nhalf\n"
    assert subprocess.run([script, "quick", "-"], check=False, capture_output=True).returncode != 0


@needs_compiler
def test_it_is_the_compiler_in_all_else(tmp_path):
    script = writes_whole_files("g++ -DSEVEN=7", tmp_path)
    (tmp_path / "a b.cpp").write_text("int main() { return SEVEN; }")
    subprocess.run([script, tmp_path / "a b.cpp", "-o", tmp_path / "a b"], check=True)
    assert subprocess.run([tmp_path / "a b"], check=False).returncode == 7
    said = [
        subprocess.run([command, "--version"], capture_output=True, check=True).stdout for command in ("g++", script)
    ]
    assert said[0] == said[1]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a b", "a b.cpp", "g++"]


def test_where_no_script_can_be_written_the_compiler_is_itself(tmp_path):
    (tmp_path / "file").touch()
    assert writes_whole_files("g++", tmp_path / "file" / "folder") == "g++"
