"""Stopping a study in good order."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def stop_requests(say: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Lets Ctrl-C and SIGTERM ask for a stop; a second one interrupts at once.

    Args:
        say: called with what to tell the user.

    Yields:
        Whether a stop was asked for. Outside the main thread nothing is caught.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        with suppress(RuntimeError):  # the signal may have come in the middle of a write
            say("stopping after this batch; once more to stop at once and lose it")

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    caught = [s for s in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(s) != signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in caught}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
