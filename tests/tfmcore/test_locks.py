"""A file that one process has for itself, also as Windows has it."""

import errno
import sys
from types import SimpleNamespace

from tfmcore import locks
from tfmcore.locks import held, take


def test_one_at_a_time_has_it(tmp_path):
    with held(tmp_path / "lock", 0.0) as ours:
        assert ours
        with held(tmp_path / "lock", 0.0) as also:
            assert not also
    with held(tmp_path / "lock", 0.0) as ours:
        assert ours


def test_what_another_has_on_windows_is_not_taken_for_a_broken_disk(tmp_path, monkeypatch):
    def locking(descriptor, mode, size):
        raise OSError(errno.EACCES, "Permission denied")  # what its C library says of a byte that is locked

    monkeypatch.setattr(locks, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))
    with open(tmp_path / "lock", "wb") as file:
        assert not take(file.fileno())
