"""The simulator's side of the process protocol (README.md here). Copy this file next to yours.

Standard library only, for any Python from 3.8 on, so that it runs in the environment of whatever
simulator it serves.
"""

from __future__ import annotations

import json
import math
import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

DIMS = ("N", "G", "K", "C", "P", "Q", "R", "S")
"""Loop bounds of a layer: batch, groups, output and input channels of a group, output rows and
columns, filter rows and columns."""


class Infeasible(Exception):  # noqa: N818  it is a result
    """The design cannot work; its text says why."""


def serve(
    simulate: Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, float]],
    *,
    simulator: str,
    version: str,
    metrics: Sequence[str],
    parameters: Iterable[str] = (),
) -> None:
    """Answers requests until there are no more.

    Args:
        simulate: given a workload and a design, returns metrics by name, or raises `Infeasible`.
            Any other exception is reported as a failure on this design.
        simulator: its name.
        version: to be raised when the same design may get other metrics.
        metrics: what `simulate` returns, all of it, each time.
        parameters: what `simulate` reads of a design.
    """
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a program it starts must not eat requests
    os.dup2(2, 1)  # and what it prints is no answer

    def say(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    greeting = {"accel_dse": 1, "simulator": simulator, "version": version}
    say({**greeting, "metrics": list(metrics), "parameters": list(parameters)})
    workloads = {}
    for line in requests:
        message = json.loads(line)
        if "design" not in message:
            workloads[message["workload"]] = message
            continue
        try:
            found = simulate(workloads[message["workload"]], message["design"])
            say({"id": message["id"], "metrics": {name: float(found[name]) for name in metrics}})
        except Infeasible as reason:
            say({"id": message["id"], "infeasible": str(reason)})
        except Exception as error:  # the study decides what becomes of it
            traceback.print_exc()
            say({"id": message["id"], "error": f"{type(error).__name__}: {error}"})


def count_macs(workload: Mapping[str, Any]) -> int:
    """Multiply-accumulates of `workload`."""
    return sum(
        layer["count"] * math.prod(layer[dim] for dim in DIMS) for layer in workload["layers"]
    )


def unique(workload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The distinct layers of `workload`; `count` is how often each runs in all."""
    merged: dict[Any, dict[str, Any]] = {}
    for layer in workload["layers"]:
        shape = (*(layer[d] for d in DIMS), *layer["stride"], *layer["dilation"])
        seen = merged.get(shape)
        merged[shape] = {
            **(seen or layer),
            "count": layer["count"] + (seen or {"count": 0})["count"],
        }
    return list(merged.values())
