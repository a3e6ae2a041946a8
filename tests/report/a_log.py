"""A small log with every outcome."""

from accel_dse.problem import Goal
from accel_dse.trial import Outcome, Trial

GOAL = Goal.parse(["minimize latency_ms"], ["area_mm2<=27", "power_w<=2"])


def measured(index, latency, area=20.0, power=1.0, **design):
    metrics = {"latency_ms": float(latency), "area_mm2": float(area), "power_w": float(power)}
    design = design or {"pes": index}
    return Trial(index=index, design=design, outcome=Outcome.FEASIBLE, metrics=metrics)


def broken(index, reason, outcome=Outcome.INFEASIBLE):
    return Trial(index=index, design={"pes": index}, outcome=outcome, reason=reason)


TRIALS = [
    broken(0, "conv1: smallest tile needs 4,096 bytes of core_memory, which has 2,048"),
    measured(1, 5.0),
    measured(2, 3.0, area=30),
    measured(3, 4.0),
    broken(4, "conv7: smallest tile needs 65,536 bytes of core_memory, which has 4,096"),
    measured(5, 2.0, area=40, power=3),
    broken(6, "fc: program needs 9,000 transfers, instruction memory holds 8,192"),
    measured(7, 4.5, power=2.5),
    broken(8, "it crashed: exit status 139", Outcome.FAILED),
    broken(9, "no answer in 60 s", Outcome.TIMED_OUT),
]
