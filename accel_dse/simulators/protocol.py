"""What a study and an external simulator say to each other: one JSON object a line.

The simulator opens with a greeting:

    {"accel_dse": 1, "simulator": "scalesim", "version": "3.0.0", "metrics": ["latency_cycles"]}

Then it reads, and answers each request. A workload comes once, before the first request for it:

    {"workload": "9f2c...", "name": "resnet18", "layers": [...], "vector_ops": [...]}
    {"id": 0, "workload": "9f2c...", "design": {"rows": 16, "columns": 16}}

    {"id": 0, "metrics": {"latency_cycles": 814.0}}
    {"id": 0, "infeasible": "the tile of layer conv1 does not fit"}
    {"id": 0, "error": "no licence"}

`simulator_stubs/README.md` tells it to whoever writes a simulator; this file is what holds.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from accel_dse.errors import SimulatorError
from accel_dse.simulators.guarded import LONGEST_LINE
from accel_dse.workload import Workload

PROTOCOL = 1
"""Version of the protocol; a greeting with another one is refused."""

LONGEST_QUOTE = 300
"""Characters of foreign text in an error or a reason."""

NEVER_NEGATIVE = ("latency", "runtime", "energy", "area", "power", "edp", "utilization")
"""First words of metrics that no physical machine can have below zero. Such a value would win any
minimization, so it must not be believed."""


def quote(text: str) -> str:
    """Foreign text on one line, printable and not long; cut in the middle."""
    line = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.split())
    if len(line) <= LONGEST_QUOTE:
        return line
    return f"{line[: 2 * LONGEST_QUOTE // 3]} ... {line[-LONGEST_QUOTE // 3 :]}"


def workload_message(workload: Workload) -> dict[str, Any]:
    """Everything that `workload` computes, under the key that requests call it by."""
    return {
        "workload": workload.fingerprint()[:16],
        "name": workload.name,
        "layers": [asdict(layer) for layer in workload.layers],
        "vector_ops": [asdict(op) for op in workload.vector_ops],
    }


def read_object(text: str) -> dict[str, Any]:
    """Parses what a simulator wrote.

    Raises:
        SimulatorError: it is not one JSON object.
    """
    if len(text) > LONGEST_LINE:
        start = quote(text[:60])
        raise SimulatorError(f"answered with over {LONGEST_LINE} characters: {start!r}")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SimulatorError(
            f"not JSON: {quote(text)!r}", hint="print everything but answers to stderr"
        ) from error
    if not isinstance(message, dict):
        raise SimulatorError(f"not a JSON object: {quote(text)!r}")
    return message


@dataclass(frozen=True)
class Greeting:
    """How a simulator introduces itself.

    Attributes:
        simulator: its name.
        version: raised when the same design may get other metrics.
        metrics: what it measures; every answer holds exactly these.
        parameters: what it reads of a design; a design may hold more.
    """

    simulator: str
    version: str
    metrics: tuple[str, ...]
    parameters: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> "Greeting":
        """Parses a greeting.

        Raises:
            SimulatorError: it is none, or of another version of the protocol.
        """
        message = read_object(text)
        if message.get("accel_dse") != PROTOCOL:
            spoken = message.get("accel_dse", "no 'accel_dse'")
            raise SimulatorError(f"greets with protocol {spoken}, expected {PROTOCOL}")
        names = [message.get(key, []) for key in ("metrics", "parameters")]
        if not all(isinstance(n, list) and all(isinstance(x, str) for x in n) for n in names):
            raise SimulatorError(f"greets with {names}, expected lists of names")
        metrics, parameters = names
        if not metrics or len(set(metrics)) != len(metrics):
            raise SimulatorError(f"greets with metrics {metrics}, expected distinct names")
        name, version = (quote(str(message.get(key, ""))) for key in ("simulator", "version"))
        if not (name and version):
            raise SimulatorError(f"greets without a name or a version: {quote(text)!r}")
        return cls(name, version, tuple(metrics), tuple(parameters))


@dataclass(frozen=True)
class Answer:
    """What a simulator found out about one design.

    Attributes:
        metrics: name -> finite value; empty if the design does not work.
        infeasible: why it does not; "" if it does.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    infeasible: str = ""

    def message(self) -> dict[str, Any]:
        """What `read_answer` reads it from."""
        return {"infeasible": self.infeasible} if self.infeasible else {"metrics": self.metrics}


def read_answer(message: Mapping[str, Any], metrics: Sequence[str]) -> Answer:
    """Checks an answer.

    Args:
        message: one of `metrics`, `infeasible` and `error` is in it.
        metrics: the names it must hold, all of them and no others.

    Raises:
        SimulatorError: the simulator failed, or its answer cannot be believed.
    """
    kinds = [key for key in ("metrics", "infeasible", "error") if key in message]
    if len(kinds) != 1:
        found = " and ".join(kinds) or ", ".join(map(repr, message)) or "nothing"
        raise SimulatorError(f"answered {found}, expected metrics, infeasible or error")
    content = message[kinds[0]]
    if kinds[0] == "metrics":
        return Answer(metrics=_checked(content, metrics))
    if not (isinstance(content, str) and quote(content)):
        raise SimulatorError(f"answered {kinds[0]} without a reason: {content!r}")
    if kinds[0] == "error":
        raise SimulatorError(quote(content))
    return Answer(infeasible=quote(content))


def _checked(values: Any, metrics: Sequence[str]) -> dict[str, float]:
    if not isinstance(values, dict):
        raise SimulatorError(f"answered metrics {quote(repr(values))}, expected names and numbers")
    for name in values:
        if name not in metrics:
            twin = next((m for m in metrics if _quantity(m) == _quantity(name)), "")
            expected = f"{twin!r}: another unit" if twin else f"one of {', '.join(metrics)}"
            raise SimulatorError(f"answered metric {quote(name)!r}, expected {expected}")
    checked = {}
    for name in metrics:
        if name not in values:
            raise SimulatorError(f"answered no {name}")
        value = _number(values[name])
        if not math.isfinite(value):
            told = quote(repr(values[name]))
            raise SimulatorError(f"answered {name} {told}, expected a finite number")
        if value < 0 and name.partition("_")[0] in NEVER_NEGATIVE:
            raise SimulatorError(f"answered {name} {value:g}, which is below zero")
        checked[name] = value
    return checked


def _number(value: Any) -> float:
    """NaN for what is no number, infinity for one too large."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _quantity(name: str) -> str:
    """A metric's name without its unit, its last word."""
    return name.rpartition("_")[0] or name
