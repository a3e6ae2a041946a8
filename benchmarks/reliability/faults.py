"""A simulator of which one answer in five is a fault: each is recorded as what it was.

    python benchmarks/reliability/faults.py [--quick] [--trials N] [--workers K] [--share P]

`simulator_stubs/faulty` crashes, hangs, floods, leaks, lies and leaves processes behind.
"""

import argparse
import os
import sys
import tempfile
import time
import uuid
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace

import scene

from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.parameters import Integer
from accel_dse.problem import Objective, Problem
from accel_dse.progress import Silent
from accel_dse.simulators.process import ProcessSimulator
from accel_dse.space import DesignSpace
from accel_dse.study import Study
from accel_dse.trial_log import TrialLog
from accel_dse.workload import Layer, Workload

STUB = Path(__file__).resolve().parents[2] / "simulator_stubs" / "faulty" / "faulty.py"
LATE = {"hang_for_ever", "ignore_sigterm", "half_line_hang", "child_hang"}
ANSWERS = {"none", "flood_stderr", "after_answer", "daemon"}
"""What ends well; all faults that are in neither set fail."""


def expected(fault):
    return "timed_out" if fault in LATE else "feasible" if fault in ANSWERS else "failed"


def left_behind(mark):
    found = 0
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            found += entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds for one design")
    given = parser.parse_args()
    if given.quick:
        given.trials, given.timeout = 24, 5.0
    sys.path.insert(0, str(STUB.parent))
    import faulty

    space = DesignSpace("drill", (Integer("pes", 1, 100_000),))
    gemm = Workload("gemm", (Layer(name="fc", K=4, C=8, P=16),))
    problem = Problem(space, ((gemm, 1.0),), (Objective("latency_cycles"),))
    os.environ["DRILL_MARK"] = mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = str(Path(folder, "tmp"))
        Path(tempfile.tempdir).mkdir()
        simulator = ProcessSimulator(
            command=f"{sys.executable} {STUB} --share {given.share}",
            environment="DRILL_MARK",
            timeout_s=given.timeout,
            memory_mib=300,
            retries=1,  # what a program says after its answer may be taken for the next
            backoff_s=0.05,
            grace_s=0.2,
        )
        study = Study(
            problem=problem,
            optimizer=RandomSearch(problem=problem, seed=3),
            simulator=simulator,
            log=TrialLog(Path(folder, "log.db")),
            progress=Silent(),
        )
        began = time.monotonic()
        with closing(simulator):
            trials = study.run(given.trials, workers=given.workers)
        wall_s = time.monotonic() - began
        options = SimpleNamespace(share=given.share, seed=0, fault="any")
        faults = {t.index: faulty.chosen(dict(t.design), options) for t in trials}
        wrong = [
            f"{faults[t.index]}: {t.outcome} {t.reason}"
            for t in trials
            if t.outcome != expected(faults[t.index])
        ]
        deadline = time.monotonic() + 30
        # this process bears the mark only in its memory, not in what it was started with
        while left_behind(mark) and time.monotonic() < deadline:
            time.sleep(0.1)
        processes, folders = left_behind(mark), list(Path(tempfile.tempdir).iterdir())
        tempfile.tempdir = None
        struck = Counter(fault for fault in faults.values() if fault != "none")
        figures = {
            "trials": f"{len(trials)}, {given.workers} at a time, in {wall_s:.0f} s",
            "struck by a fault": f"{sum(struck.values())} ({len(struck)} kinds)",
            "outcomes": dict(Counter(str(trial.outcome) for trial in trials)),
            "recorded as something else": wrong or "none",
        }
        laws = {
            "the run completes": len(trials) == given.trials,
            "every outcome is recorded as what it was": not wrong,
            "no process is left": not processes,
            "no temporary directory is left": not folders,
        }
        scene.report(f"faults in {given.share:.0%} of simulations", figures, laws)


if __name__ == "__main__":
    main()
