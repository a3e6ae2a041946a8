"""Which process a claim belongs to, and whether it still lives."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Holder:
    """A process, named so that it cannot be mistaken for a later one.

    Attributes:
        host: name of its machine.
        pid: its number there.
        boot: identifies the machine's present boot; "" where the system does not tell.
        namespace: identifies the set of processes that `pid` counts in (a container has its own);
            "" where the system does not tell.
        started: when it started, in clock ticks since boot; 0 where the system does not tell.
    """

    host: str
    pid: int
    boot: str
    namespace: str
    started: int

    @classmethod
    def me(cls) -> "Holder":
        """The calling process."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, _boot(), _namespace(), _started(pid) or 0)

    def dead(self) -> bool:
        """Whether it certainly runs no more. False where that cannot be seen from here."""
        here = Holder.me()
        if self.host != here.host:
            return False
        if self.boot != here.boot:
            return True
        return self.namespace == here.namespace and not _runs(self.pid, self.started)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _runs(pid: int, started: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    now = _started(pid)
    return now is None or not started or now == started


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _started(pid: int) -> int | None:
    """Start time in clock ticks; -1 for a zombie, which runs no more; None if unknown.

    Source: proc(5), `/proc/pid/stat`, fields 3 (state) and 22 (starttime); the name in field 2
    may hold spaces and parentheses.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return -1 if fields[0] in "ZX" else int(fields[19])
