"""Starts guarded programs, and knows all that run so that all can be ended."""

import os
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from pathlib import Path

from accel_dse.errors import OptionError, SimulatorError, SimulatorTimeoutError
from accel_dse.simulators.guarded import Guarded
from accel_dse.simulators.protocol import quote

PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ")
"""Environment variables that every program gets. Others hold tokens and surprises."""


class Launcher:
    """Starts programs alike.

    Args:
        environment: names of variables to pass on, besides `PASSED_ON`.
        memory_mib: limit for each process, and for all of one program; 0 for none.
        grace_s: time between asking a process to end and killing it.
        keep: whether the directories that programs run in stay.
    """

    def __init__(
        self, *, environment: Iterable[str], memory_mib: int, grace_s: float, keep: bool
    ) -> None:
        names = [name for name in (*PASSED_ON, *environment) if name in os.environ]
        # A Python program that forgets to flush would wait for ever, and so would the study.
        self._environment = {"PYTHONUNBUFFERED": "1", **{name: os.environ[name] for name in names}}
        self._memory_mib, self._grace_s, self._keep = memory_mib, grace_s, keep
        self._lock = threading.Lock()
        self._running: set[Guarded] = set()
        self.closed = threading.Event()
        weakref.finalize(self, _end, self._running, os.getpid())

    def start(
        self, command: Sequence[str], directory: Path, files: Mapping[str, str] | None = None
    ) -> Guarded:
        """Starts `command` in a new `directory` that holds `files`.

        Raises:
            CancelledError: it is too late to start anything.
            OptionError: this machine has no room for a process or a file.
        """
        with self._lock:
            if self.closed.is_set():
                raise CancelledError
            try:
                child = Guarded(
                    command,
                    directory=directory,
                    environment=self._environment,
                    files=files,
                    keep=self._keep,
                    memory_mib=self._memory_mib,
                    grace_s=self._grace_s,
                )
            except OSError as error:
                raise OptionError(f"cannot start {command[0]}: {error}") from error
            self._running.add(child)
        return child

    def end(self, child: Guarded) -> None:
        """Ends one program."""
        child.end()
        with self._lock:
            self._running.discard(child)

    def close(self) -> None:
        """Ends all programs, now or as soon as the threads that use them notice."""
        self.closed.set()
        with self._lock:
            for child in self._running:
                child.hang_up()


def silence(child: Guarded, timeout_s: float, said_bytes: int = 0) -> SimulatorError:
    """Why `child` gave no answer; ends it.

    Args:
        child: the silent one.
        timeout_s: how long it was allowed.
        said_bytes: what it had written to its standard error before it was asked.
    """
    ending = child.end()
    begun = child.unread().strip()
    why = {
        "exit": f"ended {'in the middle of' if begun else 'without'} an answer: {ending}",
        "timeout": f"no answer within {timeout_s:g} s",
        "memory": f"used more than {child.memory_mib} MiB of memory",
        "closed": "closed its output without an answer",
    }.get(ending.cause, f"was lost with its guard: {ending}")
    lines = child.errors.text().splitlines() if child.errors.total_bytes > said_bytes else []
    if last := next((quote(line) for line in reversed(lines) if quote(line)), ""):
        why += f"; it last wrote {last!r}"
    return SimulatorTimeoutError(why) if ending.cause == "timeout" else SimulatorError(why)


def _end(running: set[Guarded], owner: int) -> None:
    if os.getpid() == owner:  # a fork has a copy of everything, and no right to it
        for child in running:
            child.hang_up()
        for child in running:
            child.end()
