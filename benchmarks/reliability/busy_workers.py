"""Eight workers with simulations of one second: how busy they are, and what coordinating costs.

    python benchmarks/reliability/busy_workers.py [--quick] [--trials N] [--workers K] [--seconds S]

Each worker drives a guarded program that sleeps. Time is counted from the first design handed out
until the last result; busy is the time that the program itself says it took.
"""

import argparse
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import scene

from accel_dse.optimizers.evolution import Evolution
from accel_dse.parameters import Integer
from accel_dse.problem import Objective, Problem
from accel_dse.progress import Silent
from accel_dse.simulators.process import ProcessSimulator
from accel_dse.space import DesignSpace
from accel_dse.study import Study
from accel_dse.trial_log import TrialLog
from accel_dse.workload import Layer, Workload

SIMULATOR = """
import json, sys, time
greeting = {"accel_dse": 1, "simulator": "sleeper", "version": "1"}
print(json.dumps({**greeting, "metrics": ["latency_ms", "took_s"]}))
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        began = time.monotonic()
        time.sleep(float(sys.argv[1]))
        design = message["design"]
        latency = abs(design["a"] - 300) + abs(design["b"] - 700) + abs(design["c"] - 50)
        metrics = {"latency_ms": latency, "took_s": time.monotonic() - began}
        print(json.dumps({"id": message["id"], "metrics": metrics}))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--floor", type=float, default=0.95, help="share of time to be busy")
    given = parser.parse_args()
    n = 24 if given.quick else given.trials
    space = DesignSpace("drill", tuple(Integer(name, 0, 1000) for name in "abc"))
    problem = Problem(
        space, ((Workload("w", (Layer(name="fc", K=4),)), 1.0),), (Objective("latency_ms"),)
    )
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "simulator.py")
        script.write_text(SIMULATOR)
        simulator = ProcessSimulator(command=f"{sys.executable} {script} {given.seconds}")
        study = Study(
            problem=problem,
            optimizer=Evolution(problem=problem, seed=1),
            simulator=simulator,
            log=TrialLog(Path(folder, "log.db")),
            progress=Silent(),
        )
        with closing(simulator):
            study.run(given.workers, workers=given.workers)  # all programs run
            before, cpu = time.monotonic(), time.process_time()
            trials = study.run(given.workers + n, workers=given.workers)[given.workers :]
            wall_s, cpu_s = time.monotonic() - before, time.process_time() - cpu
        busy_s = sum(trial.metrics["took_s"] for trial in trials)
        share = busy_s / (given.workers * wall_s)
    figures = {
        "trials": f"{n} of {given.seconds:g} s, {given.workers} at a time, in {wall_s:.1f} s",
        "busy": f"{share:.1%}",
        "coordinator": f"{1000 * cpu_s / n:.1f} ms of CPU a trial",
        "least possible": f"{-(-n // given.workers) * given.seconds:.1f} s",
    }
    scene.report(
        "busy workers", figures, {f"workers are over {given.floor:.0%} busy": share > given.floor}
    )


if __name__ == "__main__":
    main()
