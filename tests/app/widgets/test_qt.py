"""The Qt binding that is installed is one on which a window can live."""

import sys

from PySide6.QtCore import QRectF


def test_calls_do_not_use_up_none() -> None:
    """PySide6 6.12.0 on Python 3.11 drops a reference to None with every call: the window dies within minutes."""
    rect, times = QRectF(), 200
    before = sys.getrefcount(None)
    for width in range(times):
        rect.setWidth(width)
    assert sys.getrefcount(None) > before - times // 2
