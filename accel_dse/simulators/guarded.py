"""The study's end of a guarded command: started, talked to in lines, and always ended."""

import os
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from accel_dse.simulators import guard

Cause = Literal["exit", "timeout", "memory", "closed", "orphaned", "lost"]
"""Why a command is no more: it ended itself; it took too long, or too much memory; its study ended
it, or died; or its guard was killed."""

KEPT_BYTES = 64 * 1024
"""Of each output stream, this much of the beginning and of the end stays for a post-mortem."""

LONGEST_LINE = 1024 * 1024
"""Characters; an answer takes a few hundred."""

LOOK_S = 0.1
"""How long to read what a program says unasked, before that counts as saying too much."""

LATE_S = 30.0
"""How long after the guard should have acted to wait for it: on an overloaded machine it may not
get to run for seconds, and who gives up on a guard gives up on all that it would have ended."""


@dataclass(frozen=True)
class Ending:
    """How a command ended.

    Attributes:
        cause: why.
        code: its exit code, minus the signal's number if a signal ended it.
    """

    cause: Cause
    code: int

    def __str__(self) -> str:
        if self.code >= 0:
            return f"exit status {self.code}"
        try:
            return f"killed by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"killed by signal {-self.code}"


class HeadAndTail:
    """The first and the last bytes of a stream, however long it is."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self.total_bytes = 0
        self._kept_bytes = kept_bytes
        self._head, self._tail = bytearray(), bytearray()

    def add(self, data: bytes) -> None:
        """Takes in what was read next."""
        self.total_bytes += len(data)
        room = self._kept_bytes - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._kept_bytes:  # not at every read, or each would copy it all
            del self._tail[: -self._kept_bytes]

    def text(self) -> str:
        """What was kept; a line in between says how much was not."""
        tail = self._tail[-self._kept_bytes :]
        lost = self.total_bytes - len(self._head) - len(tail)
        gap = f"\n[... {lost} bytes left out ...]\n".encode() if lost else b""
        return bytes(self._head + gap + tail).decode(errors="replace")


class Guarded:
    """A command behind a guard, in a directory of its own.

    For one thread at a time, except `hang_up`. Must be ended: by `end`, or as a context manager.

    Args:
        command: program and arguments; no shell reads them.
        directory: where it runs; must not exist.
        environment: its environment, whole; TMPDIR is added.
        files: name -> content of files to put into the directory first.
        keep: whether the directory stays; else it goes at the end, or when this process dies.
        memory_mib: limit for each process and for all together; 0 for none.
        grace_s: time between asking a process to end and killing it.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        files: Mapping[str, str] | None = None,
        keep: bool = False,
        memory_mib: int = 0,
        grace_s: float = 0.5,
    ) -> None:
        self.output, self.errors = HeadAndTail(), HeadAndTail()
        self.directory, self.memory_mib = directory, memory_mib
        self._keep = keep
        self._grace_s = grace_s
        self._unread, self._unsent = bytearray(), b""
        self._reported: Ending | None = None
        self._ended: Ending | None = None
        self._lock = threading.Lock()
        self._launch(command, {**environment, "TMPDIR": str(self.directory)})
        try:
            self.directory.mkdir(parents=True)
            for name, content in (files or {}).items():
                (self.directory / name).write_text(content)
        except BaseException:
            self.end()
            raise
        self.allow(None)

    def _launch(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        guard_lifeline, self._lifeline = os.pipe()
        self._report, guard_report = os.pipe()
        numbers = (guard_lifeline, guard_report, os.getpid(), self.memory_mib, self._grace_s)
        # The guard knows the directory before there is one, so no death in between leaves it.
        place = ("keep" if self._keep else "remove", str(self.directory))
        script = (sys.executable, "-I", "-S", guard.__file__)
        try:
            self._guard = subprocess.Popen(
                [*script, *map(str, numbers), *place, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=environment,
                pass_fds=(guard_lifeline, guard_report),
                start_new_session=True,  # Ctrl-C is for the study; it ends its simulators itself
            )
        except BaseException:
            os.close(self._lifeline)
            os.close(self._report)
            raise
        finally:
            os.close(guard_lifeline)
            os.close(guard_report)
        self._input, self._output, self._errors = (
            stream.fileno()
            for stream in (self._guard.stdin, self._guard.stdout, self._guard.stderr)
            if stream
        )
        self._selector = selectors.PollSelector()
        for descriptor in (self._output, self._errors, self._report):
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ)
        os.set_blocking(self._input, False)

    def __enter__(self) -> "Guarded":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def allow(self, seconds: float | None) -> None:
        """Gives the command that long from now; None takes the limit off."""
        self._tell_guard("" if seconds is None else str(seconds))

    def hang_up(self) -> None:
        """Has the guard end everything. The thread that uses this object finds it ended."""
        self._tell_guard("end")

    def _tell_guard(self, line: str) -> None:
        with self._lock, suppress(BrokenPipeError):
            if self._ended is None:
                os.write(self._lifeline, f"{line}\n".encode())

    def ask(self, text: str, timeout_s: float) -> str | None:
        """Sends `text` and waits for the next line of output.

        Returns:
            The line; if it is longer than `LONGEST_LINE`, only its beginning, which is so, too.
            None if no line will come: `end` tells why.
        """
        self.allow(timeout_s)
        deadline = time.monotonic() + timeout_s + self._grace_s + LATE_S
        if text:
            self._unsent += text.encode()
            if self._input not in self._selector.get_map():
                self._selector.register(self._input, selectors.EVENT_WRITE)
        while b"\n" not in self._unread and len(self._unread) <= LONGEST_LINE:
            if not self._exchange(deadline):
                return None
            if self._output not in self._selector.get_map():
                deadline = min(deadline, time.monotonic() + self._grace_s)
        self.allow(None)
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode(errors="replace")

    def wait(self, timeout_s: float) -> Ending:
        """Waits for the command to end. It gets no input; of its output, `output` is what stays."""
        self.allow(timeout_s)
        self._close_input()
        deadline = time.monotonic() + timeout_s + self._grace_s + LATE_S
        while self._exchange(deadline):
            self._unread.clear()
        return self._reported or self.end()

    def unread(self) -> str:
        """What it said since the last line that was read."""
        return self._unread.decode(errors="replace")

    def quiet(self) -> bool:
        """Whether it runs, and has said nothing since the last line that was read."""
        deadline = time.monotonic() + LOOK_S
        while not self._unread and time.monotonic() < deadline and self._exchange(0):
            pass
        return not self._unread and self._output in self._selector.get_map()

    def end(self) -> Ending:
        """Ends whatever is left of the command, and tells how it ended."""
        if self._ended is None:
            self._close_input()
            with self._lock:
                os.close(self._lifeline)
                self._ended = Ending("lost", -signal.SIGKILL)
            deadline = time.monotonic() + self._grace_s + guard.KILL_PATIENCE_S + LATE_S
            while self._exchange(deadline):
                pass
            if self._reported:
                self._ended = self._reported
            else:
                self._guard.kill()
                if not self._keep:
                    shutil.rmtree(self.directory, ignore_errors=True)
            self._guard.wait()
            for stream in (self._guard.stdout, self._guard.stderr):
                if stream:
                    stream.close()
            os.close(self._report)
        return self._ended

    def _close_input(self) -> None:
        if self._guard.stdin and not self._guard.stdin.closed:
            if self._input in self._selector.get_map():
                self._selector.unregister(self._input)
            self._guard.stdin.close()

    def _exchange(self, deadline: float) -> bool:
        """Reads and writes what can be; False if nothing could be until `deadline`, or it ended."""
        if self._report not in self._selector.get_map():
            return False
        events = self._selector.select(max(0.0, deadline - time.monotonic()))
        for key, _ in events:
            if key.fd == self._input:
                self._write()
            elif key.fd == self._report:
                self._read_report()
            else:
                self._read(key.fd)
        if self._reported:  # all who could write are gone
            for descriptor in (self._output, self._errors):
                with suppress(BlockingIOError):  # unless the kernel could not end them
                    while descriptor in self._selector.get_map() and self._read(descriptor):
                        pass
        return bool(events)

    def _write(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._input, self._unsent) :]
        except BrokenPipeError:
            self._unsent = b""  # it does not listen; what it says will tell
        if not self._unsent:
            self._selector.unregister(self._input)

    def _read(self, descriptor: int) -> bool:
        if data := os.read(descriptor, 65536):
            kept = self.output if descriptor == self._output else self.errors
            kept.add(data)
            if descriptor == self._output and len(self._unread) <= LONGEST_LINE:
                self._unread += data
        else:
            self._selector.unregister(descriptor)
        return bool(data)

    def _read_report(self) -> None:
        self._selector.unregister(self._report)
        if report := os.read(self._report, 256).split():
            self._reported = Ending(cast(Cause, report[0].decode()), int(report[1]))
