"""What `accel-dse simulate` does."""

import json
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from accel_dse.cli.building import build_simulator, not_counted
from accel_dse.errors import FileError, OptionError
from accel_dse.files import SpaceFile, load_space
from accel_dse.report import measurement
from accel_dse.simulators.base import Explains, Simulator, Traces
from accel_dse.simulators.remedies import remedies
from accel_dse.trial import Design
from accel_dse.workload import Workload
from accel_dse.workloads.load import load


@dataclass(frozen=True, kw_only=True)
class Request:
    """The command line of `simulate`; see its help."""

    space: str
    workload: str
    values: Mapping[str, str]
    design: Path | None
    reference: str | None
    simulator: str
    simulator_options: Mapping[str, str]
    shapes: Mapping[str, int]
    layers: bool
    trace: Path | None
    remedies_s: float


def measure(request: Request, *, as_json: bool) -> None:
    """Measures and prints."""
    file = load_space(request.space)
    design = chosen_design(file, request)
    network = load(request.workload, shapes=request.shapes)
    if remark := not_counted(network):
        print(remark, file=sys.stderr)
    with closing(build_simulator(request.simulator, request.simulator_options, file)) as simulator:
        answer = _answer(simulator, request, file, network, design)
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    console = Console()
    title = f"{network.name} on {file.name}"
    console.print(measurement.measured(title, design, answer["metrics"], answer["reason"]))
    if "works_with" in answer:
        console.print(measurement.remedies(design, answer["works_with"], answer["changes_untried"]))
    if "layers" in answer:
        console.print(measurement.layers(answer["layers"]))
    if answer.get("area"):
        console.print(measurement.area(answer["area"]))
    if "trace" in answer:
        print(f"timeline in {answer['trace']}: open it at https://ui.perfetto.dev")


def _answer(
    simulator: Simulator, request: Request, file: SpaceFile, network: Workload, design: Design
) -> dict[str, Any]:
    if request.layers and not isinstance(simulator, Explains):
        raise OptionError(f"simulator {request.simulator!r} cannot tell layers apart")
    if request.trace and not isinstance(simulator, Traces):
        raise OptionError(f"simulator {request.simulator!r} writes no timeline")
    metrics = simulator.simulate(network, file.space.columns([design]))
    answer: dict[str, Any] = {
        "space": file.name,
        "workload": network.name,
        "not_counted": list(network.unknown),
        "simulator": request.simulator,
        "simulator_version": simulator.version,
        "design": dict(design),
        "feasible": not metrics.infeasible[0],
        "reason": metrics.infeasible[0],
        "metrics": metrics.row(0),
    }
    if isinstance(simulator, Explains) and not answer["feasible"] and request.remedies_s > 0:
        sought = remedies(simulator, network, file.space, design, seconds=request.remedies_s)
        answer["works_with"] = [asdict(remedy) for remedy in sought.found]
        answer["changes_untried"] = sought.untried
    if request.layers and isinstance(simulator, Explains) and answer["feasible"]:
        explained = simulator.explain(network, design)
        answer["layers"] = [dict(row) for row in explained.rows]
        answer["area"] = [dict(row) for row in explained.area]
    if request.trace and isinstance(simulator, Traces) and answer["feasible"]:
        try:
            simulator.trace(network, design, request.trace)
        except OSError as error:
            raise FileError(f"{request.trace}: cannot be written: {error.strerror}") from error
        answer["trace"] = str(request.trace)
    return answer


def chosen_design(file: SpaceFile, request: Request) -> Design:
    """The values asked for, and for what they leave open those of a reference design.

    Raises:
        OptionError: there is no such reference design, or a value is left open.
        DesignError: it is not a valid design of the space.
        FileError: the design file cannot be read.
    """
    name = request.reference or next(iter(file.references), None)
    if name is not None and name not in file.references:
        hint = f"known: {', '.join(file.references)}" if file.references else "there are none"
        raise OptionError(f"{file.name}: no reference design is named {name!r}", hint=hint)
    design = dict(file.references[name].design) if name is not None else {}
    design |= _read(request.design) if request.design else {}
    design |= {key: _typed(text) for key, text in request.values.items()}
    missing = [parameter for parameter in file.space.names if parameter not in design]
    if missing:
        raise OptionError(
            f"{file.name}: no value for {', '.join(missing)}, and no reference design has one",
            hint=f"--set {missing[0]}=VALUE",
        )
    chosen = file.space.canonical(design)
    file.space.check(chosen)
    return chosen


def _read(path: Path) -> dict[str, Any]:
    """The design in a JSON file: `{...}`, or such a mapping under the key `design`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise FileError(f"{path}: is not JSON: {error}") from error
    if isinstance(content, dict) and isinstance(content.get("design"), dict):
        content = content["design"]
    if not isinstance(content, dict):
        raise FileError(f"{path}: expected a mapping from parameters to values")
    return content


def _typed(text: str) -> Any:
    """The number or list that `text` is, else `text`."""
    try:
        return json.loads(text)
    except ValueError:
        return text
