"""Small trial logs, and another process that uses them."""

import subprocess
import sys
import textwrap
from pathlib import Path

from accel_dse.log_rows import StudyDescription
from accel_dse.trial import Outcome, Trial
from accel_dse.trial_log import TrialLog

STUDY = StudyDescription(
    problem={"space": "toy", "objectives": ["minimize latency_ms"], "limits": ["area_mm2<=27"]},
    optimizer="random",
    optimizer_options={},
    seed=3,
    simulator="toy",
    simulator_version="1",
    simulator_options={},
)


def a_trial(index, **design):
    return Trial(
        index=index,
        design=design or {"pes": 8, "clock_ghz": 0.1 + 0.2, "order": ("K", ("C", 2)), "on": True},
        outcome=Outcome.FEASIBLE,
        metrics={"latency_ms": 1 / 3, "area_mm2": 5e-324},
        started=1.7e9 + 1 / 3,
        ended=1.7e9 + 2 / 3,
        host="a.host",
    )


def a_failure(index, outcome=Outcome.FAILED):
    return Trial(index=index, design={"pes": 1}, outcome=outcome, reason="café ☕: line 1\nline 2")


def written(path, trials=(), study=STUDY):
    log = TrialLog(path)
    log.create_or_check(study)
    log.append(list(trials))
    log.close()
    return log


def in_another_process(code, *arguments, **options):
    """Runs `code` with the names of this module, `os` and `signal` to hand."""
    program = f"import os, signal\nfrom trial_logs import *\n{textwrap.dedent(code)}"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )
