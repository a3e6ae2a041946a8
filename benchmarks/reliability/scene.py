"""The study that the drills break: a toy problem, and a simulator that takes its time.

    python scene.py LOG NOTES --trials N [--batch B] [--workers K] [--ms MS]

runs it. NOTES gets a line for each design when its simulation begins and one when it ends.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from accel_dse.optimizers.evolution import Evolution
from accel_dse.parameters import Integer
from accel_dse.progress import Silent
from accel_dse.space import DesignSpace
from accel_dse.study import Study
from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial_log import TrialLog


@dataclass(kw_only=True)
class Noting(ToySimulator):
    """Takes `ms` for each design, and notes what it is at."""

    notes: str = field(compare=False)
    ms: float = field(compare=False)

    def simulate(self, workload, designs):
        """Measures, slowly."""
        rows = [json.dumps([str(v) for v in row]) for row in zip(*designs.values())]
        self.note("begin", rows)
        time.sleep(self.ms * len(rows) / 1000)
        self.note("end", rows)
        return super().simulate(workload, designs)

    def note(self, what, rows):
        """Writes a line for each design."""
        # one write of less than a page to a file opened for appending is never torn
        with open(self.notes, "ab", buffering=0) as file:
            file.write("".join(f"{what} {row}\n" for row in rows).encode())


def study(log, notes, ms):
    """The study, ready to run."""
    toy = toy_problem()
    sizes = (Integer("pes_x", 1, 64), Integer("pes_y", 1, 64), Integer("buffer_kib", 1, 256))
    space = DesignSpace("drill", (*sizes, toy.space.parameters[-1]))
    problem = replace(toy, space=space)
    return Study(
        problem=problem,
        optimizer=Evolution(problem=problem, seed=7),
        simulator=Noting(notes=str(notes), ms=ms),
        log=TrialLog(log),
        progress=Silent(),
    )


def start(log, notes, *, trials, batch=None, workers=1, ms=2.0):
    """Runs it in a process of its own."""
    code = "import scene; scene.main()"  # as here, or the log would name another simulator
    words = [sys.executable, "-c", code, log, notes, "--trials", trials, "--ms", ms]
    words += ["--workers", workers] + (["--batch", batch] if batch else [])
    environment = {**os.environ, "PYTHONPATH": here_too(), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([str(word) for word in words], env=environment)


def here_too():
    """Where another process finds this module, too."""
    return os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))


def begun(notes: Path) -> Counter:
    """Design -> how often its simulation began."""
    lines = notes.read_text().splitlines() if notes.exists() else []
    return Counter(line.removeprefix("begin ") for line in lines if line.startswith("begin "))


def row(trial):
    """A trial's design as it is noted."""
    return json.dumps([str(value) for value in trial.design.values()])


def report(title, figures, laws):
    """Prints figures and laws (sentence -> whether it held); exits 1 if one was broken."""
    print(title)
    for name, value in figures.items():
        print(f"  {name}: {value}")
    for sentence, held in laws.items():
        print(f"  {'holds ' if held else 'BROKEN'}  {sentence}")
    sys.exit(0 if all(laws.values()) else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log")
    parser.add_argument("notes")
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--ms", type=float, default=2.0)
    given = parser.parse_args()
    study(given.log, given.notes, given.ms).run(
        given.trials, batch=given.batch, workers=given.workers
    )


if __name__ == "__main__":
    main()
