"""`kill -9` of random workers: nothing lost, the run completes.

    python benchmarks/reliability/killed_workers.py [--quick] [--kills N] [--kind local|queue|dask]

`local`: guarded simulator processes of one study. `queue`: `Worker`s that share a log, with nobody
in charge. `dask`: workers of a Dask cluster (skipped where Dask is not installed).
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
import uuid
from contextlib import closing, contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path

import scene

from accel_dse.execution.measuring import Measure
from accel_dse.execution.worker import Worker
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.parameters import Integer
from accel_dse.problem import Objective, Problem
from accel_dse.progress import Silent
from accel_dse.simulators.process import ProcessSimulator
from accel_dse.space import DesignSpace
from accel_dse.study import Study
from accel_dse.ticket_queue import TicketQueue
from accel_dse.trial_log import TrialLog
from accel_dse.workload import Layer, Workload

SIMULATOR = """
import json, sys, time
print(json.dumps({"accel_dse": 1, "simulator": "s", "version": "1", "metrics": ["latency_ms"]}))
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        time.sleep(0.1)
        metrics = {"latency_ms": message["design"]["pes"]}
        print(json.dumps({"id": message["id"], "metrics": metrics}))
"""


def marked(mark):
    """Processes that were started with `mark` in their environment and run the simulator."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if b"guard.py" not in b" ".join(words[:5]):
                    found.append(int(entry.name))
    return found


@contextmanager
def killing(victims, kills, rng):
    """Kills one of `victims()` now and then, `kills` times; yields how many it killed so far."""
    done, ended = [], threading.Event()

    def kill():
        while len(done) < kills and not ended.wait(rng.uniform(0.2, 0.5)):
            if alive := victims():
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(alive), signal.SIGKILL)
                    done.append(time.time())

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield done
    finally:
        ended.set()
        thread.join()


def tell(kind, trials, n, kills, log):
    laws = {
        "the run completes": [trial.index for trial in trials] == list(range(n)),
        "what was returned is in the log": TrialLog(log).read() == trials,
        "no design is forgotten": TrialLog(log).tickets(unfinished=True) == [],
        "a lost worker is held against no design": all(t.outcome != "failed" for t in trials),
    }
    figures = {"kills": len(kills), "trials": len(trials)}
    scene.report(f"kill -9 of random workers: {kind}", figures, laws)


def local(folder, n, kills, rng):
    script, mark = Path(folder, "simulator.py"), uuid.uuid4().hex
    script.write_text(SIMULATOR)
    os.environ["DRILL_MARK"] = mark
    problem = Problem(
        DesignSpace("drill", (Integer("pes", 1, 100_000),)),
        ((Workload("w", (Layer(name="fc", K=4),)), 1.0),),
        (Objective("latency_ms"),),
    )
    simulator = ProcessSimulator(
        command=f"{sys.executable} {script}",
        environment="DRILL_MARK",
        retries=20,
        backoff_s=0.01,
        grace_s=0.1,
    )
    study = Study(
        problem=problem,
        optimizer=RandomSearch(problem=problem, seed=3),
        simulator=simulator,
        log=TrialLog(Path(folder, "log.db")),
        progress=Silent(),
    )
    with closing(simulator), killing(lambda: marked(mark.encode()), kills, rng) as killed:
        trials = study.run(n, workers=4)
        while len(killed) < kills:
            n += 20
            trials = study.run(n, workers=4)
    tell("guarded simulators, 4 workers", trials, n, killed, study.log.place)


def queue_worker(log, notes, n):
    study = scene.study(log, notes, 100.0)
    with closing(TicketQueue(log, lease_s=2.0)) as queue:
        measure = Measure(study.problem, study.simulator)
        Worker(optimizer=study.optimizer, measure=measure, queue=queue).run(n)


def queue(folder, n, kills, rng):
    log, notes = Path(folder, "log.db"), Path(folder, "notes")
    study = scene.study(log, notes, 100.0)
    study.write_down()
    n = min(n, 600)
    spawn = get_context("spawn")
    workers = []

    def replaced():
        workers[:] = [worker for worker in workers if worker.is_alive()]
        while len(workers) < 4:
            workers.append(spawn.Process(target=queue_worker, args=(log, notes, n)))
            workers[-1].start()
        return [w.pid for w in workers] if TrialLog(log).tickets(unfinished=True) else []

    with killing(replaced, kills, rng) as killed:
        while len(killed) < kills and len(TrialLog(log).read()) < n:
            time.sleep(0.1)
    for worker in workers:
        worker.join(10)
    queue_worker(log, notes, n)
    for worker in workers:
        worker.join()
    trials = TrialLog(log).read()
    tell("workers that share a log, 4 at a time", trials, n, killed, log)


def dask(folder, n, kills, rng):
    try:
        from distributed import LocalCluster
    except ImportError:
        print("kill -9 of random workers: dask: skipped, Dask is not installed")
        return
    from accel_dse.execution import dask_cluster

    os.environ["PYTHONPATH"] = scene.here_too()
    n = min(n, 600)
    study = scene.study(Path(folder, "log.db"), Path(folder, "notes"), 100.0)
    with (
        dask_cluster.dask.config.set(dask_cluster.SETTINGS),
        LocalCluster(n_workers=3, threads_per_worker=2, dashboard_address=None) as cluster,
        dask_cluster.dask_executor(cluster.scheduler_address) as (executor, size),
    ):

        def victims():
            return [w.pid for w in list(cluster.workers.values()) if w.pid]

        with killing(victims, kills, rng) as killed:
            trials = study.run(n, workers=size, executor=executor)
    tell(f"Dask, {size} at a time", trials, n, killed, study.log.place)


KINDS = {"local": local, "queue": queue, "dask": dask}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--kind", choices=KINDS, default="local")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    kills = 3 if given.quick else given.kills
    with tempfile.TemporaryDirectory() as folder:
        KINDS[given.kind](folder, 12 * kills, kills, random.Random(given.seed))


if __name__ == "__main__":
    main()
