"""Runs one command and leaves nothing of it behind. A script of its own, started by `guarded.py`.

    python -I -S guard.py LIFELINE REPORT PARENT MEMORY_MIB GRACE_S (keep|remove) DIRECTORY COMMAND

LIFELINE is a pipe from the study. Its first line starts the command in DIRECTORY; every line says
how many seconds the command is allowed from now, an empty one takes the limit off. A line `end`,
the end of the pipe, or the death of process PARENT is the command's end too. The guard adopts what
the command orphans (Linux: child subreaper), so a process that left its session or its parent is
still found. When all are gone it writes to REPORT why the command was ended and how (`exit -11`,
`timeout -9`), waits until the study is done with DIRECTORY, and removes it if told to.

Elsewhere than on Linux only the command's process group is ended, and memory is not watched.
Standard library only, and little of it: every simulation may wait for this to start.
"""

import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""Source: Linux, include/uapi/linux/prctl.h."""

LINUX = sys.platform == "linux"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
LOOK_S = 0.1
"""How often memory is looked at; less often where looking is slow, so that it costs 2 % at most."""
KILL_PATIENCE_S = 5.0
"""A process that outlives SIGKILL this long hangs in the kernel, as on a lost file server."""


def prctl(option: int, value: int) -> None:
    """Sets an attribute of this process; does nothing where there is no such call."""
    if LINUX:
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def descendants() -> dict[int, int]:
    """Every process below this one -> bytes of memory in use. Empty where there is no /proc."""
    parents, used = {}, {}
    for name in os.listdir("/proc") if LINUX else ():
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue  # it has just ended
            parents[int(name)], used[int(name)] = int(fields[1]), int(fields[21]) * PAGE_BYTES
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: used[pid] for pid in found - {os.getpid()}}


def reap(ended: dict[int, int]) -> bool:
    """Collects every child that ended into `ended`, pid -> exit code. Whether any is left."""
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = os.waitstatus_to_exitcode(found[1])
    except ChildProcessError:
        return False
    return True


def send(number: int, group: int) -> None:
    """Sends a signal to everything the guard answers for."""
    for kill, pid in [(os.kill, pid) for pid in descendants()] or [(os.killpg, group)]:
        with suppress(ProcessLookupError, PermissionError):  # gone, or another user's by now
            kill(pid, number)


def end_all(group: int, ended: dict[int, int], grace_s: float) -> None:
    """Asks every process to end, and after `grace_s` kills, until none is left."""
    if not reap(ended):
        return
    send(signal.SIGTERM, group)
    for kills, patience_s in ((False, grace_s), (True, KILL_PATIENCE_S)):
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if kills:
                send(signal.SIGKILL, group)
            if not reap(ended):
                return
            time.sleep(0.01)


def start(command: list[str], memory_mib: int) -> int:
    """Runs `command` in a session of its own, as if from a fresh shell; returns its process id."""
    guard = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(127)
        # Python and job schedulers ignore or block signals that a simulator relies on.
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            if signal.getsignal(number) is not signal.SIG_DFL:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if memory_mib:
            # Counts memory that can be written; address space only reserved stays free.
            resource.setrlimit(resource.RLIMIT_DATA, (memory_mib << 20, memory_mib << 20))
        os.execvp(command[0], command)
    except (OSError, ValueError) as error:
        os.write(2, f"cannot run {command[0]!r}: {error}\n".encode())
    os._exit(127)


class Watch:
    """What the guard waits for.

    Args:
        lifeline: pipe from the study.
        parent_pid: process id of the study.
        most_bytes: of memory for the whole tree, 0 for no limit.
    """

    def __init__(self, lifeline: int, parent_pid: int, most_bytes: int) -> None:
        self.ended: dict[int, int] = {}
        self._lifeline, self._most_bytes = lifeline, most_bytes
        self._deadline, self._half_line = float("inf"), b""
        self._wake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        try:
            self._parent = os.pidfd_open(parent_pid)
        except (AttributeError, OSError):
            self._parent = -1  # the end of the lifeline has to do
        self._orphaned = os.getppid() != parent_pid

    def first_line(self) -> str:
        """Waits for the study's first line; "" once it came, else why it never will."""
        if self._orphaned:
            return "orphaned"
        found = self._ready(float("inf"))
        return self._read_lifeline() if self._lifeline in found else "orphaned"

    def reason_to_end(self, child: int) -> str:
        """Waits for a reason to end `child` and all that is with it, and returns it."""
        look_s = LOOK_S if self._most_bytes else float("inf")
        while True:
            found = self._ready(min(self._deadline - time.monotonic(), look_s))
            terminated = self._wake in found and signal.SIGTERM in os.read(self._wake, 4096)
            reap(self.ended)
            if child in self.ended:
                return "exit"
            if self._parent in found:
                return "orphaned"
            if terminated or (self._lifeline in found and self._read_lifeline()):
                return "closed"
            if time.monotonic() >= self._deadline:
                return "timeout"
            if self._most_bytes:
                before = time.monotonic()
                if sum(descendants().values()) > self._most_bytes:
                    return "memory"
                look_s = max(LOOK_S, 50 * (time.monotonic() - before))

    def last_line(self) -> None:
        """Waits until the study hangs up or dies."""
        while self._parent not in (found := self._ready(float("inf"))):
            if self._wake in found:
                os.read(self._wake, 4096)
            if self._lifeline in found and not os.read(self._lifeline, 4096):
                return

    def _ready(self, wait_s: float) -> set[int]:
        poller = select.poll()
        for descriptor in (self._lifeline, self._wake, self._parent):
            if descriptor >= 0:
                poller.register(descriptor, select.POLLIN)
        # Rounded up, or the last millisecond would be spent asking again and again.
        wait_ms = None if wait_s == float("inf") else max(0.0, wait_s) * 1000 + 1
        return {descriptor for descriptor, _ in poller.poll(wait_ms)}

    def _read_lifeline(self) -> str:
        said = os.read(self._lifeline, 4096)
        *lines, self._half_line = (self._half_line + said).split(b"\n")
        if not said or b"end" in lines:
            return "closed"
        if lines:
            self._deadline = time.monotonic() + float(lines[-1] or "inf")
        return ""


def main(arguments: list[str]) -> None:
    """Runs the command and reports."""
    lifeline, report, parent_pid, memory_mib = (int(text) for text in arguments[:4])
    grace_s, afterwards, directory, command = float(arguments[4]), *arguments[5:7], arguments[7:]
    for descriptor in (lifeline, report):
        os.set_inheritable(descriptor, False)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    watch = Watch(lifeline, parent_pid, memory_mib << 20)
    child = 0
    if not (cause := watch.first_line()):
        os.chdir(directory)
        child = start(command, memory_mib)
        silence = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):  # so that the study sees the end of the command's output
            os.dup2(silence, descriptor)
        cause = watch.reason_to_end(child)
        end_all(child, watch.ended, grace_s)
        os.chdir("/")
    with suppress(BrokenPipeError):  # the study is gone
        os.write(report, f"{cause} {watch.ended.get(child, -signal.SIGKILL)}\n".encode())
    watch.last_line()
    if afterwards == "remove":
        import shutil

        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
