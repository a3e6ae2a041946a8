"""The runs of a contest: each an ordinary study in a process of its own.

A run that raises, proposes what is no design, crashes or takes too long is recorded as such, and
the others go on.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from accel_dse.comparison.contest import Contest, Contestant, MakeStudy
from accel_dse.errors import DseError, LogError
from accel_dse.progress import Silent
from accel_dse.stopping import stop_requests
from accel_dse.trial_log import TrialLog

POLL_S = 0.05
"""How often finished runs are looked for."""

THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What numeric libraries are told their number of threads by."""

SAME_HASHES = {"PYTHONHASHSEED": "0"}
"""Some libraries (SMAC) go through sets of texts in their order, which else is another in each
process: then no run could be repeated."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One contestant with one seed.

    Attributes:
        contestant, seed: which.
        log: where its trials are.
        problem: why it ended before its budget; "" if it did not.
    """

    contestant: Contestant
    seed: int
    log: Path
    problem: str = ""


def play(
    contest: Contest, *, workers: int = 1, retry: bool = False, say: Callable[[str], None] = print
) -> list[Run]:
    """Runs what has not run yet, `workers` processes at a time.

    Args:
        contest: what to run.
        workers: how many runs at a time; the machine's cores are divided among them.
        retry: whether runs that ended early before are tried again.
        say: is told of every run that ends.

    Raises:
        KeyboardInterrupt: it was stopped; the same call goes on from there.
    """
    contest.folder.mkdir(parents=True, exist_ok=True)
    waiting = list(contest.entries())
    runs: dict[Path, Run] = {}
    for contestant, seed, log in list(waiting):
        problem = _noted(log)
        if problem and (retry or _complete(log, contest.trials)):  # another process ended it
            _note_of(log).unlink()
        elif problem:
            runs[log] = Run(contestant=contestant, seed=seed, log=log, problem=problem)
            waiting.remove((contestant, seed, log))
            continue
        if _complete(log, contest.trials):  # its log is checked here; no process is needed
            _run(contest.make_study, contestant, seed, log, contest.trials, contest.batch)
            runs[log] = Run(contestant=contestant, seed=seed, log=log, problem=_noted(log))
            waiting.remove((contestant, seed, log))
    total, going = len(waiting), list[_Going]()
    with _surroundings(max((os.cpu_count() or 1) // workers, 1)), stop_requests(say) as stop:
        try:
            while waiting or going:
                if stop():
                    raise KeyboardInterrupt
                while waiting and len(going) < workers:
                    going.append(_Going(contest, *waiting.pop(0)))
                for one in [one for one in going if one.over()]:
                    going.remove(one)
                    run = one.end()
                    runs[run.log] = run
                    done = total - len(waiting) - len(going)
                    ended = run.problem or "done"
                    say(f"{done}/{total} {run.contestant.label} seed {run.seed}: {ended}")
                time.sleep(POLL_S)
        finally:
            for one in going:
                one.kill()
    return [runs[log] for _, _, log in contest.entries()]


class _Going:
    """A run under way."""

    def __init__(self, contest: Contest, contestant: Contestant, seed: int, log: Path) -> None:
        self.contestant, self.seed, self.log = contestant, seed, log
        self.minutes = contest.minutes
        self.began = time.monotonic()
        self.process: BaseProcess = multiprocessing.get_context("spawn").Process(
            target=_run,
            args=(contest.make_study, contestant, seed, log, contest.trials, contest.batch),
            daemon=True,
        )
        self.process.start()

    def late(self) -> bool:
        return self.minutes is not None and time.monotonic() - self.began > self.minutes * 60

    def over(self) -> bool:
        return not self.process.is_alive() or self.late()

    def end(self) -> Run:
        if self.process.is_alive():
            self.kill()
            _note_of(self.log).write_text(json.dumps(f"stopped after {self.minutes:g} minutes"))
        elif self.process.exitcode and not _noted(self.log):
            _note_of(self.log).write_text(json.dumps(f"died: exit code {self.process.exitcode}"))
        return Run(
            contestant=self.contestant, seed=self.seed, log=self.log, problem=_noted(self.log)
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


def _run(
    make_study: MakeStudy,
    contestant: Contestant,
    seed: int,
    path: Path,
    trials: int,
    batch: int | None,
) -> None:
    """One run, in its own process. What ends it early is noted beside its log."""
    log = TrialLog(str(path))
    try:
        study = make_study(contestant, seed, log)
        study.progress = Silent()
        with closing(study.simulator):
            study.run(trials, batch=batch)
    except DseError as error:
        _note_of(path).write_text(json.dumps(str(error)))
    except Exception as error:  # an optimizer may be anybody's code, and raise anything
        _note_of(path).write_text(json.dumps(f"{type(error).__name__}: {error}"))


def _complete(log: Path, trials: int) -> bool:
    """Whether a log holds a whole budget."""
    if not log.exists():
        return False
    try:
        return sum(TrialLog(str(log)).outcomes().values()) >= trials
    except LogError:  # its own run says what is wrong with it
        return False


def _note_of(log: Path) -> Path:
    return log.with_suffix(".problem.json")


def _noted(log: Path) -> str:
    note = _note_of(log)
    return str(json.loads(note.read_text())) if note.exists() else ""


@contextmanager
def _surroundings(threads: int) -> Iterator[None]:
    """Lets processes that start now use so many threads each, and hash all alike.

    By the environment, since numba asks when it is imported, and Python when it starts.
    """
    wanted = dict.fromkeys(THREADS, str(threads)) | SAME_HASHES
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
