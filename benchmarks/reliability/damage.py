"""Damage to a log: a full disk, truncation at random bytes, flipped bits; and a second writer.

    python benchmarks/reliability/damage.py [--quick] [--rounds N] [--seed S]

The full disk is a file system of 2 MB in memory, which takes root to make; without, that part is
skipped, and says so.
"""

import argparse
import random
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import scene
from million_trials import a_trial

from accel_dse.errors import LogError
from accel_dse.log_care import recovered
from accel_dse.log_rows import StudyDescription
from accel_dse.trial_log import TrialLog

STUDY = StudyDescription(
    problem={"made": "up"},
    optimizer="random",
    optimizer_options={},
    seed=0,
    simulator="none",
    simulator_version="1",
    simulator_options={},
)


def write(path, trials, batch=10):
    log = TrialLog(path)
    log.create_or_check(STUDY)
    for start in range(len(log.read()), len(trials), batch):
        log.append(trials[start : start + batch])
    log.close()


@contextmanager
def small_disk(folder):
    """A full disk, by and by; yields None where it cannot be made."""
    mount = Path(folder, "disk")
    mount.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mount)]
    made = subprocess.run(words, capture_output=True, check=False).returncode == 0
    try:
        yield mount if made else None
    finally:
        if made:
            subprocess.run(["umount", str(mount)], check=True)


def full_disk(folder, laws, figures):
    with small_disk(folder) as disk:
        if disk is None:
            figures["full disk"] = "skipped: needs root"
            return
        (disk / "ballast").write_bytes(bytes(700_000))
        trials, told, acknowledged = [a_trial(i) for i in range(3000)], "", 0
        log = TrialLog(disk / "log.db")
        log.create_or_check(STUDY)
        try:
            for start in range(0, 3000, 10):
                log.append(trials[start : start + 10])
                acknowledged = start + 10
        except LogError as error:
            told = f"{error} ({error.hint})"
        log.close()
        figures["full disk"] = f"after {acknowledged} trials: {told}"
        laws["a full disk is told as such"] = "full" in told
        laws["what was written before it was full is there"] = (
            TrialLog(disk / "log.db").read() == trials[:acknowledged]
        )
        (disk / "ballast").unlink()
        more = trials[: acknowledged + 100]
        write(disk / "log.db", more)
        laws["the log goes on once there is room"] = TrialLog(disk / "log.db").read() == more


def outcome(path, trials):
    """What reading gives: `error`, `whole`, `prefix` or `WRONG`; and how many a repair saves."""
    try:
        read = TrialLog(path).read()
        kind = "whole" if read == trials else "prefix" if read == trials[: len(read)] else "WRONG"
    except LogError:
        kind = "error"
    kept = recovered(str(path), like=STUDY).kept
    there = [trial.started for trial in trials]
    places = [there.index(trial.started) for trial in kept]
    right = places == sorted(places) and all(
        (trials[p].design, trials[p].metrics) == (t.design, t.metrics) for p, t in zip(places, kept)
    )
    return kind if right else "WRONG", len(kept)


def damaged(folder, rounds, rng, laws, figures):
    trials = [a_trial(i) for i in range(500)]
    path = Path(folder, "log.db")
    write(path, trials)
    content = path.read_bytes()
    for name in ("truncated at a random byte", "a flipped bit"):
        kinds, saved = {}, []
        for _ in range(rounds):
            broken = bytearray(content)
            at = rng.randrange(1, len(content))
            if name.startswith("truncated"):
                del broken[at:]
            else:
                broken[at] ^= 1 << rng.randrange(8)
            path.write_bytes(broken)
            kind, kept = outcome(path, trials)
            kinds[kind] = kinds.get(kind, 0) + 1
            saved.append(kept / 500 / (at / len(content) if name.startswith("trunc") else 1))
        saved.sort()
        figures[name] = f"{kinds} of {rounds}"
        figures[f"  saved by repair, {name}"] = (
            f"median {saved[rounds // 2]:.1%}, least {saved[0]:.1%} of the trials"
            + (" in proportion to what is left of the file" if name.startswith("trunc") else "")
        )
        laws[f"{name}: no wrong trial is read or saved"] = "WRONG" not in kinds


def two_writers(folder, laws, figures):
    path, notes = Path(folder, "shared.db"), Path(folder, "notes")
    run = scene.start(path, notes, trials=200, batch=5, ms=5.0)
    while not scene.begun(notes):
        time.sleep(0.05)
    told = ""
    try:
        scene.study(path, notes, 0.0).run(5)
    except LogError as error:
        told = str(error)
    reads = 0
    while run.poll() is None:
        TrialLog(path).read()
        reads += 1
    figures["a second study is told"] = told.replace(str(path), "LOG")
    figures["reads while it was written"] = reads
    laws["a second study is refused with the holder's name"] = f"process {run.pid} on" in told
    laws["the first study was not disturbed"] = run.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    laws, figures = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        full_disk(folder, laws, figures)
        damaged(
            folder, 12 if given.quick else given.rounds, random.Random(given.seed), laws, figures
        )
        two_writers(folder, laws, figures)
    scene.report("damage", figures, laws)


if __name__ == "__main__":
    main()
