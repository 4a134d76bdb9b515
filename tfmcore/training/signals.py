"""The signals that ask a run for a stop."""

import _thread
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psutil

from tfmcore.data.progress import Cancelled

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""The last one is Windows' Ctrl-Break."""
LISTENING_SECONDS = 0.2


@contextlib.contextmanager
def stop_signals(ask: Callable[[], None]) -> Iterator[None]:
    """Within, Ctrl-C, SIGTERM and a closed terminal `ask`. What nohup has started lives on without its terminal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    if before.get(getattr(signal, "SIGHUP", None)) is signal.SIG_IGN:
        del before[signal.SIGHUP]
    for number in before:
        signal.signal(number, lambda *_: ask())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interrupting(asked: Callable[[], bool]) -> Iterator[None]:
    """Within, where something is at work for long that listens to nobody, as a compiler is, Ctrl-C comes once a stop is
    `asked` for, which a thread finds out: as in a terminal, to what this process has started, too. What fails for that
    has not failed: it ends in Cancelled."""
    main, ended = threading.main_thread(), threading.Event()
    if threading.current_thread() is not main:
        yield
        return

    def listen() -> None:
        while not ended.wait(LISTENING_SECONDS):
            if asked():
                for child in psutil.Process().children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        child.terminate() if sys.platform == "win32" else child.send_signal(signal.SIGINT)
                if sys.platform == "win32":
                    _thread.interrupt_main()
                else:
                    signal.pthread_kill(main.ident or 0, signal.SIGINT)  # it may be waiting for a child
                return

    listener = threading.Thread(target=listen, name="listener", daemon=True)
    listener.start()
    try:
        yield
    except Exception:
        time.sleep(LISTENING_SECONDS)  # the signal that ended what was started may still be on its way here
        raise
    finally:
        ended.set()
        listener.join()
        if asked():
            raise Cancelled
