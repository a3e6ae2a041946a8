"""`kill -9` of a study at random moments: nothing lost, nothing done twice, the same sequence.

python benchmarks/reliability/killed_studies.py [--quick] [--kills N] [--workers K] [--seed S]
"""

import argparse
import random
import tempfile
import time
from pathlib import Path

import scene

from accel_dse.trial_log import TrialLog


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    kills = 3 if given.quick else given.kills
    trials, batch = 6 * kills + 21, 3 if given.workers == 1 else None
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        log, notes = Path(folder, "log.db"), Path(folder, "notes")
        lost, killed, before, settled = 0, 0, [], {}
        while killed < kills:
            run = scene.start(
                log, notes, trials=trials, batch=batch, workers=given.workers, ms=20.0
            )
            length = len(before)
            while log_length(log) == length and run.poll() is None:  # it is up and at work
                time.sleep(0.05)
            time.sleep(rng.uniform(0.0, 0.06))
            finished = run.poll() is not None
            run.kill()
            run.wait()
            now = TrialLog(log).read()
            lost += now[: len(before)] != before
            counts = scene.begun(notes)
            settled |= {scene.row(t): counts[scene.row(t)] for t in now[len(before) :]}
            before, killed = now, killed + 1
            if finished:
                trials += 42  # whole batches, as in the run that is not killed
        final = scene.study(log, notes, 20.0)
        done = final.run(trials, batch=batch, workers=given.workers)
        begun = scene.begun(notes)
        again = sum(begun.values()) - len(done)
        laws = {
            "every trial that was in the log before a kill is in it after": lost == 0,
            "no two trials are of one design": len({scene.row(t) for t in done}) == len(done),
            "no design was simulated again once its trial was in the log": all(
                begun[design] == count for design, count in settled.items()
            ),
            "only what ran when the study was killed began again": again
            <= kills * (batch or given.workers),
        }
        if given.workers == 1:
            whole = scene.study(Path(folder, "whole.db"), Path(folder, "notes.whole"), 0.0)
            laws["the sequence is that of a run that was never killed"] = done == whole.run(
                trials, batch=batch
            )
        else:
            tickets = TrialLog(log).tickets()
            laws["no design was proposed twice or forgotten"] = len(tickets) == len(done)
        figures = {
            "kills": kills,
            "trials in the end": len(done),
            "simulations begun in the runs that were killed and the last": sum(begun.values()),
            "of these cut off by a kill and begun again": again,
        }
        scene.report(f"kill -9 of a study, {given.workers} worker(s)", figures, laws)


def log_length(log):
    if not log.exists():
        return 0
    try:
        return len(TrialLog(log).read())
    except Exception:  # its tables are just being made
        return 0


if __name__ == "__main__":
    main()
