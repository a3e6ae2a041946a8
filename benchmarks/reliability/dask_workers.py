"""64 Dask workers with tasks of 10 ms: throughput, and what a task costs.

    python benchmarks/reliability/dask_workers.py [--quick] [--trials N] [--workers K] [--ms MS]
                                                  [--batch B]

The workers are threads of this process (64 processes need more memory than a small machine has):
what is measured is scheduler, client and study, which are one process each in a real cluster, too.
"""

import argparse
import logging
import os
import tempfile
import time
from pathlib import Path

import scene

from accel_dse.optimizers.random_search import RandomSearch


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--ms", type=float, default=10.0)
    parser.add_argument("--batch", type=int, default=1, help="designs in each task")
    given = parser.parse_args()
    try:
        from distributed import LocalCluster
    except ImportError:
        print("64 Dask workers: skipped, Dask is not installed")
        return
    from accel_dse.execution.dask_cluster import dask_executor

    logging.getLogger("distributed").setLevel(logging.ERROR)
    n = 120 if given.quick else given.trials
    os.environ["PYTHONPATH"] = scene.here_too()
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(
            n_workers=given.workers,
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
            local_directory=folder,
        ) as cluster,
        dask_executor(cluster.scheduler_address) as (executor, size),
    ):
        bare_s, bare_cpu_s = measured(lambda: bare(executor, n, given.ms))
        study = scene.study(Path(folder, "log.db"), Path(folder, "notes"), given.ms)
        study.optimizer = RandomSearch(problem=study.problem, seed=1)
        whole_s, cpu_s = measured(
            lambda: study.run(n, workers=size, executor=executor, batch=given.batch)
        )
        completes = len(study.log.read()) == n
    ideal_s = n * given.ms / 1000 / given.workers
    figures = {
        "trials": f"{n} of {given.ms:g} ms in tasks of {given.batch}, {given.workers} at a time",
        "bare Dask tasks": f"{n / bare_s:.0f} a second, {1000 * bare_cpu_s / n:.1f} ms of CPU each",
        "study": f"{n / whole_s:.0f} trials a second; without any overhead {n / ideal_s:.0f}",
        "scheduler, client, workers and study": f"{1000 * cpu_s / n:.1f} ms of CPU a trial: a free "
        f"core feeds {given.workers} workers with simulations of over "
        f"{given.workers * cpu_s / n:.2f} s",
    }
    scene.report("64 Dask workers", figures, {"the run completes": completes})


def bare(executor, n, ms):
    for future in [executor.submit(_sleep, ms) for _ in range(n)]:
        future.result()


def _sleep(ms):
    time.sleep(ms / 1000)


def measured(action):
    before, cpu = time.monotonic(), time.process_time()
    action()
    return time.monotonic() - before, time.process_time() - cpu


if __name__ == "__main__":
    main()
