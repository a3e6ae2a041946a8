"""One log with a million trials: how long appending, opening and finding the best take.

    python benchmarks/reliability/million_trials.py [--quick] [--trials N] [--folder DIR]

The trials are of the size of real ones: 12 parameters, 8 metrics.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import scene

from accel_dse.log_rows import StudyDescription
from accel_dse.optimizers.evolution import Evolution
from accel_dse.parameters import Integer
from accel_dse.problem import Goal, Limit, Objective, Problem
from accel_dse.report.summary import summarize
from accel_dse.space import DesignSpace
from accel_dse.trial import Outcome, Trial
from accel_dse.trial_log import TrialLog
from accel_dse.workload import Layer, Workload

BATCH = 100
GOAL = Goal((Objective("metric_0_ms"),), (Limit("metric_1_ms", "<=", 900.0),))


SHOWN = {
    "best": "open and find the best",
    "read": "open and read all, every hash checked",
    "report": "summarize, as `accel-dse report` does",
    "resume": "go on: read all, and the first proposals of evolution",
}


def a_trial(index):
    works = index % 4 == 0
    return Trial(
        index=index,
        design={f"parameter_{i}": index // 1024 ** (i % 2) * (2 * i + 1) % 1024 for i in range(12)},
        outcome=Outcome.FEASIBLE if works else Outcome.INFEASIBLE,
        metrics={f"metric_{i}_ms": (index * 7919 * (i + 3)) % 1009 + i / 8 for i in range(8)}
        if works
        else {},
        reason="" if works else "conv2_1: no tile fits the buffer of level glb",
        started=1.7e9 + index / 3,
        ended=1.7e9 + index / 3 + 0.25,
        host="node17.cluster",
    )


def fill(path, n):
    """Wall and CPU milliseconds a trial, and the slowest batch's."""
    log = TrialLog(path)
    log.create_or_check(
        StudyDescription(
            problem={"made": "up"},
            optimizer="random",
            optimizer_options={},
            seed=0,
            simulator="none",
            simulator_version="1",
            simulator_options={},
        )
    )
    wall, cpu, slowest = 0.0, 0.0, 0.0
    for start in range(0, n, BATCH):
        trials = [a_trial(i) for i in range(start, min(start + BATCH, n))]
        before, before_cpu = time.perf_counter(), time.process_time()
        log.append(trials)
        took = time.perf_counter() - before
        wall, cpu = wall + took, cpu + time.process_time() - before_cpu
        slowest = max(slowest, took / len(trials))
    log.close()
    return 1000 * wall / n, 1000 * cpu / n, 1000 * slowest


OPENING = """
import resource, sys, time
sys.path.insert(0, sys.argv[2])
import million_trials
start, cpu = time.perf_counter(), time.process_time()
index = getattr(million_trials, sys.argv[3])(sys.argv[1])
print(index, time.perf_counter() - start, time.process_time() - cpu,
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def best(path):
    """Index of the best, found by the database."""
    return TrialLog(path).best(GOAL).index


def read(path):
    """Index of the best, found by reading all."""
    return GOAL.best(TrialLog(path).read()).index


def report(path):
    """Index of the best, as `accel-dse report` finds it."""
    return summarize(TrialLog(path).read(), GOAL).best[0].index


def resume(path):
    """Index of the best, when a study goes on until its optimizer has proposed ten designs."""
    space = DesignSpace("made up", tuple(Integer(f"parameter_{i}", 0, 1023) for i in range(12)))
    workloads = ((Workload("w", (Layer(name="fc", K=4),)), 1.0),)
    problem = Problem(space, workloads, GOAL.objectives, GOAL.limits)
    optimizer = Evolution(problem=problem)
    optimizer.tell(TrialLog(path).read())
    assert len(optimizer.ask(10)) == 10
    return optimizer.problem.best(optimizer.trials).index


def opened(path, what):
    """Index of the best, wall and CPU seconds, MiB; in a process of its own."""
    words = [sys.executable, "-c", OPENING, path, Path(__file__).parent, what]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True)
    index, *figures = done.stdout.split()
    return int(index), *map(float, figures)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--trials", type=int, default=1_000_000)
    parser.add_argument("--folder", help="where the log is made; default: for temporary files")
    given = parser.parse_args()
    n = 5_000 if given.quick else given.trials
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder, "log.db")
        wall_ms, cpu_ms, slowest_ms = fill(path, n)
        writing_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size_mib = path.stat().st_size / 2**20
        found = {way: opened(path, way) for way in ("best", "read", "report", "resume")}
    figures = {
        "trials": f"{n:,}, {size_mib:.0f} MiB on disk",
        "append in batches of 100": f"{wall_ms:.3f} ms a trial ({cpu_ms:.3f} ms CPU), "
        f"slowest batch {slowest_ms:.2f} ms a trial",
        **{
            SHOWN[way]: f"{wall_s:.2f} s ({cpu_s:.2f} s CPU), {mib:.0f} MiB"
            for way, (_, wall_s, cpu_s, mib) in found.items()
        },
        "memory while writing": f"{writing_mib:.0f} MiB",
    }
    laws = {
        "append takes under 1 ms of CPU a trial": cpu_ms < 1,
        "open and best take under 2 s of CPU": found["best"][2] < 2,
        "memory stays under 1 GB": max(writing_mib, *(mib for *_, mib in found.values())) < 1000,
        "all ways find the same best": len({index for index, *_ in found.values()}) == 1,
    }
    scene.report("a log of many trials", figures, laws)


if __name__ == "__main__":
    main()
